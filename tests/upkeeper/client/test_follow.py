"""Following a run: progress worth a line, a remediator that is away for a moment, exit statuses."""

from collections.abc import Sequence
from typing import Any

import pytest

from remediator.model.errors import EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.model.shapes.runs import RunView
from tests.upkeeper.shapes import action, run
from upkeeper.client import follow as following
from upkeeper.client.follow import Progress, exit_code, follow

AWAY = ClientError("cannot reach the remediator", EXIT_UNREACHABLE)
RUNNING = run(state="applying", outcome=None)


class Scripted:
    """Answers ``run`` with what the script says next; a clock that moves a second with each."""

    def __init__(self, script: Sequence[RunView | ClientError]) -> None:
        self.script = list(script)
        self.now = 0.0

    async def run(self, run_id: int) -> RunView:
        self.now += 1
        answer = self.script.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "INTERVAL", 0)


async def followed(client: Scripted) -> list[str]:
    return [seen["state"] async for seen in follow(client, RUNNING, clock=lambda: client.now)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"done": 1288490189, "total": 3650722202, "unit": "bytes", "doing": ""}, "1.2 GiB of 3.4 GiB"),
        ({"done": 1024, "total": None, "unit": "bytes", "doing": ""}, "1 KiB"),
        ({"done": 1200, "total": 100000, "unit": "files", "doing": ""}, "1,200 of 100,000 files"),
        ({"done": 40, "total": 100, "unit": "percent", "doing": "scanning heap"}, "scanning heap: 40 %"),
    ],
)
def test_how_far_an_action_is_in_words(told: Any, words: str) -> None:
    going = run(
        state="applying", outcome=None, actions=[action(kind="rotate"), action(1, kind="delete", object="x.log")]
    )
    going["progress"] = {"position": 1, **told}
    assert Progress.of(going).within == f"delete x.log: {words}"


async def test_it_ends_with_the_run() -> None:
    assert await followed(Scripted([RUNNING, run(state="verifying"), run()])) == [
        "applying", "applying", "verifying", "finished",
    ]  # fmt: skip


async def test_a_remediator_that_is_restarted_is_waited_for() -> None:
    assert await followed(Scripted([*[AWAY] * 30, RUNNING, *[AWAY] * 30, run()])) == [
        "applying",
        "applying",
        "finished",
    ]


async def test_one_that_stays_away_is_not() -> None:
    client = Scripted([AWAY] * 40)
    with pytest.raises(ClientError, match="cannot reach"):
        await followed(client)
    assert client.now == pytest.approx(following.PATIENCE, abs=1.5)


async def test_another_error_ends_it_at_once() -> None:
    with pytest.raises(ClientError, match="there is no run"):
        await followed(Scripted([ClientError("there is no run 1", EXIT_USAGE)]))


def progress(state: str, ended: int, total: int) -> Progress:
    actions = [action(n, "done" if n < ended else "planned") for n in range(total)]
    return Progress.of(run(state=state, actions=actions))


def test_progress_counts_what_has_ended() -> None:
    actions = [action(0, "done"), action(1, "skipped"), action(2, "failed"), action(3, "running"), action(4, "planned")]
    assert Progress.of(run(state="applying", actions=actions)) == Progress("applying", 3, 5, 900)


@pytest.mark.parametrize(
    ("last", "now", "told"),
    [
        (None, ("queued", 0, 0), True),
        (("queued", 0, 0), ("queued", 0, 0), False),
        (("queued", 0, 0), ("measuring", 0, 0), True),
        (("applying", 0, 0), ("applying", 0, 1000), True),
        (("applying", 0, 1000), ("applying", 99, 1000), False),
        (("applying", 0, 1000), ("applying", 100, 1000), True),
        (("applying", 1, 3), ("applying", 2, 3), True),
        (("applying", 3, 3), ("verifying", 3, 3), True),
    ],
)
def test_a_line_for_each_step_and_not_for_each_action(
    last: tuple[str, int, int] | None, now: tuple[str, int, int], told: bool
) -> None:
    assert progress(*now).worth_a_line(progress(*last) if last else None) is told


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("effective", 0), ("nothing-to-do", 0), ("planned", 0), ("ineffective", 1), ("failed", 1), ("cancelled", 1),
        ("blocked", 3), ("denied", 3), ("expired", 3), ("something new", 1), (None, 1),
    ],
)  # fmt: skip
def test_exit_status_of_an_outcome(outcome: str | None, code: int) -> None:
    assert exit_code(run(outcome=outcome)) == code


def test_exit_status_of_what_waits_for_a_person() -> None:
    assert exit_code(run(state="waiting", outcome=None)) == 3
