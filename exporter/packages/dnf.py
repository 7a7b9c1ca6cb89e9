"""dnf 4 and dnf 5, on Fedora, RHEL and their kin. Asked from the system's cache, so nothing is fetched.

Commands and exit statuses: https://dnf.readthedocs.io/en/latest/command_ref.html,
https://dnf5.readthedocs.io/en/latest/commands/check-upgrade.8.html
"""

import shutil
from collections.abc import Hashable
from pathlib import Path

from exporter.base.programs import CommandFailed, run
from exporter.packages.manager import Update, Updates, newest_change

_NOTHING, _UPDATES = 0, 100


def parse_check_update(text: str) -> list[Update]:
    """Output of ``dnf --quiet check-update``: package with architecture, version, repository. Pure.

    dnf 4 breaks the line after a long name. Packages that obsolete others come under a heading, once more.
    """
    updates: list[Update] = []
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("Obsoleting"):
            break
        words = [*words, *line.split()] if line.startswith(" ") else line.split()
        if len(words) == 3 and "." in words[0]:
            updates.append(Update(name=words[0], candidate=words[1]))
    return updates


def parse_needs_restarting(text: str) -> bool | None:
    """Output of ``dnf needs-restarting --reboothint``; None when it says neither. Pure.

    Its exit status alone does not tell: it is 1 when a reboot is needed, and when the plugin is not installed.
    """
    if "Reboot is required" in text:
        return True
    return False if "Reboot should not be necessary" in text else None


class Dnf:
    """dnf of this host.

    program: ``dnf5`` or ``dnf``. root: of the file system, for tests.
    """

    name = "dnf"

    def __init__(self, program: str, root: Path = Path("/")) -> None:
        self._program = program
        self._root = root

    @classmethod
    def found(cls, root: Path) -> "Dnf | None":
        """dnf, where it is what manages the packages."""
        if not (root / "var/lib/rpm").exists() and not (root / "usr/lib/sysimage/rpm").exists():
            return None
        return next((cls(program, root) for program in ("dnf5", "dnf") if shutil.which(program)), None)

    async def updates(self) -> Updates:
        pending = await self._check()
        # Asked apart, since both versions list by advisory in forms of their own, but check in the same one.
        fixes = {update.name for update in await self._check("--security")} if pending else set()
        return Updates(
            pending=[Update(each.name, each.candidate, security=each.name in fixes) for each in pending],
            reboot_required=await self._reboot_required(),
        )

    async def _check(self, *arguments: str) -> list[Update]:
        done = await run([self._program, "--quiet", "--cacheonly", "check-update", *arguments])
        if done.status not in (_NOTHING, _UPDATES):
            raise CommandFailed(f"{self._program} check-update: {done.complaint}")
        return parse_check_update(done.output) if done.status == _UPDATES else []

    async def _reboot_required(self) -> bool | None:
        done = await run([self._program, "--quiet", "--cacheonly", "needs-restarting", "--reboothint"])
        return parse_needs_restarting(done.output)

    def stamp(self) -> Hashable:
        databases = [self._root / path for path in ("var/lib/rpm", "usr/lib/sysimage/rpm")]
        changed = newest_change([*databases, *(database / "rpmdb.sqlite-wal" for database in databases)])
        return changed, self.lists_refreshed()

    def lists_refreshed(self) -> float | None:
        cache = self._root / "var/cache"
        lists = [*cache.glob("dnf/*/repodata/repomd.xml"), *cache.glob("libdnf5/*/repodata/repomd.xml")]
        return newest_change([cache / "dnf/last_makecache", *lists])
