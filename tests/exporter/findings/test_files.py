"""Files that are huge, binary, gone, unreadable, or no files at all."""

import os
from pathlib import Path

import pytest

from exporter.findings.files import MAX_BYTES, Unreadable, read_file, read_mode
from tests.exporter.findings.inputs import audit, lines

COMPOSE = """
services:
  web: {image: "web:1", mem_limit: 1g, cpus: 1, restart: always, healthcheck: {test: "true"}, logging: {driver: local}}
"""


def compose(directory: Path) -> str:
    path = directory / "compose.yaml"
    path.write_text(COMPOSE)
    return str(path)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * MAX_BYTES)
    file = read_file(str(path))
    assert len(file.data) == MAX_BYTES
    assert not file.binary
    assert "xxx" not in repr(file)


@pytest.mark.parametrize("name", ["missing", "directory", "pipe", "loop", "nul\0", "large"])
def test_what_cannot_be_read_says_why_and_never_waits(name: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    reasons = {
        "missing": "cannot be read: No such file or directory",
        "directory": "is no regular file",
        "pipe": "is no regular file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "nul\0": "cannot be read: its name cannot be one",
        "large": "is larger than 1 MiB",
    }
    with pytest.raises(Unreadable, match=reasons[name]) as caught:
        read_file(str(tmp_path / name))
    assert caught.value.missing == (name == "missing")


@pytest.mark.parametrize("path", ["/proc/self/mem", "/dev/zero", "/proc/kmsg"])
def test_files_without_an_end(path: str) -> None:
    with pytest.raises(Unreadable):
        read_file(path)


def test_a_mode_is_told_without_opening_the_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o640)
    assert read_mode(str(tmp_path / "pipe"), "secret").mode & 0o777 == 0o640


async def test_a_large_env_file_costs_only_what_needs_it(tmp_path: Path) -> None:
    path = compose(tmp_path)
    (tmp_path / ".env").write_bytes(b"A=b\n" * 2_500_000)
    report = await audit(compose_files=[path], prometheus_rules=[])
    assert report.problems == [f"{tmp_path}/.env is larger than 1 MiB"]
    assert not any(result.success for result in report.results)
    assert all(result.count("critical") is None for result in report.results), "not seen is not 0"


async def test_files_that_are_missing_unreadable_or_binary(tmp_path: Path) -> None:
    path = compose(tmp_path)
    (tmp_path / "binary.conf").write_bytes(b"CHANGE_ME_\0")
    (tmp_path / "good.conf").write_bytes(b"host = CHANGE_ME_host\n")
    (tmp_path / "latin.conf").write_bytes(b"# caf\xe9\nname: CHANGE_ME_\xe9\n")
    os.mkfifo(tmp_path / "pipe.conf")
    report = await audit(compose_files=[path], files=[f"{tmp_path}/*.conf", f"{tmp_path}/gone.sh"])
    assert [line for line in lines(report) if "placeholders" in line] == [
        "good.conf:1 placeholders/warning",
        "latin.conf:2 placeholders/warning",
    ]
    assert report.problems == [
        f"{tmp_path}/pipe.conf is no regular file",
        f"{tmp_path}/gone.sh cannot be read: No such file or directory",
    ]
    by_name = {result.check: result for result in report.results}
    assert by_name["placeholders"].count("warning") == 2, "what was seen counts"
    assert by_name["placeholders"].count("critical") is None, "what may have been missed is not 0"
    assert by_name["images"].success, "it does not look at these files"


async def test_names_in_any_script_and_none(tmp_path: Path) -> None:
    directory = os.fsencode(tmp_path) + b"/caf\xe9 \xd0\xba\n"
    os.mkdir(directory)
    with open(directory + b"/a.conf", "w") as file:
        file.write("token: CHANGE_ME_now\n")
    report = await audit(files=[f"{tmp_path}/*/*.conf"])
    (finding,) = report.findings
    assert finding.place.file.encode().endswith("/caf\\xe9 к\n/a.conf".encode())
    assert finding.severity == "critical"


async def test_a_pattern_that_matches_too_much_says_so(tmp_path: Path) -> None:
    for at in range(1001):
        (tmp_path / f"{at}.conf").touch()
    report = await audit(files=[f"{tmp_path}/*.conf"])
    assert report.problems == [f"{tmp_path}/*.conf matches more than 1000 files, of which the rest is left out"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody and root again")
async def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    secret, compose_file = tmp_path / "letta-password", compose(tmp_path)
    secret.write_text("hunter2-hunter2")
    (tmp_path / ".env").write_text("A=hunter2-hunter2\n")
    (tmp_path / ".env").chmod(0o600)
    for directory in (tmp_path, *tmp_path.parents[:3]):  # pytest keeps others out of its directories
        directory.chmod(0o755)
    os.seteuid(65534)
    try:
        report = await audit(compose_files=[compose_file], secret_files=[str(secret)])
    finally:
        os.seteuid(0)
    assert f"{tmp_path}/.env cannot be read: Permission denied" in report.problems
    assert "letta-password file-modes/warning" in lines(report), "its mode can be told all the same"
