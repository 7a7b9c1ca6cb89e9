"""``check-web`` and ``hash-password``."""

import io
import json
import os
import pty
import subprocess
from pathlib import Path

import bcrypt
import pytest

from tests.exporter.web import pki
from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER, invoke


def piped(text: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [*UPKEEPER, "hash-password", *options]
    return subprocess.run(command, input=text, capture_output=True, env=CLEAN, cwd=SOURCES, check=False)


async def test_a_good_file_and_a_bad_one(tmp_path: Path) -> None:
    pki.make(tmp_path)
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    done = await invoke("check-web", web)
    assert (done.status, done.out, done.err) == (0, f"{web}: good\n", "")
    web.write_text("tls_server_config: {cert_file: server.pem, key_file: rsa.key}\nbasic_auth_users: {a: hunter2}\n")
    done = await invoke("check-web", web)
    assert done.status == 2
    assert f"{web}:2: basic_auth_users.a: this must be a bcrypt hash" in done.out
    assert "hunter2" not in done.out + done.err
    done = await invoke("check-web", web, "--json")
    document = json.loads(done.out)
    assert (document["config"], [each["key"] for each in document["problems"]]) == (str(web), ["basic_auth_users.a"])


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = await invoke("check-web", tmp_path / "none.yml")
    assert done.status == 2
    assert "cannot be read: No such file or directory" in done.out


@pytest.mark.parametrize("given", [b"secret\n", b"secret", b"secret\r\n", b"secret\nmore\n"])
def test_the_first_line_of_stdin_is_hashed(given: bytes) -> None:
    done = piped(given, "--cost", "4")
    assert (done.returncode, done.stderr) == (0, b"")
    hashed = done.stdout.removesuffix(b"\n")
    assert hashed.startswith(b"$2b$04$")
    assert bcrypt.checkpw(b"secret", hashed)


def test_the_hash_as_json_and_with_the_usual_cost() -> None:
    hashed = json.loads(piped("pässwörd\n".encode(), "--json").stdout)["hash"]
    assert hashed.startswith("$2b$10$")
    assert bcrypt.checkpw("pässwörd".encode(), hashed.encode())


@pytest.mark.parametrize(("given", "words"), [(b"", "is empty"), (b"\n", "is empty"), (b"x" * 73, "72 bytes")])
def test_a_password_that_is_none_or_too_long(given: bytes, words: str) -> None:
    done = piped(given)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()
    assert b"xxx" not in done.stderr


def test_on_a_terminal_it_asks_twice_and_shows_nothing() -> None:
    controller, terminal = pty.openpty()
    command = [*UPKEEPER, "hash-password", "--cost", "4"]
    started = subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=CLEAN, cwd=SOURCES, start_new_session=True
    )
    os.close(terminal)
    with started, io.FileIO(controller, "r+") as screen:
        seen = b""
        for _ in range(2):
            while not seen.endswith(b": "):
                seen += screen.read(1) or b""
            screen.write(b"secret\n")
            seen += screen.read(1) or b""
        assert started.stdout is not None
        hashed = started.stdout.read().strip()
        assert started.wait(60) == 0
    assert bcrypt.checkpw(b"secret", hashed)
    assert b"Password" in seen
    assert b"secret" not in seen
