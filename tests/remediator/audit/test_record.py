"""A record's hash is that of its canonical form, and an exported one has the same."""

import hashlib
import json

import pytest

from remediator.audit.canonical import canonical
from remediator.audit.record import NOTHING, Entry, chained, from_document, milliseconds_of, time_text
from remediator.model.caller import Caller

ODD = {"reason": 'a "quoted" \\ \n\0 \U0001f600 caf\u00e9', "values": {"used": 12.0, "ratio": 0.1}, "big": 2**60}


@pytest.mark.parametrize("caller", [None, Caller("cli", 'pat "the cat" \u20ac')])
@pytest.mark.parametrize("ids", [(None, None), (7, 2**40)])
def test_the_hash_is_that_of_the_canonical_form_without_it(
    caller: Caller | None, ids: tuple[int | None, int | None]
) -> None:
    record = chained(Entry("pause.set", 1000.123, caller, ODD, *ids), "kitchen\u00e9", 5, NOTHING)
    document = record.document()
    assert document.pop("hash") == record.hash == hashlib.sha256(canonical(document).encode()).hexdigest()
    assert record.expected_hash() == record.hash


def test_an_exported_record_is_read_as_it_was() -> None:
    record = chained(Entry("pause.set", 1000.123, Caller("cli", "pat"), ODD, 3), "kitchen", 5, NOTHING)
    assert from_document(json.loads(json.dumps(record.document()))) == record


def test_a_known_record_has_a_known_hash() -> None:
    """So that no change of the code changes the form: chains that exist must still verify."""
    body = {"task": None, "reason": "moving", "seconds": 60}
    record = chained(Entry("pause.set", 1_800_000_000.25, Caller("cli", "pat"), body), "kitchen", 2, "ab" * 32)
    text = (
        '{"alert":null,"at":"2027-01-15T08:00:00.250Z","body":{"reason":"moving","seconds":60,"task":null},'
        '"caller":{"name":"pat","trigger":"cli"},"host":"kitchen","kind":"pause.set","number":2,"previous":"'
        + "ab" * 32
        + '","run":null,"v":1}'
    )
    assert record.hash == hashlib.sha256(text.encode()).hexdigest()


def test_times_are_whole_milliseconds() -> None:
    for milliseconds in (0, 1, 999, 1_800_000_000_123, 253402300799999):
        assert milliseconds_of(time_text(milliseconds)) == milliseconds


@pytest.mark.parametrize("change", [{"v": 2}, {"at": "yesterday"}, {"caller": None}, {"number": "x"}])
def test_what_is_no_record_is_refused(change: dict[str, object]) -> None:
    document = chained(Entry("pause.set", 1.0), "kitchen", 1, NOTHING).document() | change
    with pytest.raises((ValueError, TypeError)):
        from_document(document)
