"""The help that is printed without click is click's own."""

import os
import pty
import subprocess
import termios

import pytest

from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER
from upkeeper.cli import cli
from upkeeper.quick.help import TEXT

PLAIN = {name: value for name, value in CLEAN.items() if name not in ("COLUMNS", "LINES")}


def clicks_own(columns: int) -> str:
    context = cli.make_context("upkeeper", ["status"], resilient_parsing=True, terminal_width=min(columns, 80) - 2)
    return f"{cli.get_help(context)}\n"


def test_the_text_that_ships_is_up_to_date() -> None:
    assert TEXT.read_text() == clicks_own(80), "run: make docs"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("columns", ["60", "80", "200", "0", "x", None])
def test_it_is_printed_for_the_width_there_is(option: str, columns: str | None) -> None:
    env = PLAIN if columns is None else {**PLAIN, "COLUMNS": columns}
    done = subprocess.run([*UPKEEPER, option], capture_output=True, text=True, env=env, cwd=SOURCES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == clicks_own(60 if columns == "60" else 80)


def test_a_narrow_terminal_gets_narrow_lines() -> None:
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 60))
    try:
        done = subprocess.run([*UPKEEPER, "--help"], stdout=its, stdin=its, env=PLAIN, cwd=SOURCES)
        seen = os.read(ours, 65536).decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        os.close(its)
    assert done.returncode == 0
    assert clicks_own(60).startswith(seen)
    assert "Then, elsewhere" in seen
