"""The task's decisions. The machine is a stand-in, as the tests' own must not reboot: test_real.py has a real one."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from remediator.config.reboot import Reboot as Settings
from remediator.model.task import Action, TaskError
from remediator.store.slots import Rival
from remediator.tasks.reboot.facts import HOST
from remediator.tasks.reboot.fingerprint import Fingerprint
from remediator.tasks.reboot.look import Look, Seen
from remediator.tasks.reboot.machine import Machine, Waits
from remediator.tasks.reboot.task import PLAN_LASTS, Reboot

ALL = Fingerprint(units=["ssh.service"], ports=["tcp/22"])


class Stand:
    """A machine, what runs on it, and time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 1_800_000_000.0
        self.id = "first"
        self.state = Waits(True, ["libc6"])
        self.looks: list[Fingerprint] = [ALL]
        self.has_systemd = self.is_root = self.enabled = True
        self.unit = "upkeeper-remediator.service"
        self.told = 0
        self.others: list[Sequence[Rival]] = [[]]
        self.half: Sequence[str] = []

    def boot(self) -> str:
        return self.id

    def uptime(self) -> float:
        return 3600.0

    def path(self, absolute: str) -> Path:
        return self.root / absolute.removeprefix("/")

    def own_unit(self) -> str:
        return self.unit

    async def starts(self, unit: str) -> bool:
        return self.enabled

    async def waits(self) -> Waits:
        return self.state

    async def reboot(self, why: str) -> None:
        self.told += 1

    async def look(self) -> Seen:
        return Seen(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0], ["Container n8n stays stopped."])

    async def working(self) -> Sequence[Rival]:
        return self.others.pop(0) if len(self.others) > 1 else self.others[0]

    async def broken(self) -> Sequence[str]:
        return self.half

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def task(self) -> Reboot:
        looking = Look.__new__(Look)
        looking.now = self.look  # type: ignore[method-assign]
        return Reboot(
            Settings(free_within=60, down_within=60, back_within=60),
            cast(Machine, self),
            looking,
            self.working,
            self.broken,
            self.root / "reboot.json",
            clock=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


async def planned(stand: Stand, **params: bool) -> Action:
    (action,) = (await stand.task().plan(HOST, params)).actions
    return action


async def test_a_plan_asks_and_says_what_must_be_there_again(stand: Stand) -> None:
    plan = await stand.task().plan(HOST)

    assert plan.asks
    assert [(one.kind, one.reason) for one in plan.actions] == [("reboot", "updates wait for a reboot: libc6")]
    assert "What must be there again: 1 unit, 1 listening port." in plan.notes
    assert "Container n8n stays stopped." in plan.notes


async def test_two_plans_of_the_same_start_are_the_same_to_who_approves(stand: Stand) -> None:
    first = await planned(stand)
    stand.now += 100
    stand.looks = [Fingerprint(units=["ssh.service", "cron.service"])]

    assert (await planned(stand)).identity == first.identity
    stand.id = "second"
    assert (await planned(stand)).identity != first.identity


async def test_nothing_is_planned_where_nothing_waits_unless_it_is_asked_for(stand: Stand) -> None:
    stand.state = Waits(False)

    assert not (await stand.task().plan(HOST)).actions
    assert (await planned(stand, anyway=True)).reason == "asked for; nothing waits for a reboot"


async def test_nothing_is_planned_that_would_change_nothing(stand: Stand) -> None:
    stand.state = Waits(True, in_vain=True)

    plan = await stand.task().plan(HOST)

    assert not plan.actions
    assert "boot loader" in plan.notes[0]


async def test_nothing_is_planned_while_packages_are_half_installed(stand: Stand) -> None:
    stand.half = ["linux-image-amd64 is half-configured"]

    plan = await stand.task().plan(HOST, {"anyway": True})

    assert not plan.actions
    assert "half-configured" in plan.notes[0]


async def test_no_machine_without_systemd_is_rebooted(stand: Stand) -> None:
    stand.has_systemd = False

    with pytest.raises(TaskError, match="by hand"):
        await stand.task().plan(HOST)


@pytest.mark.parametrize(
    ("unit", "enabled", "says"), [("", True, "does not start"), ("a.service", False, "not enabled")]
)
async def test_who_does_not_come_back_says_so(stand: Stand, unit: str, enabled: bool, says: str) -> None:
    stand.unit, stand.enabled = unit, enabled

    assert any(says in note for note in (await stand.task().plan(HOST)).notes)


async def test_a_machine_that_was_started_since_is_not_rebooted_but_waited_for(stand: Stand) -> None:
    action = await planned(stand)
    stand.id = "second"
    stand.now += 10_000
    stand.looks = [Fingerprint(), Fingerprint(units=["ssh.service"]), ALL]

    effect = await stand.task().apply(HOST, action)

    assert stand.told == 0
    assert effect.state == "done"
    assert "1 unit, 1 listening port" in effect.detail


async def test_what_does_not_come_back_fails_the_run(stand: Stand) -> None:
    action = await planned(stand)
    stand.id = "second"
    stand.looks = [Fingerprint(units=["ssh.service"])]

    with pytest.raises(TaskError, match="the machine was rebooted, but nothing listens at tcp/22"):
        await stand.task().apply(HOST, action)


async def test_a_machine_that_does_not_stop_is_told_once_and_it_is_said(stand: Stand) -> None:
    action = await planned(stand)

    with pytest.raises(TaskError, match="has not stopped within"):
        await stand.task().apply(HOST, action)
    assert stand.told == 1


async def test_it_is_never_told_twice_for_one_plan(stand: Stand) -> None:
    """However it may look as if it had not been started since: else it would be rebooted for ever."""
    action = await planned(stand)
    with pytest.raises(TaskError, match="has not stopped"):
        await stand.task().apply(HOST, action)
    stand.now -= 60

    with pytest.raises(TaskError, match="told to reboot before"):
        await stand.task().apply(HOST, action)
    assert stand.told == 1
    stand.now += 1
    with pytest.raises(TaskError, match="has not stopped"):
        await stand.task().apply(HOST, await planned(stand))
    assert stand.told == 2


async def test_what_was_told_last_must_be_known(stand: Stand) -> None:
    action = await planned(stand)
    (stand.root / "reboot.json").write_text("{}")

    with pytest.raises(TaskError, match="cannot be read"):
        await stand.task().apply(HOST, action)
    assert stand.told == 0


@pytest.mark.parametrize("late", [PLAN_LASTS, -1.0])
async def test_an_interrupted_run_does_not_reboot_at_another_hour(stand: Stand, late: float) -> None:
    action = await planned(stand)
    stand.now += late

    effect = await stand.task().apply(HOST, action)

    assert (effect.state, stand.told) == ("skipped", 0)


async def test_other_runs_are_waited_for_and_never_cut_off(stand: Stand) -> None:
    action = await planned(stand)
    other = Rival(7, "backup", "pa", acting=False)
    stand.others = [[other], [other], []]

    with pytest.raises(TaskError, match="has not stopped"):
        await stand.task().apply(HOST, action)
    assert stand.told == 1

    stand.others = [[other]]
    stand.now += 1
    action = await planned(stand)
    with pytest.raises(TaskError, match=r"run 7 \(backup on pa\) still acts"):
        await stand.task().apply(HOST, action)
    assert stand.told == 1


async def test_only_root_reboots(stand: Stand) -> None:
    action = await planned(stand)
    stand.is_root = False

    with pytest.raises(TaskError, match="only root"):
        await stand.task().apply(HOST, action)
    assert stand.told == 0


async def test_an_action_of_another_form_reboots_nothing(stand: Stand) -> None:
    action = await planned(stand)

    with pytest.raises(TaskError, match="cannot be read"):
        await stand.task().apply(HOST, action.model_copy(update={"params": {"boot": "first", "at": stand.now}}))
    assert stand.told == 0
