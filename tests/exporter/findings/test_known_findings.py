"""What is new, and what is a standing list."""

from exporter.findings.audit import CheckResult, Report
from exporter.findings.finding import Finding, Place
from exporter.findings.known_findings import KEPT_SECONDS, NEW_SECONDS, KnownFindings

PROJECT = "/srv/pa/compose.yaml"
HOUR = 3600.0


def report(*subjects: str, success: bool = True, projects: tuple[str, ...] = (PROJECT,)) -> Report:
    findings = [
        Finding("limits", "warning", one, Place(PROJECT, 3), f"{one} has no limit", "set it", project=PROJECT)
        for one in subjects
    ]
    return Report([CheckResult("limits", findings, problems=[] if success else ["x cannot be read"])], projects)


def new(memory: KnownFindings, now: float) -> int:
    return len(list(memory.new(now)))


def test_what_is_there_at_first_is_not_new() -> None:
    memory = KnownFindings()
    came, gone = memory.learn(report("a", "b"), 0)
    assert ([one.subject for one in came], gone, new(memory, 0)) == (["a", "b"], [], 0)


def test_what_comes_later_is_new_for_a_day_or_until_it_is_mended() -> None:
    memory = KnownFindings()
    memory.learn(report("a"), 0)
    came, _ = memory.learn(report("a", "b"), HOUR)
    assert ([one.subject for one in came], list(memory.new(HOUR))) == (["b"], [("limits", "warning")])
    memory.learn(report("a", "b"), HOUR + NEW_SECONDS - 1)
    assert new(memory, HOUR + NEW_SECONDS - 1) == 1
    assert new(memory, HOUR + NEW_SECONDS + 1) == 0
    memory.learn(report("a", "b", "c"), 3 * NEW_SECONDS)
    assert new(memory, 3 * NEW_SECONDS) == 1
    _, gone = memory.learn(report("a", "b"), 3 * NEW_SECONDS + 1)
    assert (len(gone), new(memory, 3 * NEW_SECONDS + 1)) == (1, 0)


def test_one_for_another_is_new() -> None:
    memory = KnownFindings()
    memory.learn(report("a"), 0)
    memory.learn(report("b"), HOUR)
    assert new(memory, HOUR) == 1


def test_a_project_that_appears_brings_its_standing_list() -> None:
    memory = KnownFindings()
    memory.learn(report(projects=()), 0)
    memory.learn(report("a", "b"), HOUR)
    assert new(memory, HOUR) == 0
    memory.learn(report("a", "b", "c"), 2 * HOUR)
    assert new(memory, 2 * HOUR) == 1


def test_a_stack_that_was_down_brings_nothing_new() -> None:
    memory = KnownFindings()
    memory.learn(report("a"), 0)
    memory.learn(report("a", "b"), HOUR)
    memory.learn(report(projects=()), 2 * HOUR)
    assert new(memory, 2 * HOUR) == 0
    memory.learn(report("a", "b"), 30 * HOUR)
    assert new(memory, 30 * HOUR) == 0, "it is known since 29 hours"


def test_what_a_check_could_not_see_is_neither_gone_nor_new_afterwards() -> None:
    memory = KnownFindings()
    memory.learn(report("a", "b"), 0)
    _, gone = memory.learn(report("a", success=False), HOUR)
    came, _ = memory.learn(report("a", "b"), 2 * HOUR)
    assert (gone, came, new(memory, 2 * HOUR)) == ([], [], 0)


def test_a_first_look_that_was_not_whole_makes_nothing_new() -> None:
    memory = KnownFindings()
    memory.learn(report("a", success=False), 0)
    memory.learn(report("a", "b"), HOUR)
    assert new(memory, HOUR) == 0


def test_it_forgets() -> None:
    memory = KnownFindings()
    memory.learn(report(*(f"s{at}" for at in range(100))), 0)
    memory.learn(report(), HOUR)
    memory.learn(report(), 2 * HOUR + KEPT_SECONDS)
    memory.learn(report("s1"), 3 * HOUR + KEPT_SECONDS)
    assert new(memory, 3 * HOUR + KEPT_SECONDS) == 1
