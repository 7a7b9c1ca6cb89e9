"""Whether a chain of records is whole. Pure: records in, one after the other, and what is wrong out."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from remediator.audit.record import NOTHING, Record

DIGITS = 13
"""Hexadecimal digits of a hash that fit into a float of 64 bits: 52 bits."""
MAX_FAULTS = 20
"""Faults that are told of one chain."""


@dataclass(frozen=True)
class Head:
    """The end of a chain, as it was published. number: of the record; None where only the hash is known.

    hash: in hexadecimal digits, or as many of its first ones as were published.
    """

    number: int | None
    hash: str

    def is_of(self, number: int, digest: str) -> bool:
        return digest.startswith(self.hash) and self.number in (None, number)

    def as_number(self) -> int:
        """Its first DIGITS digits as a number, which a metric's value holds exactly."""
        return int(self.hash[:DIGITS], 16)

    def __str__(self) -> str:
        return self.hash if self.number is None else f"{self.number}:{self.hash}"


@dataclass
class Chain:
    """Takes the records of one host's chain, oldest first, and says what is wrong with them.

    published: heads that the chain must hold, or have held before it was shortened.
    partial: whether it may begin anywhere, as an export of some days does.
    """

    host: str
    published: Sequence[Head] = ()
    partial: bool = False
    first: Record | None = None
    last: Record | None = None
    records: int = 0
    faults: list[str] = field(default_factory=list)
    more: int = 0
    """Faults beyond MAX_FAULTS."""
    _shortened_to: set[tuple[int, str]] = field(default_factory=set)
    """Number and hash of the last record that was deleted, as each record of a shortening has it."""
    _seen: set[Head] = field(default_factory=set)

    def take(self, records: Iterable[Record]) -> None:
        """The next records."""
        for record in records:
            self._take(record)
            self.records += 1
            self.last = record

    def _take(self, record: Record) -> None:
        place = f"record {record.number}"
        if record.host != self.host:
            self._fault(f"{place} is {record.host}'s, in the chain of {self.host}")
        if record.hash != record.expected_hash():
            self._fault(f"{place} is not what was recorded: its hash does not fit its content")
        if self.last is None:
            self.first = record
            if record.number == 1 and (record.previous != NOTHING or record.kind != "chain.begun"):
                self._fault(f"{place} does not begin a chain")
        elif record.number != self.last.number + 1:
            self._fault(_out_of_order(self.last.number, record.number))
        elif record.previous != self.last.hash:
            self._fault(f"{place} does not follow record {self.last.number}: that had another hash when it was written")
        if record.kind == "chain.shortened":
            self._note_shortening(record)
        self._look_for(record.number, record.hash)

    def _note_shortening(self, record: Record) -> None:
        try:
            body = json.loads(record.body)
            last = int(body["deleted_through"]), str(body["hash"])
        except (ValueError, KeyError, TypeError):
            self._fault(f"record {record.number} does not say what was deleted")
        else:
            self._shortened_to.add(last)
            self._look_for(*last)

    def _look_for(self, number: int, digest: str) -> None:
        self._seen.update(head for head in self.published if head.is_of(number, digest))

    def end(self, stored: Head | None = None) -> Sequence[str]:
        """All that is wrong with the chain; nothing when it is whole.

        stored: its end as the database has it beside the records; None where only records are at hand.
        """
        if self.first is None or self.last is None:
            if stored is not None and stored.number:
                self._fault(f"all of its {stored.number} records are missing")
        else:
            self._end_of(self.first, self.last, stored)
        for head in self.published:
            if head not in self._seen and not self.is_before(head):
                self._fault(f"no record is {head}, which was published: the chain was cut off or written anew since")
        return self.faults

    def _end_of(self, first: Record, last: Record, stored: Head | None) -> None:
        if stored is not None and not (stored.number == last.number and stored.hash == last.hash):
            self._fault(f"it ends with record {last.number} and not with {stored}: its end is missing or changed")
        before = (first.number - 1, first.previous)
        if first.number > 1 and not self.partial and before not in self._shortened_to:
            self._fault(f"records before {first.number} are missing, and no record says that they were deleted")

    def is_before(self, head: Head) -> bool:
        """Whether a published head is older than what is left of the chain, so that nothing can be said of it."""
        return self.first is not None and head.number is not None and head.number < self.first.number

    def _fault(self, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)
        else:
            self.more += 1


def _out_of_order(before: int, number: int) -> str:
    if number <= before:
        return f"record {number} comes after record {before}"
    missing = number - before - 1
    which = f"record {before + 1} is" if missing == 1 else f"records {before + 1} to {number - 1} are"
    return f"{which} missing"
