"""Docker Compose 2 or newer as the judge of what the audit says.

A build takes minutes, so that tests skip where there is none. It is what UPKEEPER_COMPOSE names (several with colons
between them), or the ``docker-compose`` on PATH where that is new enough.
"""

import json
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.helpers import long_form, missing

_WARNING = re.compile(r'level=warning msg="The \\"([^"\\]*)\\" variable is not set')


@dataclass(frozen=True)
class Judgement:
    """What Compose said of a project."""

    refused: bool
    complaint: str
    unset: frozenset[str]
    """The variables that it warns of."""
    output: str


@dataclass(frozen=True)
class Compose:
    """A program of Compose 2 or newer."""

    program: str

    @property
    def is_2(self) -> bool:
        """Whether it is surely of version 2, by its name in CI: one built from its module calls its version ``dev``."""
        return "docker-compose-2." in self.program

    def config(self, directory: Path, *options: str, files: Sequence[str] = ()) -> Judgement:
        """``docker compose config`` of a project, without our own environment."""
        given = [part for path in files for part in ("-f", path)]
        done = subprocess.run(
            [self.program, *given, *options[:-1], "config", *options[-1:]],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )
        unset = frozenset(_WARNING.findall(done.stderr))
        return Judgement(done.returncode != 0, done.stderr.strip(), unset, done.stdout)

    def environments(self, directory: Path) -> Mapping[str, Mapping[str, str | None]]:
        """The environment of each service."""
        judged = self.config(directory, "--format=json")
        assert not judged.refused, judged.complaint
        services = json.loads(judged.output)["services"]
        return {
            name: {
                key: value.replace("$$", "$") if isinstance(value, str) else value
                for key, value in (service.get("environment") or {}).items()
            }
            for name, service in services.items()
        }


@cache
def composes() -> tuple[Compose, ...]:
    """Those that there are."""
    named = os.environ.get("UPKEEPER_COMPOSE", "")
    candidates = named.split(os.pathsep) if named else [shutil.which("docker-compose") or ""]
    return tuple(Compose(program) for program in candidates if program and _new(program))


def require_compose() -> tuple[Compose, ...]:
    """Those that there are; without any the test is skipped (failed under UPKEEPER_REQUIRE_ALL=1)."""
    if not composes():
        missing("no Docker Compose of version 2 or newer; scripts/build-compose builds it, UPKEEPER_COMPOSE names it")
    return composes()


def judges(case: str) -> tuple[Compose, ...]:
    """Those that are asked about one of many cases: all in the long form, else one, by turns."""
    every = require_compose()
    return every if long_form() else (every[zlib.crc32(case.encode()) % len(every)],)


def _new(program: str) -> bool:
    """Whether it is Compose 2 or newer; one that was built from its module calls its version ``dev``."""
    done = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode == 0 and not done.stdout.startswith("1.")
