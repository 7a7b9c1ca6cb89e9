"""Which hosts a rollout takes in which order: rules, and thousands of made-up fleets."""

import random
from collections import Counter

from remediator.model.rollout import Member
from remediator.rollout.waves import Candidate, members


def host(name: str, *, up: bool = True, paused: str | None = None, **labels: str) -> Candidate:
    return Candidate(name, up, 1_700_000_000.0, paused, labels)


def waves(found: object) -> list[list[str]]:
    assert isinstance(found, list)
    by_wave: dict[int, list[str]] = {}
    for one in found:
        by_wave.setdefault(one.wave, []).append(one.host)
    return [by_wave[wave] for wave in sorted(by_wave) if wave]


def test_without_a_label_each_host_is_a_wave() -> None:
    assert waves(members([host("b"), host("a"), host("c")], [], None)) == [["a"], ["b"], ["c"]]


def test_a_wave_has_one_host_of_each_domain_and_those_of_none_come_last_alone() -> None:
    found = members(
        [host("a1", rack="a"), host("a2", rack="a"), host("b1", rack="b"), host("x"), host("y")], [], "rack"
    )
    assert waves(found) == [["a1", "b1"], ["a2"], ["x"], ["y"]]
    assert [(one.host, one.domain) for one in found] == [
        ("a1", "a"), ("b1", "b"), ("a2", "a"), ("x", None), ("y", None)
    ]  # fmt: skip


def test_a_wave_is_as_large_as_was_said() -> None:
    found = members([host(name, rack=name) for name in "abcde"], [], "rack", 2)
    assert waves(found) == [["a", "b"], ["c", "d"], ["e"]]


def test_hosts_that_cannot_take_part_are_named_with_the_reason() -> None:
    there = [host("web-1"), host("web-2", up=False), host("web-3", paused="moving house")]
    found = members(there, ["web-1", "web-2", "web-3", "wbe-1"], None)
    assert [(one.host, one.wave, one.state) for one in found] == [
        ("web-1", 1, "pending"), ("wbe-1", 0, "left-out"), ("web-2", 0, "left-out"), ("web-3", 0, "left-out"),
    ]  # fmt: skip
    assert [one.reason for one in found[1:]] == [
        "there is no such host; did you mean web-1?",
        "it is down: it was last seen at 2023-11-14T22:13:20.000Z",
        "everything is paused there: moving house",
    ]


def test_of_any_fleet_each_host_has_one_place_and_no_wave_two_of_a_domain() -> None:
    random_ = random.Random(7)
    for _ in range(3000):
        fleet = [
            Candidate(
                f"h{number}",
                random_.random() < 0.9,
                0.0,
                "held" if random_.random() < 0.1 else None,
                {"rack": random_.choice("abc")} if random_.random() < 0.8 else {},
            )
            for number in range(random_.randrange(12))
        ]
        wanted = [f"h{number}" for number in range(12) if random_.random() < 0.4]
        label = random_.choice([None, "rack"])
        at_once = random_.choice([None, 1, 2])
        found = members(fleet, wanted, label, at_once)
        names = {one.host for one in fleet}
        assert Counter(one.host for one in found) == Counter(set(wanted) or names)
        taking: list[Member] = [one for one in found if one.wave]
        assert {one.host for one in taking} == {
            one.host for one in fleet if one.up and one.paused is None and (not wanted or one.host in wanted)
        }
        assert sorted({one.wave for one in taking}) == list(range(1, len({one.wave for one in taking}) + 1))
        for wave in {one.wave for one in taking}:
            together = [one for one in taking if one.wave == wave]
            assert at_once is None or len(together) <= at_once
            assert len({one.domain for one in together}) == len(together)
            if label is None or any(one.domain is None for one in together):
                assert len(together) == 1
