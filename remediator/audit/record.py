"""A record of the audit, and its hash.

The hash is SHA-256 over the UTF-8 bytes of the record in canonical form, without the hash itself: an object with the
keys ``alert``, ``at``, ``body``, ``caller``, ``host``, ``kind``, ``number``, ``previous``, ``run`` and ``v``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from remediator.audit.canonical import canonical
from remediator.model.caller import Caller

VERSION = 1
"""Of the form that is hashed."""
NOTHING = "0" * 64
"""What the first record of a chain has for the hash of the one before."""

Kind = Literal[
    "chain.begun",
    "chain.shortened",
    "decision",
    "run.asked",
    "run.planned",
    "run.cancelled",
    "action.started",
    "action.finished",
    "run.finished",
    "pause.set",
    "pause.ended",
    "breaker.closed",
    "ballast.laid",
    "ballast.released",
    "silence.held",
    "silence.ended",
    "alert.joined",
    "autonomy.demoted",
    "autonomy.promoted",
    "autonomy.reset",
    "approval.asked",
    "approval.approved",
    "approval.denied",
    "approval.expired",
    "approval.cancelled",
    "job.due",
    "job.given-up",
    "token.created",
    "token.revoked",
    "config.loaded",
    "host.renamed",
    "rollout.begun",
    "rollout.wave",
    "rollout.stopped",
    "rollout.cancelled",
    "rollout.resumed",
    "rollout.ended",
    "state.restored",
    "state.migrated",
    "journal.begun",
    "journal.brought",
    "journal.kept",
]
"""What records are about. A part that adds one names it here."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded. at: Unix seconds. caller: who asked for it; None for the service itself.

    body: JSON of the kind's own. It must hold nothing secret: it is kept longer than anything else, and exported.
    """

    kind: Kind
    at: float
    caller: Caller | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    alert_id: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A link of a host's chain. number: counts from 1. at: Unix milliseconds. body: canonical JSON.

    previous: the hash of the record before it.
    """

    host: str
    number: int
    at: int
    kind: str
    trigger: str
    caller: str
    run_id: int | None
    alert_id: int | None
    body: str
    previous: str
    hash: str

    def expected_hash(self) -> str:
        """What its hash must be, by everything else in it."""
        return _hash(self)

    def document(self) -> dict[str, Any]:
        """The record as it is exported: what is hashed, and the hash. Raises ValueError when its body is no JSON."""
        return {
            "v": VERSION,
            "host": self.host,
            "number": self.number,
            "at": time_text(self.at),
            "kind": self.kind,
            "caller": {"trigger": self.trigger, "name": self.caller},
            "run": self.run_id,
            "alert": self.alert_id,
            "body": json.loads(self.body),
            "previous": self.previous,
            "hash": self.hash,
        }


def chained(entry: Entry, host: str, number: int, previous: str) -> Record:
    """The record that an entry becomes behind the record with that hash."""
    trigger, name = (entry.caller.trigger, entry.caller.name) if entry.caller else ("service", "")
    record = Record(
        host=host,
        number=number,
        at=int(entry.at * 1000),
        kind=entry.kind,
        trigger=trigger,
        caller=name,
        run_id=entry.run_id,
        alert_id=entry.alert_id,
        body=canonical(entry.body),
        previous=previous,
        hash="",
    )
    return _with_hash(record)


def _with_hash(record: Record) -> Record:
    values = {name: getattr(record, name) for name in Record.__slots__}
    return Record(**(values | {"hash": _hash(record)}))


def _hash(record: Record) -> str:
    # The object's text is put together by hand: its body is canonical already, and this is done a thousand times a
    # second. That it is the canonical form of `document`, tests say.
    text = (
        f'{{"alert":{_number(record.alert_id)},"at":"{time_text(record.at)}","body":{record.body},'
        f'"caller":{{"name":{canonical(record.caller)},"trigger":{canonical(record.trigger)}}},'
        f'"host":{canonical(record.host)},"kind":{canonical(record.kind)},"number":{record.number},'
        f'"previous":{canonical(record.previous)},"run":{_number(record.run_id)},"v":{VERSION}}}'
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def time_text(milliseconds: int) -> str:
    """A time in the form of RFC 3339, in UTC; by whole numbers only. Raises OverflowError beyond the year 9999."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds_of(text: str) -> int:
    """The Unix milliseconds of a time that ``time_text`` wrote. Raises ValueError."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def from_document(document: Mapping[str, Any]) -> Record:
    """The record that was exported. Raises ValueError, KeyError or TypeError for anything else."""
    if document["v"] != VERSION:
        raise ValueError(f"its form is {document['v']!r}, and this Upkeeper knows {VERSION}")
    return Record(
        host=str(document["host"]),
        number=int(document["number"]),
        at=milliseconds_of(document["at"]),
        kind=str(document["kind"]),
        trigger=str(document["caller"]["trigger"]),
        caller=str(document["caller"]["name"]),
        run_id=document["run"],
        alert_id=document["alert"],
        body=canonical(document["body"]),
        previous=str(document["previous"]),
        hash=str(document["hash"]),
    )
