"""How the services' log lines look: sentences on a terminal, JSON elsewhere, unless told otherwise."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER

pytestmark = pytest.mark.slow

SENTENCE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  exporter    exporter listening \(address 127\.0\.0\.1:\d+, .*\)"


def listening(directory: Path, *options: str, terminal: bool) -> str:
    """The line by which an exporter says where it listens, without what colours it."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    (directory / "upkeeper.yml").write_text(f"docker: {{host: 'unix://{directory}/none.sock'}}\n")
    arguments = ["exporter", f"--config={directory}/upkeeper.yml", f"--listen=127.0.0.1:{free_port()}", *options]
    process = subprocess.Popen([*UPKEEPER, *arguments], stderr=theirs, stdout=theirs, env=CLEAN, cwd=SOURCES)
    os.close(theirs)
    seen = b""
    try:
        with suppress(OSError):  # a terminal that nobody has open any more
            while b"listening" not in seen.rpartition(b"\n")[0] and (chunk := os.read(ours, 4096)):
                seen += chunk
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        os.close(ours)
    lines = re.sub(rb"\x1b\[[0-9;]*m", b"", seen).decode().splitlines()
    return next(line for line in lines if "listening" in line)


@pytest.mark.parametrize("terminal", [True, False])
def test_sentences_on_a_terminal_and_json_elsewhere(tmp_path: Path, terminal: bool) -> None:
    line = listening(tmp_path, terminal=terminal)
    if terminal:
        assert re.fullmatch(SENTENCE, line)
    else:
        assert json.loads(line)["message"] == "exporter listening"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_asked_for_goes_before_that(tmp_path: Path, terminal: bool) -> None:
    assert re.fullmatch(SENTENCE, listening(tmp_path, "--log.format=text", terminal=terminal))
    assert json.loads(listening(tmp_path, "--log.format=json", terminal=terminal))["level"] == "info"


def test_a_form_that_there_is_not_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "upkeeper.main", "up", "--log.format=xml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "'xml' is not one of 'text', 'json'" in done.stderr
