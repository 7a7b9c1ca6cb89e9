"""Log lines."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from exporter.base import log_setup as logs
from tests.exporter.fakes import FakeClock


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was: other tests capture it in their own way."""
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_one_json_document_a_line_for_every_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    structlog.get_logger("mine").warning("collector failed", collector="logs", path=b"\xff", error='a\n"b"')
    logging.getLogger("theirs").info("hello %s", "world")
    mine, theirs = lines(capsys)
    assert mine["message"] == "collector failed"
    assert (mine["level"], mine["logger"], mine["collector"]) == ("warning", "mine", "logs")
    assert mine["error"] == 'a\n"b"'
    assert str(mine["timestamp"]).endswith("Z")
    assert (theirs["message"], theirs["level"], theirs["logger"]) == ("hello world", "info", "theirs")


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    try:
        raise RuntimeError("no luck")
    except RuntimeError:
        structlog.get_logger("mine").exception("probe broke")
    (line,) = lines(capsys)
    assert "RuntimeError: no luck" in str(line["exception"])


def test_the_level_and_chatty_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True, level="INFO")
    structlog.get_logger("mine").debug("quiet")
    logging.getLogger("docker").info("...")
    assert lines(capsys) == []
    logs.configure(json=True, level="debug")
    structlog.get_logger("mine").debug("loud")
    logging.getLogger("docker").info("...")
    assert len(lines(capsys)) == 2
    logging.getLogger("httpx").info("HTTP Request: GET http://127.0.0.1/?key=secret")
    logging.getLogger("httpcore.http11").debug("receive_response_headers.complete ...")
    assert lines(capsys) == []


def test_for_people_without_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=False)
    password = "".join(["hun", "ter2"])
    try:
        raise RuntimeError("no luck")
    except RuntimeError:
        structlog.get_logger("mine").exception("probe broke", probe="web")
    err = capsys.readouterr().err
    assert "probe broke" in err
    assert "RuntimeError: no luck" in err
    assert password not in err


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="'loud' is not a log level"):
        logs.configure(level="loud")


def test_what_is_logged_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=False)
    structlog.get_logger("mine").warning("alert\x1b[2J", label="\x1b[31mred", name="Grüße", raw="\udcff")
    err = capsys.readouterr().err
    assert "\x1b[2J" not in err
    assert "\x1b[31mred" not in err
    assert "\\x1b[31mred" in err
    assert "Grüße" in err


async def test_running_out_of_file_descriptors_does_not_fill_the_disk_with_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(1000)
    monkeypatch.setattr(logs._accepting, "_monotonic", clock)
    monkeypatch.setattr(logs._accepting, "_at", float("-inf"))
    logs.configure(json=True)
    trouble = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
    for seconds in (0, 0, 59, 1, 0):
        clock.now += seconds
        asyncio.get_running_loop().call_exception_handler(trouble)
    asyncio.get_running_loop().call_exception_handler({"message": "something else"})
    told = [str(line["message"]) for line in lines(capsys)]
    assert told == [trouble["message"]] * 2 + ["something else"]


@pytest.mark.parametrize(
    ("event", "facts", "sentence"),
    [
        ("exporter stopped", {}, "exporter stopped"),
        ("probe failed", {"target": "n8n", "reason": "no answer"}, "warning: probe failed: no answer (target n8n)"),
        ("reloading", {"process": "prometheus", "changed": False}, "reloading (process prometheus, changed False)"),
        ("cannot be read", {"error": "denied", "detail": "x"}, "error: cannot be read: denied (detail x)"),
        ("listening", {"config": None, "waited_seconds": 1.5}, "listening (waited seconds 1.5)"),
    ],
)
def test_on_a_terminal_a_line_is_a_sentence(
    capsys: pytest.CaptureFixture[str], event: str, facts: dict[str, object], sentence: str
) -> None:
    logs.configure(json=False)
    level = sentence.partition(": ")[0] if sentence.startswith(("warning: ", "error: ")) else "info"
    getattr(structlog.get_logger("exporter.main"), level)(event, **facts)
    line = capsys.readouterr().err.rstrip("\n")
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  exporter    {re.escape(sentence)}", line)
