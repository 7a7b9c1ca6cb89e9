"""Runs outside of their window."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from remediator.config.guards import GuardSettings
from remediator.config.window import Window, said
from remediator.guards.guard import Sources
from remediator.guards.window import MachineZone, blocks
from tests.remediator.guards.cases import NOW, SUBJECT, case

NIGHTS = Window.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "20:00", "to": "06:00", "timezone": "Europe/Berlin"}
)
NOON = datetime(2026, 11, 27, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


def test_it_says_when_it_opens() -> None:
    asked = case(GuardSettings(window=[NIGHTS]), NOON)
    hold = blocks(MachineZone(), asked)
    assert hold is not None
    assert hold.until == NOON + 8 * 3600
    assert hold.reason == (
        "it may run mon-fri 20:00-06:00 Europe/Berlin; that begins Fri 2026-11-27 20:00 Europe/Berlin, in 8h"
    )
    assert blocks(MachineZone(), replace(asked, now=hold.until)) is None


def test_without_a_window_it_is_always_open() -> None:
    assert blocks(MachineZone(), case()) is None


async def test_the_zone_is_the_machines() -> None:
    gathered = await MachineZone.gather([SUBJECT], Sources(database=None), NOW)  # type: ignore[arg-type]
    here = datetime.fromtimestamp(NOON).astimezone().utcoffset()
    assert datetime.fromtimestamp(NOON, gathered[SUBJECT].zone).utcoffset() == here
    assert MachineZone().zone is UTC


def test_how_windows_are_said() -> None:
    def days(*names: str) -> Window:
        return Window.model_validate({"days": names, "from": "1:00", "to": "2:00"})

    assert said([Window()]) == "every day 00:00-24:00"
    assert said([days("sun", "sat"), days("tue")]) == "sat, sun 01:00-02:00 or tue 01:00-02:00"
    assert said([days("mon", "wed", "fri")]) == "mon, wed, fri 01:00-02:00"
