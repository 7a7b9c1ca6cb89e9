"""What a rollout does next: each rule by itself, and thousands of made-up worlds in which none may be broken."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from remediator.model.caller import Caller
from remediator.model.rollout import Member, Rollout
from remediator.rollout.turn import (
    AWAY_FOR,
    HITCH_FOR,
    WELL,
    Facts,
    Firing,
    RunState,
    Sight,
    Turn,
    began,
    cancelled,
    in_flight,
    next_turn,
    resumed,
)

T0 = 1_700_000_000.0
WAIT = 100.0
GOOD, BAD = RunState("finished", "effective", "it helped"), RunState("finished", "failed", "it broke")


def rollout(*waves: Sequence[str], **more: Any) -> Rollout:
    hosts = [Member(name, None, number) for number, wave in enumerate(waves, 1) for name in wave]
    given = {"wait": WAIT, "alerts": True, "members": hosts, **more}
    return Rollout(
        host="desk", task="sweep", target="attic", caller=Caller("cli", "anna"), label="rack", asked_at=T0, since=T0,
        driver="desk", id=1, **given,
    )  # fmt: skip


def facts(
    now: float,
    *,
    runs: Mapping[int, RunState] | None = None,
    down: Sequence[str] = (),
    firing: Sequence[Firing] = (),
    unknown: str = "",
    seen_at: float | None = None,
) -> Facts:
    away: dict[str, float | None] = dict.fromkeys("abcde", 0.0)
    away |= dict.fromkeys(down, 500.0)
    return Facts(runs or {}, away, 60.0, Sight(now if seen_at is None else seen_at, firing, unknown), now)


def after_first_wave() -> Rollout:
    """Host a of [a], [b] has had its turn, and its run has just ended well."""
    one = began(rollout(["a"], ["b"]), "a", 1, T0)
    return next_turn(one, facts(T0 + 5, runs={1: GOOD})).rollout


def test_the_first_wave_begins_at_once_where_alerts_are_known() -> None:
    assert next_turn(rollout(["a", "b"], ["c"]), facts(T0)).begin == ["a", "b"]
    held = next_turn(rollout(["a"]), facts(T0, unknown="nobody answers"))
    assert (held.begin, held.rollout.hitch) == ((), "nobody answers")
    assert next_turn(rollout(["a"], alerts=False), facts(T0, unknown="nobody answers")).begin == ["a"]


def test_the_next_wave_waits_until_the_time_is_over_and_the_look_is_from_after_that() -> None:
    quiet = after_first_wave()
    assert (quiet.quiet_since, quiet.wave) == (T0 + 5, 2)
    assert not next_turn(quiet, facts(T0 + 5 + WAIT - 1)).begin
    assert not next_turn(quiet, facts(T0 + 5 + WAIT, seen_at=T0 + 5 + WAIT - 1)).begin
    assert next_turn(quiet, facts(T0 + 5 + WAIT)).begin == ["b"]


@pytest.mark.parametrize(
    "outcome", ["failed", "ineffective", "inconclusive", "blocked", "denied", "expired", "cancelled"]
)
def test_a_run_that_did_not_end_well_stops_it(outcome: str) -> None:
    one = began(rollout(["a"], ["b"]), "a", 1, T0)
    stopped = next_turn(one, facts(T0 + 5, runs={1: RunState("finished", outcome, "so it was")})).rollout
    assert (stopped.state, stopped.reason) == ("stopped", f"a: run 1 ended {outcome}: so it was")
    assert stopped.finished_at == T0 + 5


def test_runs_under_way_are_followed_to_their_end_before_it_has_stopped() -> None:
    both = began(began(rollout(["a", "b"], ["c"]), "a", 1, T0), "b", 2, T0)
    stopping = next_turn(both, facts(T0 + 1, runs={1: BAD, 2: RunState("applying")})).rollout
    assert (stopping.state, stopping.finished_at) == ("stopping", None)
    ended = next_turn(stopping, facts(T0 + 2, runs={2: GOOD})).rollout
    assert ended.state == "stopped"
    assert [one.state for one in ended.members] == ["failed", "well", "pending"]


def test_only_new_alerts_of_hosts_that_had_their_turn_stop_it() -> None:
    quiet = after_first_wave()
    at = facts(T0 + 20, firing=[Firing("a", "Old", T0 - 1), Firing("b", "Elsewhere", T0 + 10)])
    assert next_turn(quiet, at).rollout.state == "running"
    new = next_turn(quiet, facts(T0 + 20, firing=[Firing("a", "Broken", T0 + 3)])).rollout
    assert (new.state, new.reason) == ("stopped", "the alert Broken fires on a since 2023-11-14T22:13:23.000Z")
    without = replace(quiet, alerts=False)
    assert next_turn(without, facts(T0 + 20, firing=[Firing("a", "Broken", T0 + 3)])).rollout.state == "running"


def test_an_alert_stops_it_after_the_last_wave_too_which_is_over_only_then() -> None:
    last = next_turn(began(rollout(["a"]), "a", 1, T0), facts(T0 + 5, runs={1: GOOD})).rollout
    assert (last.state, last.wave) == ("running", 0)
    assert next_turn(last, facts(T0 + 30, firing=[Firing("a", "Broken", T0 + 30)])).rollout.state == "stopped"
    assert next_turn(last, facts(T0 + 5 + WAIT)).rollout.state == "done"


def test_alerts_that_cannot_be_known_hold_it_up_and_stop_it_in_the_end() -> None:
    quiet = after_first_wave()
    late = T0 + 5 + WAIT
    held = next_turn(quiet, facts(late, unknown="nobody answers")).rollout
    assert (held.state, held.hitch_since) == ("running", late)
    assert next_turn(held, facts(late + 9)).begin == ["b"]
    stopped = next_turn(held, facts(late + HITCH_FOR + 1, unknown="nobody answers")).rollout
    assert (stopped.state, stopped.reason) == ("stopped", "nobody answers, for 10m1s")


def test_a_host_that_is_away_holds_it_up_and_stops_it_in_the_end() -> None:
    late = T0 + 5 + WAIT
    held = next_turn(after_first_wave(), facts(late, down=["b"]))
    assert (held.begin, held.rollout.hitch) == ([], "b is down, whose turn it is")
    assert next_turn(held.rollout, facts(late + 1)).begin == ["b"]
    stopped = next_turn(held.rollout, facts(late + HITCH_FOR + 1, down=["b"])).rollout
    assert (stopped.state, stopped.reason) == ("stopped", "b is down, whose turn it is, for 10m1s")


def test_a_host_that_goes_down_with_a_run_under_way_has_time_to_come_back() -> None:
    one = began(rollout(["a"]), "a", 7, T0)
    away = next_turn(one, facts(T0 + 60, runs={7: RunState("applying")}, down=["a"])).rollout
    assert (away.state, away.hitch) == ("running", "a is down, and its run 7 is not over")
    back = next_turn(away, facts(T0 + 90, runs={7: RunState("applying")})).rollout
    assert (back.hitch, back.hitch_since) == ("", None)
    gone = next_turn(away, facts(T0 + 61 + AWAY_FOR, runs={7: RunState("applying")}, down=["a"])).rollout
    assert gone.state == "stopping"


def test_another_run_on_the_target_holds_it_up() -> None:
    held = in_flight(rollout(["a"]), "a", 9, T0)
    assert held.hitch == "run 9 is under way on the target of a"
    assert next_turn(held, facts(T0 + 1)).begin == ["a"]
    assert in_flight(held, "a", 9, T0 + HITCH_FOR + 1).state == "stopping"


def test_what_has_stopped_is_resumed_with_another_turn_for_what_failed_at_once() -> None:
    stopped = next_turn(began(rollout(["a"], ["b"]), "a", 1, T0), facts(T0 + 5, runs={1: BAD})).rollout
    assert not next_turn(stopped, facts(T0 + 6)).begin
    assert next_turn(resumed(stopped, [], "anna", T0 + 9), facts(T0 + 9)).begin == ["a"]
    left_out = resumed(stopped, ["a"], "anna", T0 + 9)
    assert left_out.members[0].reason == "left out by anna"
    assert next_turn(left_out, facts(T0 + 9)).begin == ["b"]


def test_an_alert_that_a_person_has_seen_counts_no_more_and_the_wait_begins_again() -> None:
    seen = [Firing("a", "Broken", T0 + 3)]
    stopped = next_turn(after_first_wave(), facts(T0 + 20, firing=seen)).rollout
    again = resumed(stopped, [], "anna", T0 + 50)
    waits = next_turn(again, facts(T0 + 51, firing=seen))
    assert (waits.begin, waits.rollout.quiet_since) == ((), T0 + 51)
    assert next_turn(waits.rollout, facts(T0 + 51 + WAIT, firing=seen)).begin == ["b"]
    newer = next_turn(waits.rollout, facts(T0 + 60, firing=[Firing("a", "Worse", T0 + 55)])).rollout
    assert newer.state == "stopped"


def test_a_person_ends_it() -> None:
    under_way = began(rollout(["a"], ["b"]), "a", 1, T0)
    ending = next_turn(cancelled(under_way, "by anna"), facts(T0 + 1, runs={1: RunState("applying")}))
    assert (ending.begin, ending.rollout.state) == ((), "cancelling")
    over = next_turn(ending.rollout, facts(T0 + 2, runs={1: GOOD})).rollout
    assert (over.state, over.reason) == ("cancelled", "by anna")


@dataclass
class World:
    """Hosts that come and go, runs that end somehow, alerts that begin; and a driver that is killed before it saves."""

    random: random.Random
    one: Rollout
    now: float = T0
    runs: dict[int, RunState] = field(default_factory=dict)
    of: dict[int, str] = field(default_factory=dict)
    began: list[tuple[float, str, int]] = field(default_factory=list)
    firing: list[Firing] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    def step(self) -> None:
        self.now += self.random.choice([1.0, 5.0, 40.0])
        hosts = [one.host for one in self.one.members]
        for number, run in self.runs.items():
            if run.state != "finished" and self.of[number] not in self.down and self.random.random() < 0.4:
                outcome = "effective" if self.random.random() < 0.93 else self.random.choice(["failed", "blocked"])
                self.runs[number] = RunState("finished", outcome, "so")
        if self.random.random() < 0.02:
            self.firing.append(Firing(self.random.choice(hosts), "Broken", self.now))
        if self.random.random() < 0.05:
            self.down ^= {self.random.choice(hosts)}
        at = facts(
            self.now,
            runs=self.runs,
            down=sorted(self.down),
            firing=self.firing,
            unknown="no answer" if self.random.random() < 0.1 else "",
            seen_at=self.now - self.random.choice([0.0, 0.0, 10.0]),
        )
        turn = next_turn(self.one, at)
        assert next_turn(self.one, at) == turn, "the same facts lead to the same turn"
        if self.random.random() < 0.2:
            return  # killed before anything was saved
        self.save(turn)

    def save(self, turn: Turn) -> None:
        after = turn.rollout
        for name in turn.begin:
            self.check_begin(name)
            number = len(self.runs) + 1
            self.runs[number], self.of[number] = RunState("queued"), name
            self.began.append((self.now, name, number))
            after = began(after, name, number, self.now)
        self.one = after

    def check_begin(self, name: str) -> None:
        """What must be true when a run begins."""
        (member,) = [one for one in self.one.members if one.host == name]
        assert self.one.state == "running"
        assert name not in self.of.values()
        assert name not in self.down
        for earlier in self.one.members:
            if 0 < earlier.wave < member.wave:
                (number,) = [number for number, host in self.of.items() if host == earlier.host]
                assert self.runs[number].outcome in WELL
        old = {one.host for one in self.one.members if 0 < one.wave < member.wave}
        ends = [at for at, host, _ in self.began if host in old]
        assert not ends or self.now - max(ends) >= WAIT
        seen = [
            one for one in self.firing if any(at <= one.starts_at for at, host, _ in self.began if host == one.host)
        ]
        # One that has begun since the last look may not be seen yet.
        assert all(one.starts_at > self.now - 10.0 for one in seen)


def test_in_no_world_a_run_begins_twice_too_soon_or_after_something_was_not_well() -> None:
    ends = dict.fromkeys(["done", "stopped"], 0)
    for seed in range(1500):
        random_ = random.Random(seed)
        waves = [["a", "b"], ["c"], ["d", "e"]][: random_.randrange(1, 4)]
        world = World(random_, rollout(*waves))
        for _ in range(600):
            if world.one.finished_at is not None:
                break
            world.step()
        else:
            assert world.one.state == "stopping", seed  # a host is down with its run
            continue
        ends[world.one.state] += 1
        assert all(world.runs[number].state == "finished" for number in world.runs)
        if world.one.state == "done":
            assert sorted(world.of.values()) == sorted(one.host for one in world.one.members)
        else:
            assert world.one.reason
    assert min(ends.values()) > 100, ends
