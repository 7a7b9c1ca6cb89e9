"""Asks all parts, each with a deadline and an error boundary of its own, and bounds what they found."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from exporter.base.errors import UpkeeperError
from exporter.base.redact import redacted
from exporter.base.units import format_duration
from remediator.diagnosis.clean import text_of
from remediator.diagnosis.part import Entry, Part


class Limits(NamedTuple):
    """seconds: for each part; those that are asked together wait for none. at_once: parts asked at the same time.
    part_bytes: of one, as it stands in the archive; whole_bytes: of all.
    """

    seconds: float = 20.0
    at_once: int = 6
    part_bytes: int = 512 * 1024
    whole_bytes: int = 12 * 1024 * 1024


async def collect(parts: Sequence[Part], known: Collection[str], limits: Limits | None = None) -> Sequence[Entry]:
    """What became of each, in their order. Raises nothing but cancellation."""
    limits = limits or Limits()
    places = asyncio.Semaphore(limits.at_once)

    async def ask(part: Part) -> Entry:
        async with places:
            return await _ask(part, known, limits)

    return within(await asyncio.gather(*map(ask, parts)), limits.whole_bytes)


def within(entries: Sequence[Entry], most: int) -> Sequence[Entry]:
    """The entries as long as there is room for their bytes; the others are named. Pure."""
    kept: list[Entry] = []
    for entry in entries:
        size = len(entry.content)
        if size > most:
            why = "left out: the archive has all that it may have"
            kept.append(Entry(entry.path, b"", entry.left_out + size, why))
        else:
            most -= size
            kept.append(entry)
    return kept


async def _ask(part: Part, known: Collection[str], limits: Limits) -> Entry:
    try:
        async with asyncio.timeout(limits.seconds):
            found = await part.find()
            # A secret may go over several lines, so that all is looked at before anything is cut.
            text = await asyncio.to_thread(text_of, found, known)
    except TimeoutError:
        return Entry(part.path, b"", problem=f"not known within {format_duration(limits.seconds)}")
    except Exception as error:  # noqa: BLE001  # whatever it is stands in the manifest, and the others go on
        said = " ".join(str(error).split())
        said = said if isinstance(error, UpkeeperError) else f"{type(error).__name__}: {said}"
        return Entry(part.path, b"", problem=redacted(said[:2000], known)[:500])
    content, left_out = cut(text.encode(errors="replace"), limits.part_bytes, part.keep)
    return Entry(part.path, content, left_out)


def cut(content: bytes, most: int, keep: Literal["begin", "end"]) -> tuple[bytes, int]:
    """Whole lines of one end of it, at most so many bytes, and how many bytes are left out. Pure."""
    if len(content) <= most:
        return content, 0
    if keep == "begin":
        kept = content[:most]
        kept = kept[: kept.rfind(b"\n") + 1] or kept
    else:
        kept = content[-most:]
        kept = kept[kept.find(b"\n") + 1 :] or kept
    return kept, len(content) - len(kept)
