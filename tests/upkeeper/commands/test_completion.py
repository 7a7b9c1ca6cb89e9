"""Completion scripts as the shells read them, and the words they complete to."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.tasks.registry import FACTS, build_tasks
from remediator.tasks.resources import Resources
from tests.helpers import require_program
from tests.upkeeper.commandline import CLEAN, SOURCES

pytestmark = pytest.mark.slow

CONFIG = """
logs:
  - {name: app, path: /var/log/app, max_bytes: 1GiB}
  - {name: web-1, path: /var/log/web, max_bytes: 1GiB}
services:
  - {name: letta, container: letta-1, probes: [{url: "http://127.0.0.1:8283/health"}]}
  - {name: n8n, probes: [{url: "http://127.0.0.1:5678/healthz"}]}
"""


@pytest.fixture
def shell_env(tmp_path: Path, migrated: Path) -> dict[str, str]:
    """An environment with `upkeeper` on PATH, a config and a record of two runs."""
    program = tmp_path / "bin" / "upkeeper"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m upkeeper.main "$@"\n')
    program.chmod(0o755)
    config = tmp_path / "upkeeper.yml"
    config.write_text(CONFIG)
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(migrated, state / "upkeeper.db")
    with sqlite3.connect(state / "upkeeper.db") as database:
        database.executemany(
            "INSERT INTO runs (host, task, target, params, trigger, caller, dry_run, state, outcome, reason,"
            " requested_at, notes) VALUES ('host', ?, ?, '{}', 'cli', 'pat', 0, 'finished', 'effective', '', 0, '[]')",
            [("log-rotation", "gone"), ("service-restart", "labelled")],
        )
    database.close()
    return {
        **CLEAN,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCES),
        "UPKEEPER_CONFIG": str(config),
        "UPKEEPER_STATE_DIR": str(state),
        "HOME": str(tmp_path),
    }


LINES = [
    ("upkeeper pl", ["plan"]),
    ("upkeeper re", ["remediator", "remedies", "report", "restore", "resume"]),
    ("upkeeper run log", ["log-rotation"]),
    ("upkeeper run log-rotation ", ["app", "gone", "web-1"]),
    ("upkeeper plan health-check l", ["letta"]),
    ("upkeeper run service-restart ", ["labelled", "letta", "letta-1"]),
    ("upkeeper probe l", ["letta"]),
    ("upkeeper probe n8n/", ["n8n/live"]),
    ("upkeeper show ", ["2", "1"]),
    ("upkeeper history --js", ["--json"]),
    ("upkeeper completion z", ["zsh"]),
    ("upkeeper breaker close docker-cleanup ", ["docker"]),
    (
        "upkeeper autonomy reset r",
        [
            "rebuild-neo4j-indexes",
            "refresh-postgres-collations",
            "restart-down",
            "restart-unhealthy",
            "rotate-logs",
        ],
    ),
    ("upkeeper cancel ", []),
    ("upkeeper restore l", ["latest"]),
]


BASH = (["--norc", "-c"], "source <(upkeeper completion bash); complete -p upkeeper > /dev/null || exit", """
    read -ra COMP_WORDS <<< "{line}"
    [[ "{line}" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    COMPREPLY=()
    _upkeeper_completion upkeeper
    printf '%s\\n' "${{COMPREPLY[@]}}" ---
""")  # fmt: skip

# compadd and _describe work only while zsh's line editor completes; these print what they are given instead.
ZSH = (["-f", "-c"], """
    autoload -U compinit && compinit -u -d "$HOME/.zcompdump"
    source <(upkeeper completion zsh)
    [[ -n ${_comps[upkeeper]} ]] || exit 1
    _describe() { print -rl -- "${${(P)3}[@]%%:*}" }
    compadd() { print -rl -- "${(P)${@[-1]}[@]}" }
""", """
    words=(${{(z):-"{line}"}})
    [[ "{line}" == *" " ]] && words+=("")
    CURRENT=${{#words}}
    _upkeeper_completion
    print -r -- ---
""")  # fmt: skip

FISH = (["--no-config", "-c"], "upkeeper completion fish | source", """
    complete --do-complete '{line}' | string replace --regex '\\t.*' ''
    echo ---
""")  # fmt: skip


@pytest.mark.parametrize(("shell", "program"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_the_script_completes_in_its_shell(
    shell_env: dict[str, str], shell: str, program: tuple[list[str], str, str]
) -> None:
    options, preamble, complete = program
    script = "\n".join([preamble, *(complete.format(line=line) for line, _ in LINES)])
    done = subprocess.run(
        [require_program(shell, shell), *options, script], capture_output=True, text=True, env=shell_env
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = [part.split() for part in done.stdout.split("---\n")]
    assert found.pop() == []
    assert {line: sorted(words) for (line, _), words in zip(LINES, found, strict=True)} == {
        line: sorted(words) for line, words in LINES
    }


@pytest.mark.parametrize(
    "breakage", ["no config", "not YAML", "not a mapping", "no state", "no database", "not a database"]
)
def test_what_cannot_be_read_is_passed_over_in_silence(
    shell_env: dict[str, str], tmp_path: Path, breakage: str
) -> None:
    config, database = Path(shell_env["UPKEEPER_CONFIG"]), tmp_path / "state" / "upkeeper.db"
    match breakage:
        case "no config":
            config.unlink()
        case "not YAML":
            config.write_text("logs: [")
        case "not a mapping":
            config.write_text("- logs\n")
        case "no state":
            shutil.rmtree(tmp_path / "state")
        case "no database":
            database.unlink()
        case "not a database":
            database.write_bytes(b"x" * 8192)
    env = {**shell_env, "COMP_WORDS": "upkeeper run log-rotation ", "COMP_CWORD": "3"}
    done = subprocess.run(
        ["upkeeper"], capture_output=True, text=True, env={**env, "_UPKEEPER_COMPLETE": "bash_complete"}
    )
    assert done.returncode == 0
    assert done.stderr == ""
    config_is_broken = breakage in ("no config", "not YAML", "not a mapping")
    assert set(done.stdout.split()) == ({"plain,gone"} if config_is_broken else {"plain,app", "plain,web-1"})


async def test_the_words_are_those_of_the_tasks(tmp_path: Path) -> None:
    document = yaml.safe_load(CONFIG)
    config = Config.model_validate(document)
    resources = Resources(config, docker=lambda: DockerEngine(f"unix://{tmp_path}/no-docker.sock"))
    tasks = build_tasks(config, resources)
    try:
        assert set(FACTS) == set(tasks)
        for name, task in tasks.items():
            assert task.facts is FACTS[name]
            assert set(FACTS[name].configured(document)) == set(await task.targets()), name
    finally:
        resources.close()
