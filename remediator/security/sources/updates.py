"""Security updates of the host that wait, as the exporter counts them."""

import asyncio
from collections.abc import Iterator, Sequence

from exporter.base.programs import CommandFailed
from exporter.base.text import counted
from exporter.packages.manager import PackageManager, Updates
from exporter.packages.registry import found as managers_here
from remediator.security.finding import Found, Risk

SECONDS = 60.0
SHOWN = 8


async def look(managers: Sequence[PackageManager] | None = None) -> Found:
    managers = await asyncio.to_thread(managers_here) if managers is None else managers
    if not managers:
        return Found(unknown=["there is no package manager that tells which updates wait"])
    answers = await asyncio.gather(*map(_ask, managers))
    return Found(
        [risk for one in answers for risk in one.risks],
        [text for one in answers for text in one.unknown],
        [text for one in answers for text in one.looked],
    )


async def _ask(manager: PackageManager) -> Found:
    try:
        async with asyncio.timeout(SECONDS):
            updates = await manager.updates()
    except (CommandFailed, OSError, TimeoutError) as error:
        return Found(unknown=[f"security updates of {manager.name} are not known: {error or 'no answer in time'}"])
    if updates.security is None:
        return Found(unknown=[f"{manager.name} does not tell which updates are about security"])
    return Found(list(judge(manager.name, updates)), looked=[f"updates ({manager.name})"])


def judge(manager: str, updates: Updates) -> Iterator[Risk]:
    """Pure."""
    waiting = updates.security or ()
    if waiting:
        names = ", ".join(update.name for update in waiting[:SHOWN])
        more = f" and {len(waiting) - SHOWN} more" if len(waiting) > SHOWN else ""
        yield Risk(
            f"updates:{manager}",
            "warning",
            "updates",
            f"{counted(len(waiting), 'security update')} wait: {names}{more}",
            "install them: upkeeper run security-update",
        )
    if updates.reboot_required:
        yield Risk(
            f"reboot:{manager}", "info", "updates", "the host runs a kernel or library older than the installed one",
            "reboot it when that suits",
        )  # fmt: skip
