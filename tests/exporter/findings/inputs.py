"""Projects and audits for tests."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from exporter.findings.audit import Audit, Report
from exporter.findings.check import Check
from exporter.findings.compose import load_project
from exporter.findings.files import read_file
from exporter.findings.finding import Finding
from exporter.findings.inputs import DaemonLogs, Inputs
from exporter.findings.project import Invocation, Project
from exporter.inventory.audit import Configuration

PROJECTS = Path(__file__).parent / "projects"
SECRET = "hunter2-hunter2"
GUARD = 60.0


def copy(name: str, directory: Path) -> Path:
    """A copy of a project of the PA stack, with the modes that a careful person gives."""
    target = directory / name
    shutil.copytree(PROJECTS / name, target)
    for path in target.iterdir():
        path.chmod(0o644 if path.suffix == ".yaml" else 0o600)
    return target


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Files below a directory."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def load(directory: Path, *names: str) -> Project:
    """The project of files below a directory."""
    return load_project(Invocation(tuple(str(directory / name) for name in names or ("compose.yaml",))), read_file)


def project(directory: Path, compose: str, **files: str) -> Project:
    """The project of a Compose file. files: others beside it, with two underscores for a dot in the name."""
    write(directory, {"compose.yaml": compose, **{name.replace("__", "."): text for name, text in files.items()}})
    return load(directory)


def found(check: Check, *projects: Project, daemon: DaemonLogs = DaemonLogs()) -> list[Finding]:  # noqa: B008
    """What a check finds in projects."""
    return list(check.find(Inputs(projects=projects, daemon_logs=daemon, present=frozenset({"project"}))))


async def audit(daemon_file: str = "/nonexistent", **settings: object) -> Report:
    """One audit of a configuration."""
    return await Audit(Configuration.model_validate(settings), daemon_file=daemon_file).run(GUARD)


def lines(report: Report) -> list[str]:
    """The findings as ``FILE:LINE CHECK/SEVERITY``, by file name only."""
    return sorted(
        f"{Path(one.place.file).name}{f':{one.place.line}' if one.place.line else ''} {one.check}/{one.severity}"
        for one in report.findings
    )
