"""Help that teaches, errors that suggest, and a command line that imports nothing it does not need."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER, invoke
from upkeeper.cli import cli
from upkeeper.commands.options import CLIENT, SHARED
from upkeeper.table import SECTIONS

HEAVY = {"aiohttp", "alembic", "dbos", "docker", "httpx", "pydantic", "rich", "sqlalchemy", "structlog", "yaml"}
SERVICES = {"up", "exporter", "remediator"}
NO_SERVICE_ASKED = SERVICES | {
    "backtest", "check", "check-web", "probe", "config schema", "config show", "completion", "hash-password",
    "install", "uninstall",
    "sandbox clean", "sandbox list", "state backup", "state info", "state migrate", "state restore", "state roles",
}  # fmt: skip


def commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
async def test_each_command_explains_itself_with_an_example(name: str) -> None:
    done = await invoke(*name.split(), "--help")
    assert done.status == 0
    assert "Example" in done.out or "Install it once" in done.out
    assert f"upkeeper {name}" in done.out.split("Example")[-1]
    assert len((ALL[name].help or "").split("\n\n")[1].strip()) > 80, "two lines of explanation"


def test_the_table_of_commands_says_what_each_command_says_of_itself() -> None:
    ctx = click.Context(cli)
    for entries in SECTIONS.values():
        for name, entry in entries.items():
            command = cli.get_command(ctx, name)
            assert command is not None
            assert (command.help or "").splitlines()[0] == entry.help


@pytest.mark.parametrize("name", sorted(set(ALL) - NO_SERVICE_ASKED))
def test_every_command_that_asks_a_remediator_has_the_same_options(name: str) -> None:
    own = {param.name for param in ALL[name].params}
    assert own >= set(CLIENT)


@pytest.mark.parametrize("name", ALL)
def test_a_shared_option_means_the_same_everywhere(name: str) -> None:
    reference = {param.name: param for param in _shared_params()}
    for param in ALL[name].params:
        if isinstance(param, click.Option) and param.name in SHARED:
            same = reference[param.name]
            assert (param.opts, param.help, param.envvar) == (same.opts, same.help, same.envvar)


def _shared_params() -> list[click.Option]:
    def nothing() -> None: ...

    for option in SHARED.values():
        option(nothing)
    return list(nothing.__click_params__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["statsu"], "'status'?"),
        (["histori"], "Did you mean 'history'?"),
        (["plan", "--jsn"], "Did you mean '--json'?"),
        (["completion", "tcsh"], "is not one of 'bash', 'zsh', 'fish'"),
        (["completion"], "Choose from: bash, zsh, fish"),
        (["show", "latest"], "'latest' is not a whole number."),
        (["pause", "--for", "2 hours"], "write for example 30s, 15m, 1h30m or 7d"),
        (["pause", "--for", "0"], "longer than 0"),
        (["history", "-n", "0"], "not in the range"),
        (["exporter", "--listen", "10746"], "write host:port"),
        (["breaker", "close", "log-rotation"], "Missing argument 'TARGET'"),
    ],
)
async def test_a_mistake_is_one_line_with_what_would_be_right(arguments: list[str], suggestion: str) -> None:
    done = await invoke(*arguments)
    assert done.status == 2
    assert done.out == ""
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert suggestion in first
    assert second.startswith("see: upkeeper")


async def test_no_command_shows_the_help() -> None:
    done = await invoke()
    assert done.status == 2
    assert "Run the services:" in done.err


async def test_version() -> None:
    done = await invoke("--version")
    assert done.status == 0
    assert done.out.startswith("upkeeper ")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["drill", "--help"], ["completion", "bash"], ["config", "--help"]]
)
def test_help_and_completion_import_no_library_of_weight(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from upkeeper.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        f"    print('imported', *sorted(set({sorted(HEAVY)!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=CLEAN, cwd=SOURCES
    )
    assert done.returncode == 0
    assert done.stderr == "imported\n"


@pytest.mark.parametrize("arguments", [["--help"], ["completion", "bash"]])
def test_a_reader_that_has_gone_is_no_traceback(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as gone:
        done = subprocess.run(
            [*UPKEEPER, *arguments], stdout=gone, stderr=subprocess.PIPE, text=True, env=CLEAN, cwd=SOURCES
        )
    assert done.stderr == ""
    assert done.returncode == 1
