"""What is completed without click is what click would complete."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from click.shell_completion import get_completion_class

from tests.upkeeper.commandline import CLEAN, SOURCES
from upkeeper.cli import cli
from upkeeper.commands import complete as clicks
from upkeeper.quick.completion import complete
from upkeeper.quick.words import jobs
from upkeeper.table import SECTIONS, Word

ENTRIES = {name: entry for commands in SECTIONS.values() for name, entry in commands.items()}
CONFIG = """
logs:
  - {name: app, path: /var/log/app, max_bytes: 1GiB}
services:
  - {name: letta, container: letta-1, probes: [{url: "http://127.0.0.1:8283/health"}]}
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the environment of a line as the script of a shell does, and returns it."""
    config = tmp_path / "upkeeper.yml"
    config.write_text(CONFIG)
    monkeypatch.setenv("UPKEEPER_CONFIG", str(config))
    monkeypatch.setenv("UPKEEPER_STATE_DIR", str(tmp_path / "none"))

    def line(shell: str, words: list[str]) -> dict[str, str]:
        at = words[-1] if shell == "fish" else str(len(words) - 1)
        env = {"_UPKEEPER_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": at}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return env

    return line


def clicks_own(shell: str) -> str:
    made = get_completion_class(shell)
    assert made is not None
    return made(cli, {}, "upkeeper", "_UPKEEPER_COMPLETE").complete() + "\n"


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "words",
    [
        [""], ["st"], ["nothing"],
        *([name, ""] for name, entry in ENTRIES.items() if entry.completes),
        ["run", "log"], ["run", "log-rotation", ""], ["plan", "log-rotation", "a"], ["run", "no-such", ""],
        ["run", "health-check", "l"], ["probe", "letta/"], ["show", "1"],
    ],
)  # fmt: skip
def test_it_is_what_click_completes(
    shell: Any, shell_name: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    env = shell(shell_name, ["upkeeper", *words])
    assert complete(env)
    assert capsys.readouterr().out == clicks_own(shell_name)


@pytest.mark.parametrize(
    "words",
    [
        ["history", "--js"], ["run", "--dry-run", "log"], ["breaker", "close", ""], ["completion", "z"],
        ["run", "log-rotation", "app", ""], ["no-such", ""], ["run", "'log"], ["run", "log\\"],
    ],
)  # fmt: skip
def test_what_only_click_can_tell_is_left_to_it(
    shell: Any, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not complete(shell("bash", ["upkeeper", *words]))
    assert capsys.readouterr().out == ""


def test_the_script_itself_is_clicks() -> None:
    assert not complete({"_UPKEEPER_COMPLETE": "bash_source"})


@pytest.mark.parametrize("name", ENTRIES)
def test_the_table_says_what_the_commands_arguments_are_completed_to(name: str) -> None:
    context = cli.make_context("upkeeper", [name], resilient_parsing=True)
    command = cli.get_command(context, name)
    assert command is not None
    ours = {getattr(clicks, f"complete_{word}"): word for word in get_args(Word)}
    found = [ours.get(param._custom_shell_complete) for param in command.params if param.param_type_name == "argument"]
    assert [word for word in found if word] == list(ENTRIES[name].completes)


def test_the_process_imports_neither_click_nor_a_model() -> None:
    env = {**CLEAN, "_UPKEEPER_COMPLETE": "bash_complete", "COMP_WORDS": "upkeeper run log", "COMP_CWORD": "2"}
    program = (
        "import sys; from upkeeper.main import main; main();"
        " print(*sorted({'click', 'pydantic', 'sqlalchemy', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=SOURCES, env={**os.environ, **env}
    )
    assert (done.stdout, done.stderr) == ("plain,log-rotation\n", "\n")


def test_jobs_are_those_of_the_config_or_else_those_that_ship(tmp_path: Path) -> None:
    config = tmp_path / "upkeeper.yml"
    config.write_text("schedule: {jobs: [{name: night, at: '@daily', task: daily}]}\n")
    assert [word.value for word in jobs(config, {})] == ["night"]
    config.write_text("{}\n")
    shipped = ["health-check", "backup", "daily", "forecast", "image-check", "weekly", "monthly", "yearly"]
    assert [word.value for word in jobs(config, {})] == shipped
