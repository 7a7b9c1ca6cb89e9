"""What is done to a chain is found: by the chain itself, by its stored end, or by an end that was published."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from remediator.audit.record import NOTHING, Entry, Record, chained
from remediator.audit.verify import MAX_FAULTS, Chain, Head
from remediator.model.caller import Caller

PAT = Caller("cli", "pat")


def a_chain(count: int, host: str = "kitchen", first: int = 1, previous: str = NOTHING) -> list[Record]:
    found: list[Record] = []
    for number in range(first, first + count):
        kind = "chain.begun" if number == 1 else "pause.set"
        entry = Entry(kind, 1000.5 + number, PAT, {"reason": f"r{number}"}, run_id=number, alert_id=None)
        found.append(chained(entry, host, number, previous))
        previous = found[-1].hash
    return found


def faults(
    records: Sequence[Record], stored: Head | None = None, published: Sequence[Head] = (), *, partial: bool = False
) -> Sequence[str]:
    chain = Chain("kitchen", published, partial)
    chain.take(records)
    return chain.end(stored)


def end_of(records: Sequence[Record]) -> Head:
    return Head(records[-1].number, records[-1].hash)


def test_a_whole_chain_has_no_faults() -> None:
    records = a_chain(5)
    assert faults(records, end_of(records), [end_of(records[:3]), Head(None, records[3].hash[:13])]) == []


CHANGED = {
    "host": "cellar",
    "number": 99,
    "at": 1,
    "kind": "pause.ended",
    "trigger": "api",
    "caller": "mallory",
    "run_id": None,
    "alert_id": 7,
    "body": '{"reason":"another"}',
    "previous": "f" * 64,
    "hash": "f" * 64,
}


def test_every_field_of_a_record_is_tried() -> None:
    assert set(CHANGED) == set(Record.__slots__)


@pytest.mark.parametrize("field", CHANGED)
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_changed_field_is_found(field: str, at: int) -> None:
    records = a_chain(5)
    records[at] = replace(records[at], **{field: CHANGED[field]})  # type: ignore[arg-type]
    assert any(f"record {records[at].number} is not what was recorded" in fault for fault in faults(records))


def _rehashed(records: list[Record], at: int) -> list[Record]:
    """A record changed by somebody who makes its hash fit again, and no other."""
    changed = Entry("pause.set", 5.0, PAT, {"reason": "another"})
    return [*records[:at], chained(changed, "kitchen", at + 1, records[at].previous), *records[at + 1 :]]


def _inserted(records: list[Record]) -> list[Record]:
    more = chained(Entry("pause.set", 5.0, PAT), "kitchen", 3, records[1].hash)
    return [*records[:2], more, *records[2:]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda r: _rehashed(r, 2), "record 4 does not follow record 3"),
        (lambda r: [r[0], r[2], r[1], *r[3:]], "record 2 is missing"),
        (lambda r: [*r[:2], *r[3:]], "record 3 is missing"),
        (lambda r: [*r[:1], *r[4:]], "records 2 to 4 are missing"),
        (_inserted, "record 3 comes after record 3"),
        (lambda r: [*r, r[2]], "record 3 comes after record 5"),
        (lambda r: r[2:], "records before 3 are missing, and no record says that they were deleted"),
        (lambda r: [replace(r[0], kind="pause.set"), *r[1:]], "record 1 does not begin a chain"),
        (lambda r: [*r[:3], *a_chain(1, "cellar", 4, r[2].hash)], "record 4 is cellar's, in the chain of kitchen"),
    ],
)
def test_what_was_moved_or_left_out_is_found(change: Callable[[list[Record]], list[Record]], fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(change(a_chain(5))))


def test_a_cut_off_end_is_found_by_the_stored_or_the_published_head() -> None:
    records = a_chain(5)
    assert faults(records[:4]) == [], "the records alone cannot tell"
    assert "ends with record 4" in faults(records[:4], end_of(records))[0]
    assert "no record is 5:" in faults(records[:4], None, [end_of(records)])[0]
    assert faults([], end_of(records)) == ["all of its 5 records are missing"]


def test_a_table_that_was_written_anew_is_found_by_the_published_head() -> None:
    records, anew = a_chain(5), a_chain(2)
    anew += [chained(Entry("pause.set", 3.0, PAT), "kitchen", 3, anew[1].hash)]
    assert faults(anew, end_of(anew)) == [], "it is whole by itself"
    assert faults(anew, end_of(anew), [end_of(records[:2])]) == []
    (fault,) = faults(anew, end_of(anew), [end_of(records[:3])])
    assert fault.startswith("no record is 3:")


def _shortened(through: int) -> list[Record]:
    """A chain of which the first records were deleted in the way that retention does it."""
    records = a_chain(6)
    body = {"deleted_through": through, "hash": records[through - 1].hash, "deleted": through}
    records.append(chained(Entry("chain.shortened", 9.0, None, body), "kitchen", 7, records[-1].hash))
    return records


def test_a_shortened_chain_is_proven_from_where_it_was_shortened() -> None:
    records = _shortened(3)
    assert faults(records[3:], end_of(records), [Head(3, records[2].hash)]) == []
    assert "records before 5 are missing" in faults(records[4:], end_of(records))[0]
    assert faults(records[4:], partial=True) == []


def test_a_published_head_of_before_the_shortening_can_no_longer_be_looked_for() -> None:
    records = _shortened(3)
    chain = Chain("kitchen", [Head(2, "0" * 64)])
    chain.take(records[3:])
    assert chain.end() == []
    assert chain.is_before(Head(2, "0" * 64))
    assert "no record is 00000" in faults(records[3:], None, [Head(None, "0" * 64)])[0]


def test_a_body_that_does_not_say_what_was_deleted() -> None:
    records = a_chain(2)
    records.append(chained(Entry("chain.shortened", 9.0), "kitchen", 3, records[-1].hash))
    assert faults(records) == ["record 3 does not say what was deleted"]


def test_the_faults_that_are_told_are_bounded() -> None:
    chain = Chain("kitchen")
    chain.take(replace(record, caller="mallory") for record in a_chain(MAX_FAULTS + 5))
    assert len(chain.end()) == MAX_FAULTS
    assert chain.more == 5


@pytest.mark.parametrize("seed", range(200))
def test_no_random_change_goes_unnoticed(seed: int) -> None:
    random_ = random.Random(seed)
    records = a_chain(8)
    stored = end_of(records)
    at = random_.randrange(8)
    match random_.choice(["field", "drop", "swap", "copy"]):
        case "field":
            field = random_.choice(list(CHANGED))
            records[at] = replace(records[at], **{field: CHANGED[field]})  # type: ignore[arg-type]
        case "drop":
            del records[at]
        case "swap":
            other = (at + random_.randrange(1, 8)) % 8
            records[at], records[other] = records[other], records[at]
        case "copy":
            records.insert(random_.randrange(9), records[at])
    assert faults(records, stored), f"seed {seed}"
