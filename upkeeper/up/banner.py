"""What `upkeeper up` says once everything answers: what it watches, where, what it does not, and what to try. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter import __version__
from exporter.base.text import counted
from exporter.discovery import Discovery
from remediator.config.config import Config
from remediator.endpoints import Endpoints
from remediator.model.words import TELLING_NOBODY
from upkeeper.screens.cells import Cell

Line = Sequence[Cell | str]

_SHOWN = 4
"""Names listed of one kind; of more the number is told."""


@dataclass(frozen=True)
class BannerFacts:
    """What there is to say."""

    config: Config
    config_path: Path | None
    example: Path
    """The example config that ships."""
    state_dir: Path
    endpoints: Endpoints
    found: Discovery
    root: bool
    """Whether it runs as root."""
    command: str
    """How this user calls `upkeeper`."""
    options: str = ""
    """What has to follow each command so that it means the stack at hand."""


def banner(facts: BannerFacts) -> Sequence[Line]:
    """The lines, each of cells and strings as Screen.line takes them."""
    return [
        [Cell(f"Upkeeper {__version__} is running", "bold green")],
        [],
        *_field("Watching", *(watched(facts.config, facts.found) or ["nothing yet"])),
        *_field("Left out", *left_out(facts)),
        [],
        *(line for name, url in _places(facts.endpoints) for line in _field(name, url)),
        *_field("Config", str(facts.config_path) if facts.config_path else "none: defaults and what was discovered"),
        *_field("State", str(facts.state_dir)),
        [],
        ["In another terminal:"],
        ["  ", Cell(_call(facts, "drill"), "bold"), "    rehearses a breach from end to end"],
        ["  ", Cell(_call(facts, "status"), "bold"), "   shows how it looks now"],
        ["Ctrl-C stops everything."],
    ]


def watched(config: Config, found: Discovery) -> Sequence[str]:
    """What is looked after, one kind a line."""
    services = [service.name for service in (*config.services, *found.services)]
    lines = [
        _listed("file system", [one.mountpoint for one in found.filesystems]),
        _listed("log directory", [one.name for one in config.logs], "log directories"),
        _listed("service", services),
        _listed("backup", [one.name for one in config.backups]),
        _listed("PostgreSQL server", [one.name for one in config.postgres]),
        _listed("Neo4j server", [one.name for one in config.neo4j]),
    ]
    if found.docker_version is not None:
        lines.append(
            f"Docker {found.docker_version} with {counted(len(found.containers), 'container')}, "
            f"{len(found.health_checked)} of them with a health check"
        )
    return [line for line in lines if line]


def left_out(facts: BannerFacts) -> Iterator[str]:
    """What is not looked after or not done, and why."""
    if facts.found.docker_version is None:
        yield f"Docker, until an engine answers: {facts.found.docker_problem}"
    for container, problem in facts.found.label_problems.items():
        yield f"the labels of the container {container}: {problem}"
    if facts.config_path is None:
        yield f"log directories and services: no config names any; start from {facts.example}"
    if not facts.root:
        yield "what this user may not read or write: it does not run as root"
    if facts.config.tells_nobody:
        yield TELLING_NOBODY


def _call(facts: BannerFacts, command: str) -> str:
    return " ".join(part for part in (facts.command, command, facts.options) if part)


def _places(endpoints: Endpoints) -> Iterator[tuple[str, str]]:
    for name in ("exporter", "remediator", "prometheus", "alertmanager"):
        url = getattr(endpoints, name)
        if url is not None:
            yield name.capitalize(), url


def _field(name: str, *values: str) -> Iterator[Line]:
    for index, value in enumerate(values):
        yield ["  ", Cell(f"{'' if index else name:<14}", "dim"), value]


def _listed(one: str, names: Sequence[str], many: str | None = None) -> str:
    if not names:
        return ""
    listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"{counted(len(names), one, many)}: {listed}"
