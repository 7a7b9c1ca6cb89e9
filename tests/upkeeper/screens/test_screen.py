"""What reaches the terminal: nothing that it would obey, plain text in a pipe, one JSON document."""

import io
import json
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from exporter.base.spans import ago, coarse, precise, took
from exporter.base.visible import visible
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Output, Screen
from upkeeper.screens.text import local

ESC = "\x1b"
NASTY = {
    f"{ESC}[2J{ESC}[H all is well": r"\x1b[2J\x1b[H all is well",
    f"{ESC}[31mred": r"\x1b[31mred",
    f"{ESC}]0;title\x07": r"\x1b]0;title\x07",
    "app.log\r\nrun 1: effective": r"app.log\x0d\x0arun 1: effective",
    "back\x08space\x7f": r"back\x08space\x7f",
    "c1 \x9b31m red": r"c1 \x9b31m red",
    "right\u202eto left": r"right\u202eto left",
    "hid\u200bden": r"hid\u200bden",
    "line\u2028par\u2029": r"line\u2028par\u2029",
    "undecodable \udcff byte": r"undecodable \udcff byte",
    "tag \U000e0041": r"tag \U000e0041",
    "": "",
}
HARMLESS = ["plain", "Grüße, 日本語, ✔", "[bold red]not markup[/]", ":warning:", "a  b"]


@pytest.mark.parametrize(("text", "shown"), NASTY.items())
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def screen(terminal: bool, as_json: bool = False, width: int = 200) -> tuple[Screen, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    made = Screen(as_json, out, err)
    if terminal:
        plain = {"force_terminal": True, "width": width, "markup": False, "highlight": False, "emoji": False}
        made.out, made.err = (Output(file, Console(file=file, **plain)) for file in (out, err))
    return made, out, err


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("text", [*NASTY, *HARMLESS])
def test_every_way_to_the_screen_is_safe(terminal: bool, text: str) -> None:
    view, out, err = screen(terminal)
    view.line(text, Cell(text, "bold"))
    view.note(text)
    view.table([Column("name")], [[text], [Cell(text, "red")]])
    own = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue() + err.getvalue())  # the colours are rich's own
    assert own == "".join(char for char in own if char == "\n" or char.isprintable())
    assert own.count(visible(text)) >= 5


def test_a_pipe_gets_aligned_text_without_colour_or_padding() -> None:
    view, out, _ = screen(False)
    view.table(
        [Column("run", right=True), Column("outcome"), Column("task")],
        [["7", state("failed"), "日本"], ["12", "-", "b"]],
    )
    assert out.getvalue() == "RUN  OUTCOME  TASK\n  7  failed   日本\n 12  -        b\n"


def test_nothing_is_cut_in_a_pipe() -> None:
    view, out, _ = screen(False)
    view.table([Column("name"), Column("why")], [["n" * 300, "w" * 300]])
    assert out.getvalue().splitlines()[1] == "n" * 300 + "  " + "w" * 300


@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_cut_on_a_narrow_terminal_either(width: int) -> None:
    """Of the width of `upkeeper history`, which needs 115."""
    view, out, _ = screen(True, width=width)
    lengths = {"#": 3, "A": 8, "B": 12, "C": 14, "D": 19, "E": 13, "7": 8, "F": 40}
    columns = [Column("x", right=mark in "#7", wide=mark == "F") for mark in lengths]
    view.table(columns, [[mark * length for mark, length in lengths.items()]])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert {mark: shown.count(mark) for mark in lengths} == lengths
    assert shown.count("x") == len(columns)
    assert max(map(len, shown.splitlines())) <= width
    assert "###" in shown  # figures stay whole
    assert "7" * 8 in shown


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    view, out, _ = screen(True)
    view.line(state("failed"))
    assert "\x1b[31m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    view, out, _ = screen(True)
    view.line(state("failed"))
    assert "31m" not in out.getvalue()


def test_with_json_nothing_but_the_document_is_on_stdout() -> None:
    view, out, err = screen(False, as_json=True)
    view.line("for people")
    view.table([Column("name")], [["x"]])
    view.note("on the way")
    view.document({"name": f"{ESC}[2J", "byte": "\udcff"})
    assert json.loads(out.getvalue()) == {"name": f"{ESC}[2J", "byte": "\udcff"}
    assert out.getvalue().isascii()
    assert ESC not in out.getvalue()
    assert err.getvalue() == "on the way\n"


def test_an_empty_table_says_so() -> None:
    view, out, _ = screen(False)
    view.table([Column("name")], [], empty="none exist")
    assert out.getvalue() == "none exist\n"


NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (None, "never"),
        ("2026-01-01T11:59:59.900Z", "0s ago"),
        ("2026-01-01T11:58:30Z", "1m30s ago"),
        ("2026-01-01T11:00:00Z", "1h ago"),
        ("2025-12-31T10:00:00Z", "1d2h ago"),
        ("2025-12-01T00:00:00Z", "31d ago"),
        ("2026-01-01T12:00:05Z", "0s ago"),
    ],
)
def test_how_long_ago(then: str | None, words: str) -> None:
    assert ago(then, NOW) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.004, "0.00 s"), (1.234, "1.23 s"), (75, "75.0 s"), (150, "2m30s")])
def test_how_long_it_took(seconds: float, words: str) -> None:
    assert precise(seconds) == words


def test_times_that_are_not_there_yet() -> None:
    assert took("2026-01-01T12:00:00Z", None) == "-"
    assert took("2026-01-01T12:00:00Z", "2026-01-01T12:00:02.5Z") == "2.50 s"
    assert local(None) == "-"
    assert coarse(-5) == "0s"
