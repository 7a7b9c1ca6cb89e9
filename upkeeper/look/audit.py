"""The audit, read from a remediator or from an exported file, and verified here: nobody's word is taken for it."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, TypedDict

from remediator.api.operations import MAX_PAGE, Operations
from remediator.audit.record import Record, from_document, milliseconds_of
from remediator.audit.verify import Chain, Head
from remediator.model.errors import EXIT_USAGE, ClientError
from remediator.model.shapes.audit import AuditView

_HEAD = re.compile(r"(?:(?P<number>[0-9]{1,18}):)?(?P<hash>[0-9a-f]{13,64})", re.ASCII)


class VerdictView(TypedDict):
    """What was found of a host's chain. ``first`` and ``last`` are numbers of records, null where there are none.

    ``faults`` is empty when it is whole; ``more_faults`` are not listed. ``unknown`` are published heads that nothing
    can be said of, since the records they belong to are past their retention.
    """

    host: str
    records: int
    first: int | None
    last: int | None
    head: str | None
    deleted: int
    faults: list[str]
    more_faults: int
    unknown: list[str]


def parse_head(text: str) -> Head:
    """A published head: ``NUMBER:HASH``, or a hash alone, of which the first 13 digits do. Raises ValueError."""
    found = _HEAD.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(
            "write 13 to 64 hexadecimal digits of a hash, with or without the record's number: 120:3fb0..."
        )
    return Head(int(found["number"]) if found["number"] else None, found["hash"])


async def verify(client: Operations, host: str | None, published: Sequence[Head]) -> list[VerdictView]:
    """Reads and verifies the chain of the host, or of every host. Raises ClientError."""
    stored = {one["host"]: one for one in (await client.audit_chains())["items"]}
    if host is not None and host not in stored:
        raise ClientError(f"there is no audit of the host {host}; of: {', '.join(stored) or 'none'}", EXIT_USAGE)
    verdicts = []
    for name in _asked(stored, host, published):
        chain = Chain(name, published)
        end = Head(stored[name]["records"], stored[name]["head"])
        async for page in _pages(client, name):
            found = (_record(document, f"the remediator's record {document['number']}") for document in page)
            # What was written since the end was asked for is left for the next time.
            chain.take(record for record in found if record.number <= stored[name]["records"])
        verdicts.append(_verdict(chain, end))
    return verdicts


def verify_file(file: Path, host: str | None, published: Sequence[Head]) -> list[VerdictView]:
    """Verifies an exported file, which may begin anywhere. Raises ClientError."""
    chains: dict[str, Chain] = {}
    try:
        with file.open(encoding="utf-8") as lines:
            for record in _records(lines, file):
                if host in (None, record.host):
                    chains.setdefault(record.host, Chain(record.host, published, partial=True)).take([record])
    except (OSError, UnicodeError) as error:
        raise ClientError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}", EXIT_USAGE) from error
    if not chains:
        raise ClientError(f"{file} holds no record" + (f" of the host {host}" if host else ""), EXIT_USAGE)
    return [_verdict(chains[name], None) for name in _asked(chains, host, published)]


def _asked(known: Mapping[str, object], host: str | None, published: Sequence[Head]) -> list[str]:
    """The hosts whose chains are meant. Raises ClientError where a published head could be several hosts'."""
    if host is not None:
        return [host]
    if published and len(known) > 1:
        raise ClientError(f"there are several hosts, name the one of --head by --host: {', '.join(known)}", EXIT_USAGE)
    return list(known)


def _verdict(chain: Chain, stored: Head | None) -> VerdictView:
    faults = chain.end(stored)
    first, last = chain.first, chain.last
    return {
        "host": chain.host,
        "records": chain.records,
        "first": first.number if first else None,
        "last": last.number if last else None,
        "head": last.hash if last else None,
        "deleted": first.number - 1 if first else 0,
        "faults": list(faults),
        "more_faults": chain.more,
        "unknown": [str(head) for head in chain.published if chain.is_before(head)],
    }


async def export(
    client: Operations, host: str | None, since: str | None, until: str | None
) -> AsyncGenerator[AuditView]:
    """The records as they are exported, oldest first, a page in memory at a time. Raises ClientError.

    since, until: from the first record of or after the one time, to before the first of or after the other.
    """
    hosts = [host] if host is not None else [one["host"] for one in (await client.audit_chains())["items"]]
    for name in hosts:
        async for page in _pages(client, name, since):
            for document in page:
                if until is not None and milliseconds_of(document["at"]) >= milliseconds_of(until):
                    break
                yield document
            else:
                continue
            break


async def _pages(client: Operations, host: str, since: str | None = None) -> AsyncIterator[list[AuditView]]:
    page = await client.audit_records(host, limit=MAX_PAGE, since=since)
    yield page["items"]
    while page["next"] is not None:
        page = await client.audit_records(host, limit=MAX_PAGE, after=page["next"])
        yield page["items"]


def _records(lines: TextIO, file: Path) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ClientError(f"{where}: it is no JSON: {error}", EXIT_USAGE) from error
        yield _record(document, where)


def _record(document: AuditView, where: str) -> Record:
    try:
        return from_document(document)
    except (ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{where}: it is no record of an audit ({error})", EXIT_USAGE) from error
