"""What is done about an alert at a moment, and when it is looked at again. All it is judged by is passed in."""

from collections.abc import Mapping, Sequence

import pytest

from remediator.config.guards import Rate
from remediator.config.remedies import Remedy
from remediator.decide.decide import OBSERVE_AGAIN, UNTOUCHED, Asked, decide
from remediator.decide.remedies import Remedies
from remediator.guards.guard import Case, Subject
from remediator.guards.history import History
from remediator.guards.judge import UNKNOWN_FOR, Gathered
from remediator.guards.paused import Pauses
from remediator.model.decision import Decision, Look, Selection, Try
from remediator.model.hold import PastRun, Pause
from remediator.model.task import TaskError
from tests.remediator.guards.cases import RECORDED, gathered

NOW = 1_800_000_000.0
COOLDOWN = 12.0
SETTLE = 60.0
TARGETS = {"sweep": ["attic", "cellar", "hall"], "clean": ["docker"]}
LABELS = {"alertname": "Full", "mountpoint": "/var/log"}


def remedy(name: str, target: str = "attic", **changes: object) -> Remedy:
    task = "clean" if target == "docker" else "sweep"
    settings = {"match": ['alertname="Full"'], "task": task, "target": target, "autonomy": "auto"}
    return Remedy.model_validate({**settings, "cooldown": COOLDOWN, "settle": SETTLE, **changes, "name": name})


def ran(name: str, outcome: str | None, ago: float = 0.0, *, dry_run: bool = False, run_id: int = 7) -> Try:
    return Try(run_id, name, dry_run, outcome, None if outcome is None else NOW - ago)


class Known:
    """What the guards know of a target."""

    def __init__(
        self, past: Sequence[PastRun] = (), in_flight: int | None = None, pauses: Sequence[Pause] = ()
    ) -> None:
        self.history = History(in_flight, past)
        self.pauses = pauses

    def ask(self, selection: Selection, now: float) -> Asked:
        assert selection.target is not None
        subject = Subject("here", selection.remedy.task, selection.target)
        judgement = gathered(self.history, self.pauses, subject).judge(Case(subject, selection.remedy, now))
        return Asked(judgement, self.history.past[0] if self.history.past else None)


NOTHING = Known()


def look(
    remedies: Sequence[Remedy],
    *tried: Try,
    known: Mapping[str, Known] | None = None,
    targets: Mapping[str, Sequence[str] | TaskError] = TARGETS,
    labels: Mapping[str, str] = LABELS,
    now: float = NOW,
) -> Look:
    """The look at NOW. known: by target; nothing speaks against a run where there is none."""

    def ask(selection: Selection) -> Asked:
        assert selection.target is not None
        return (known or {}).get(selection.target, NOTHING).ask(selection, now)

    return decide(Remedies(remedies).select(labels), targets, ask, tried, now)


def told(found: Look) -> list[tuple[str, str | None]]:
    return [(one.verdict, one.selection.remedy.name if one.selection else None) for one in found.decisions]


THREE = [remedy("logs", "attic"), remedy("more-logs", "cellar"), remedy("docker", "docker")]


def test_the_first_of_several_remedies_has_the_first_turn() -> None:
    found = look(THREE)
    assert (told(found), found.due_at) == ([("run", "logs")], None)


@pytest.mark.parametrize("outcome", ["effective", "ineffective", "failed", "expired", "inconclusive"])
def test_the_next_has_its_turn_when_the_alert_had_its_time_to_end(outcome: str) -> None:
    found = look(THREE, ran("logs", outcome, SETTLE - 1))
    assert (told(found), found.due_at) == ([], NOW + 1)
    found = look(THREE, ran("logs", outcome, SETTLE))
    assert told(found) == [("run", "more-logs")]
    assert found.decisions[0].reason.endswith(f"the alert still fires 1m after logs's run 7 ({outcome})")


@pytest.mark.parametrize("outcome", sorted(UNTOUCHED - {"planned"}))
def test_after_a_run_that_changed_nothing_the_next_has_its_turn_at_once(outcome: str) -> None:
    assert told(look(THREE, ran("logs", outcome))) == [("run", "more-logs")]


def test_a_run_under_way_for_the_alert_is_waited_for() -> None:
    assert look(THREE, ran("logs", None)) == Look()


def test_when_all_had_their_turn_the_one_whose_try_is_longest_ago_is_next() -> None:
    tried = [ran("docker", "ineffective", 100), ran("more-logs", "effective", 300), ran("logs", "effective", 200)]
    assert told(look(THREE, *tried)) == [("run", "more-logs")]


def test_each_remedy_has_guards_of_its_own() -> None:
    open_breaker = Known(past=[PastRun(NOW - 100, NOW - 100, helped=False)] * 3)
    found = look(THREE, known={"attic": open_breaker})
    assert told(found) == [("blocked", "logs"), ("run", "more-logs")]
    assert found.due_at == NOW - 100 + 86400


def test_a_run_of_another_alert_on_the_same_target_is_waited_for() -> None:
    found = look(THREE, known={"attic": Known(in_flight=4)})
    assert (told(found), found.due_at) == ([("blocked", "logs")], None)


def test_a_run_of_another_alert_that_helped_has_its_time_to_end_this_one_too() -> None:
    helped = Known(past=[PastRun(NOW - 5, NOW - 5, helped=True)])
    found = look(THREE, known={"attic": helped})
    assert (told(found), found.due_at) == ([("blocked", "logs")], NOW + COOLDOWN - 5)
    useless = Known(past=[PastRun(NOW - 5, NOW - 5, helped=False)])
    assert told(look(THREE, known={"attic": useless})) == [("blocked", "logs"), ("run", "more-logs")]


def test_each_remedy_is_judged_by_its_own_settings_where_two_run_the_same() -> None:
    """Whichever stands first in the config."""
    ran_lately = {"attic": Known(past=[PastRun(NOW - 20, NOW - 20, helped=False)])}
    patient, hasty = remedy("patient", cooldown=900), remedy("hasty", cooldown=5)
    assert told(look([patient, hasty], known=ran_lately)) == [("blocked", "patient"), ("run", "hasty")]
    assert told(look([hasty, patient], known=ran_lately)) == [("run", "hasty")]


def test_what_is_unknown_is_asked_for_again_soon() -> None:
    """Whether a run is under way too: no event may bring the next look."""

    def ask(selection: Selection) -> Asked:
        subject = Subject("here", selection.remedy.task, selection.target or "")
        known = Gathered({Pauses: {subject: Pauses()}, History: ConnectionError()}, RECORDED)
        return Asked(known.judge(Case(subject, selection.remedy, NOW)))

    found = decide(Remedies([remedy("logs")]).select(LABELS), TARGETS, ask, (), NOW)
    assert (told(found), found.decisions[0].guard) == ([("blocked", "logs")], "in-flight")
    assert found.due_at == NOW + UNKNOWN_FOR


@pytest.mark.parametrize("outcome", ["ineffective", "failed"])
def test_a_single_remedy_that_left_the_breach_standing_is_tried_again_after_its_cooldown(outcome: str) -> None:
    alone = [remedy("logs")]
    found = look(alone, ran("logs", outcome, COOLDOWN - 3))
    assert (told(found), found.due_at) == ([], NOW + 3)
    assert told(look(alone, ran("logs", outcome, COOLDOWN))) == [("run", "logs")]


def test_a_single_remedy_that_helped_waits_for_the_end_of_the_alert() -> None:
    alone = [remedy("logs")]
    found = look(alone, ran("logs", "effective", COOLDOWN))
    assert (told(found), found.due_at) == ([], NOW + SETTLE - COOLDOWN)
    assert told(look(alone, ran("logs", "effective", SETTLE))) == [("run", "logs")]


@pytest.mark.parametrize(("times", "wait"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (500, 3600)])
def test_where_there_is_nothing_to_do_it_looks_less_and_less_often(times: int, wait: float) -> None:
    idle = [ran("logs", "nothing-to-do", 1 + number) for number in range(times)]
    found = look([remedy("logs")], *idle, ran("logs", "effective", 9000))
    assert (told(found), found.due_at) == ([], NOW - 1 + wait)


def test_no_cooldown_makes_no_busy_loop() -> None:
    """The rate counts runs that did something; those that had nothing to do are counted by no guard."""
    hasty = [remedy("logs", cooldown=0, settle=0)]
    assert told(look(hasty, ran("logs", "failed"))) == [("run", "logs")]
    found = look(hasty, ran("logs", "nothing-to-do"))
    assert (told(found), found.due_at) == ([], NOW + 10)


@pytest.mark.parametrize(
    ("known", "due_at"),
    [
        pytest.param(Known(past=[PastRun(NOW - 4, NOW - 4, helped=False)]), NOW + COOLDOWN - 4, id="cooldown"),
        pytest.param(Known(past=[PastRun(NOW - n, NOW - n, helped=True) for n in (70, 80, 90, 100)]),
                     NOW + 3600 - 100, id="four an hour"),
        pytest.param(Known(pauses=[Pause(None, "x", 0.0, NOW + 33)]), NOW + 33, id="pause with an end"),
        pytest.param(Known(pauses=[Pause(None, "x", 0.0, None)]), None, id="pause until somebody resumes"),
        pytest.param(Known(in_flight=1), None, id="a run under way"),
        pytest.param(Known(pauses=[Pause(None, "x", 0.0, NOW + 33)], in_flight=1), NOW + 33, id="a pause first"),
        pytest.param(Known(pauses=[Pause(None, "x", 0.0, NOW + 0.001)]), NOW + 1, id="over in a moment"),
        pytest.param(Known(pauses=[Pause(None, "x", 0.0, NOW + 5)],
                           past=[PastRun(NOW - 4, NOW - 4, helped=False)]), NOW + COOLDOWN - 4, id="the later of two"),
    ],
)  # fmt: skip
def test_what_blocks_is_looked_at_again_when_it_ends(known: Known, due_at: float | None) -> None:
    found = look([remedy("logs")], known={"attic": known})
    assert (told(found), found.due_at) == ([("blocked", "logs")], due_at)


def test_a_rate_has_room_again_at_the_moment_that_it_names() -> None:
    """The guard must agree with itself to the last bit, or an alert is looked at over and over."""
    for start in (0.1, 0.3, 1 / 3, 1e-7, 123.456789):
        past = [PastRun(NOW - start - n, NOW - start - n, helped=True) for n in range(100, 104)]
        due_at = look([remedy("logs")], known={"attic": Known(past=past)}).due_at
        assert due_at is not None
        assert told(look([remedy("logs")], known={"attic": Known(past=past)}, now=due_at)) == [("run", "logs")]


def test_targets_that_cannot_be_told_are_asked_for_again_and_cost_no_other_remedy() -> None:
    found = look(THREE, targets={**TARGETS, "sweep": TaskError("no answer")})
    assert told(found) == [("blocked", "logs"), ("blocked", "more-logs"), ("run", "docker")]
    assert found.due_at == NOW + UNKNOWN_FOR


# --- observing


OBSERVER = remedy("logs", autonomy="observe")


def test_an_observing_remedy_plans_once_and_not_again_for_a_day() -> None:
    assert told(look([OBSERVER])) == [("observe", "logs")]
    found = look([OBSERVER], ran("logs", "planned", 100, dry_run=True))
    assert (told(found), found.due_at) == ([], NOW - 100 + OBSERVE_AGAIN)
    found = look([OBSERVER], ran("logs", "planned", OBSERVE_AGAIN, dry_run=True))
    assert told(found) == [("observe", "logs")]


def test_a_remedy_switched_to_auto_acts_in_the_episode_that_is_under_way() -> None:
    assert told(look([remedy("logs")], ran("logs", "planned", 1, dry_run=True))) == [("run", "logs")]


def test_a_remedy_switched_to_observe_plans_in_the_episode_that_is_under_way() -> None:
    assert told(look([OBSERVER], ran("logs", "effective", SETTLE))) == [("observe", "logs")]


def test_an_observing_remedy_keeps_no_other_from_its_turn() -> None:
    found = look([OBSERVER, remedy("docker", "docker")], ran("logs", "planned", dry_run=True))
    assert told(found) == [("run", "docker")]


def test_plans_of_another_alert_keep_no_other_remedy_from_its_turn() -> None:
    planned = Known(past=[PastRun(NOW - 5, NOW - 5, helped=True)])
    found = look([OBSERVER, remedy("docker", "docker")], known={"attic": planned})
    assert told(found) == [("blocked", "logs"), ("run", "docker")]


def test_plans_of_an_observing_remedy_count_for_its_rate() -> None:
    rare = remedy("logs", autonomy="observe", cooldown=0, rate=Rate(per_hour=2, per_day=2))
    planned = Known(past=[PastRun(NOW - n, NOW - n, helped=True) for n in (100, 200)])
    found = look([rare], known={"attic": planned})
    assert (told(found), found.decisions[0].guard) == ([("blocked", "logs")], "rate")


# --- targets


MAPPED = remedy(
    "mapped",
    target=None,
    task="sweep",
    target_label="mountpoint",
    targets={"/var": "attic", "/var/l.g": "hall", "/srv(/.*)?": "cellar", "/opt": "gone"},
)


@pytest.mark.parametrize(
    ("mountpoint", "target"),
    [("/var", "attic"), ("/var/log", "hall"), ("/srv", "cellar"), ("/srv/a", "cellar"), ("/opt", None)]
    + [(odd, None) for odd in ("", "/", "/var/", " /var", "/srvx", "/VAR", "x/var", "/var\n", "attic")],
)
def test_a_label_selects_a_target_through_the_map(mountpoint: str, target: str | None) -> None:
    (decision,) = look([MAPPED], labels={"alertname": "Full", "mountpoint": mountpoint}).decisions
    if target is None:
        assert decision.verdict == "no-target"
    else:
        assert decision.verdict == "run"
        assert decision.selection is not None
        assert decision.selection.target == target


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"mountpoint": "/home"}, "the alert's label mountpoint matches none of the remedy's `targets:`"),
        ({}, "the alert has no label mountpoint"),
        ({"mountpoint": "/opt"}, "the remedy names no configured target of sweep"),
    ],
)
def test_why_the_map_selects_no_target(labels: dict[str, str], reason: str) -> None:
    (decision,) = look([MAPPED], labels={"alertname": "Full", **labels}).decisions
    assert decision.reason == reason


def test_a_missing_label_selects_nothing_even_where_every_value_would() -> None:
    every = remedy("every", target=None, task="sweep", target_label="device", targets={".*": "attic"})
    assert told(look([every])) == [("no-target", "every")]
    assert told(look([every], labels={**LABELS, "device": ""})) == [("run", "every")]


def test_a_remedy_without_a_target_keeps_no_other_from_its_turn() -> None:
    found = look([MAPPED, remedy("docker", "docker")], labels={"alertname": "Full", "mountpoint": "/home"})
    assert told(found) == [("no-target", "mapped"), ("run", "docker")]


def test_no_remedy_matches() -> None:
    assert look(THREE, labels={"alertname": "Other"}).decisions == [Decision("unmatched", "no remedy matches")]
