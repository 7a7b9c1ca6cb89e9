"""Days of an alert that does not end, from look to look, with runs that end in every way; found by search."""

import random
from dataclasses import dataclass, field

import pytest

from remediator.config.guards import Breaker, Rate
from remediator.config.remedies import Remedy
from remediator.decide.decide import LOOK_SOONEST, Asked, decide
from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Subject
from remediator.guards.history import History
from remediator.model.decision import Selection, Try
from remediator.model.hold import DAY, HOUR, PastRun, Pause
from tests.remediator.guards.cases import gathered

START = 1_800_000_000.0
COUNTED = ("effective", "ineffective", "failed")
OUTCOMES = (*COUNTED, "nothing-to-do", "blocked", "expired")
TARGETS = {"sweep": ["attic", "cellar"], "clean": ["docker"]}


@dataclass
class Day:
    """One alert, its remedies, and what became of each look."""

    source: random.Random
    remedies: Remedies
    outcomes: tuple[str, ...]
    now: float = START
    pause: Pause | None = None
    tries: list[Try] = field(default_factory=list)
    """Newest first."""
    runs: list[tuple[str, str, PastRun, str]] = field(default_factory=list)
    """Task, target, when, and outcome of each, newest first."""
    looks: int = 0

    def ask(self, selection: Selection) -> Asked:
        planned = ("planned",) if selection.remedy.autonomy == "observe" else ()
        past = [
            run
            for task, target, run, outcome in self.runs
            if (task, target) == (selection.remedy.task, selection.target) and outcome in (*COUNTED, *planned)
        ]
        subject = Subject("here", selection.remedy.task, str(selection.target))
        known = gathered(History(past=past), [self.pause] if self.pause else [], subject)
        return Asked(known.judge(Case(subject, selection.remedy, self.now)), past[0] if past else None)

    def look(self) -> float | None:
        """Looks once, and does the run that follows from it. When to look again."""
        self.looks += 1
        recent = [one for one in self.tries if (one.ended_at or 0.0) > self.now - DAY]
        found = decide(self.remedies.select({"alertname": "Full"}), TARGETS, self.ask, recent, self.now)
        started = [one for one in found.decisions if one.verdict in ("run", "observe")]
        assert len(started) <= 1
        assert found.due_at is None or found.due_at >= self.now + LOOK_SOONEST
        for decision in started:
            assert decision.selection is not None
            assert self.ask(decision.selection).judgement.first is None
            self._run(decision.selection, dry_run=decision.verdict == "observe")
            return self.now  # its end brings the next look
        return found.due_at

    def _run(self, selection: Selection, *, dry_run: bool) -> None:
        began = self.now
        self.now += self.source.choice([0.0, 0.01, 3.7, 200.0])
        outcome = "planned" if dry_run else self.source.choice(self.outcomes)
        remedy = selection.remedy
        self.tries.insert(0, Try(len(self.tries) + 1, remedy.name, dry_run, outcome, self.now))
        past = PastRun(began, self.now, outcome in ("effective", "planned"))
        self.runs.insert(0, (remedy.task, str(selection.target), past, outcome))


def some_remedies(source: random.Random) -> list[Remedy]:
    return [
        Remedy(
            name=f"r{number}",
            match=['alertname="Full"'],
            task=(task := source.choice(["sweep", "clean"])),
            target=source.choice(TARGETS[task]),
            autonomy=source.choice(["auto", "auto", "observe"]),
            cooldown=source.choice([0.0, 0.1, 12.0, 60.0, 900.0, 2 * HOUR]),
            settle=source.choice([0.0, 1.0, 60.0, 600.0]),
            rate=Rate(per_hour=source.randint(1, 20), per_day=source.randint(1, 100)),
            breaker=Breaker(failures=source.randint(1, 4), reset_after=source.choice([60.0, HOUR, DAY])),
        )
        for number in range(source.randint(1, 4))
    ]


@pytest.mark.parametrize("seed", range(60))
def test_an_alert_is_looked_at_to_the_end_of_the_day_and_never_in_a_loop(seed: int) -> None:
    source = random.Random(seed)
    remedies = Remedies(some_remedies(source))
    day = Day(source, remedies, tuple(source.sample(OUTCOMES, source.randint(1, len(OUTCOMES)))))
    if source.random() < 0.3:
        day.pause = Pause(None, "for a while", START, START + source.choice([0.5, 90.0, 3 * HOUR]))
    while day.now < START + 2 * DAY:
        due = day.look()
        assert due is not None, "nothing would ever bring the next look"
        day.now = max(day.now, due)
        # Every look but those that find a hold just ended leads to a run, or says when the next is worth it.
        assert day.looks <= 50 + 5 * len(day.runs) + 2 * len(remedies.remedies) * 48
    _within_the_rates(day)
    _every_remedy_has_its_turn(day)


def _within_the_rates(day: Day) -> None:
    """In no hour and no day more runs that count than the remedy that started the last of them allows."""
    for task, target in {(task, target) for task, target, _, _ in day.runs}:
        starts = sorted(
            run.started_at for t, o, run, outcome in day.runs if (t, o) == (task, target) and outcome in COUNTED
        )
        mine = [one for one in day.remedies.remedies if (one.task, one.target) == (task, target)]
        for span, most in ((HOUR, max(r.rate.per_hour for r in mine)), (DAY, max(r.rate.per_day for r in mine))):
            for first, last in zip(starts, starts[most:], strict=False):
                assert last - first >= span


def _every_remedy_has_its_turn(day: Day) -> None:
    for remedy in day.remedies.remedies:
        shared = sum((one.task, one.target) == (remedy.task, remedy.target) for one in day.remedies.remedies)
        if shared == 1:
            assert any(one.remedy == remedy.name for one in day.tries), remedy


def test_idle_looks_become_rare() -> None:
    """A day of an alert that its only remedy has nothing to do about."""
    remedy = Remedy(name="r", match=['alertname="Full"'], task="sweep", target="attic", autonomy="auto", cooldown=60.0)
    day = Day(random.Random(1), Remedies([remedy]), ("nothing-to-do",))
    while day.now < START + DAY:
        due = day.look()
        assert due is not None
        day.now = max(day.now, due)
    assert 24 <= len(day.runs) <= 32
