"""Runs may begin at certain times of the week only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

from remediator.config.timezones import known_zone, machine_zone, zone_name
from remediator.config.window import said
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject, time_left
from remediator.guards.wallclock import opens_at
from remediator.model.hold import DAY, Hold


@dataclass(frozen=True)
class MachineZone(Facts):
    """The time zone of the machine, for windows that name none."""

    zone: tzinfo = UTC

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        facts = cls(machine_zone())
        return dict.fromkeys(subjects, facts)


def blocks(facts: MachineZone, case: Case) -> Hold | None:
    windows = case.settings.window
    if not windows:
        return None
    until = opens_at(windows, case.now, facts.zone)
    if until is None:
        return Hold(f"it may run {said(windows)}, which never comes", case.now + DAY)
    if until <= case.now:
        return None
    zone = known_zone(windows[0].timezone) if windows[0].timezone else facts.zone
    opens = f"{datetime.fromtimestamp(until, zone):%a %Y-%m-%d %H:%M} {zone_name(zone)}"
    reason = f"it may run {said(windows)}; that begins {opens}, in {time_left(until, case.now)}"
    return Hold(reason, until)


def says(facts: MachineZone, case: Case) -> str:
    windows = case.settings.window
    return f"it may run {said(windows)}, which is now" if windows else "it may run at any time"


WINDOW = Guard("window", MachineZone, blocks, says)
