"""Homebrew, on macOS and Linux. Its commands: https://docs.brew.sh/Manpage

It does not know which updates are for security.
"""

import json
import os
import shutil
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.base.programs import CommandFailed, run
from exporter.packages.manager import Update, Updates, newest_change

_ENVIRONMENT = {"HOMEBREW_NO_AUTO_UPDATE": "1", "HOMEBREW_NO_ANALYTICS": "1", "HOMEBREW_NO_ENV_HINTS": "1"}


def parse_outdated(text: str) -> tuple[Sequence[Update], Sequence[Update]]:
    """Output of ``brew outdated --json=v2``: what an upgrade would install, and what is pinned. Pure.

    Raises CommandFailed when it is not that.
    """
    try:
        answer: Mapping[str, Any] = json.loads(text)
        entries = [*answer["formulae"], *answer["casks"]]
        pinned = [_update(entry) for entry in entries if entry.get("pinned")]
        return [_update(entry) for entry in entries if not entry.get("pinned")], pinned
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandFailed(f"brew: an unexpected answer: {error}") from error


def _update(entry: Mapping[str, Any]) -> Update:
    return Update(
        name=str(entry["name"]),
        candidate=str(entry["current_version"]),
        installed=" ".join(map(str, entry["installed_versions"])),
    )


class Brew:
    """Homebrew of the user that runs the exporter.

    program: its path. cache: where it keeps what it has fetched.
    """

    name = "brew"

    def __init__(self, program: str, cache: Path) -> None:
        self._prefix = Path(program).parent.parent
        self._cache = cache

    @classmethod
    def found(cls) -> "Brew | None":
        """Homebrew, unless we are root, as whom it refuses to run."""
        program = shutil.which("brew")
        if not program or os.geteuid() == 0:
            return None
        usual = Path.home() / ("Library/Caches/Homebrew" if sys.platform == "darwin" else ".cache/Homebrew")
        return cls(program, Path(os.environ.get("HOMEBREW_CACHE", usual)))

    async def updates(self) -> Updates:
        own = {name: value for name, value in os.environ.items() if name.startswith("HOMEBREW_")}
        done = await run(["brew", "outdated", "--json=v2"], environment={**own, **_ENVIRONMENT})
        if done.status != 0:
            raise CommandFailed(f"brew outdated: {done.complaint}")
        pending, pinned = parse_outdated(done.output)
        return Updates(pending=pending, held_back=pinned, knows_security=False)

    def stamp(self) -> Hashable:
        return newest_change([self._prefix / "Cellar", self._prefix / "Caskroom"]), self.lists_refreshed()

    def lists_refreshed(self) -> float | None:
        return newest_change(list((self._cache / "api").glob("*.jws.json")))
