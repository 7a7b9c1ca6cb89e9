"""performance-advice, of small real tasks."""

from pathlib import Path

import pytest

from remediator.model.task import NO_PARAMS, Action, Params, Plan, TaskError
from remediator.tasks.performance.advice import PerformanceAdvice, rank
from remediator.tasks.performance.rows import AdviceRow
from tests.remediator.sweep import Sweep


def advice(target: str, *, breached: bool = False, value: int | None = None, actions: int = 1) -> AdviceRow:
    return AdviceRow(task="t", target=target, why="", actions=actions, breached=breached, value=value, command="")


def test_what_is_over_a_limit_comes_first_then_what_frees_most() -> None:
    found = [
        advice("many", actions=9), advice("large", value=9), advice("over", breached=True),
        advice("small", value=1), advice("few"), advice("down").model_copy(update={"critical": True}),
    ]  # fmt: skip
    assert [row.target for row in rank(found)] == ["down", "over", "large", "small", "many", "few"]


async def test_each_task_says_itself_what_it_would_do(tmp_path: Path) -> None:
    attic, cellar = tmp_path / "attic", tmp_path / "cellar"
    attic.mkdir()
    cellar.mkdir()
    (attic / "old").write_text("x")
    task, silent = Sweep(attic), Sweep(tmp_path)
    task.cellar = cellar
    silent.unknown_targets = True
    plan = await PerformanceAdvice([task, silent]).plan("all")
    assert [(row.task, row.target, row.command) for row in plan.rows if isinstance(row, AdviceRow)] == [
        ("sweep", "attic", "upkeeper run sweep attic")
    ]
    assert plan.notes == ["sweep is left out: the directory service does not answer."]
    assert task.applied == []


async def test_only_three_are_rows_and_the_others_are_named(tmp_path: Path) -> None:
    tasks = []
    for name in "abcde":
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text("x")
        tasks.append(Sweep(tmp_path / name))
    plan = await PerformanceAdvice(tasks).plan("all")
    assert len(plan.rows) == 3
    assert plan.notes == ["Worth doing as well: sweep attic, sweep attic."]


async def test_what_is_over_its_limit_with_nothing_to_do_is_told_with_the_reason(tmp_path: Path) -> None:
    class Held(Sweep):
        async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
            return Plan(notes=["The files are too young.", "And more."])

    (tmp_path / "young").write_text("x")
    plan = await PerformanceAdvice([Held(tmp_path)]).plan("all")
    (row,) = (one for one in plan.rows if isinstance(one, AdviceRow))
    assert row.why == "1 files; it has nothing that it may do; The files are too young"
    assert (row.actions, row.breached, row.command) == (0, True, "upkeeper plan sweep attic")
    (tmp_path / "young").unlink()
    assert (await PerformanceAdvice([Held(tmp_path)]).plan("all")).notes == ["There is nothing worth doing now."]


async def test_signs_stand_beside_what_tasks_say(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")

    async def signs() -> tuple[list[AdviceRow], list[str]]:
        return [advice("apt", breached=True)], ["Left out: forecasts: there is no record here."]

    plan = await PerformanceAdvice([Sweep(tmp_path, limit=5)], signs).plan("all")
    assert [row.target for row in plan.rows if isinstance(row, AdviceRow)] == ["apt", "attic"]
    assert plan.notes == ["Left out: forecasts: there is no record here."]
    (tmp_path / "old").unlink()

    async def unseen() -> tuple[list[AdviceRow], list[str]]:
        return [], ["Left out: alerts: there is no record here."]

    plan = await PerformanceAdvice([Sweep(tmp_path)], unseen).plan("all")
    assert plan.notes[0] == "Of what could be looked at nothing is worth doing now."


async def test_where_there_is_nothing_to_do_it_says_so() -> None:
    task = PerformanceAdvice([])
    plan = await task.plan("all")
    assert (list(plan.rows), plan.notes) == ([], ["There is nothing worth doing now."])
    with pytest.raises(TaskError, match="performance-advice has no actions"):
        await task.apply("all", Action(kind="advise", object="all", reason="so"))
