"""A valid config, and what `upkeeper check` finds in it on a machine with these targets."""

from pathlib import Path

from exporter.configfile.file import load
from exporter.configfile.problem import Problem
from remediator.config.config import Config
from upkeeper.look.check_config import MachineFacts, findings

FACTS = MachineFacts({"log-rotation": ["app", "web"], "docker-cleanup": ["docker"]})


def found(tmp_path: Path, text: str) -> list[Problem]:
    file = tmp_path / "upkeeper.yml"
    file.write_text(text)
    problems = findings(load(file, Config), FACTS)
    assert {problem.severity for problem in problems} <= {"warning"}
    return problems
