"""Env files in the syntax of Docker Compose."""

from pathlib import Path

import pytest

from exporter.findings.checks.env_files import EnvFiles
from exporter.findings.envfile import EnvFile, parse_env
from exporter.findings.files import Unreadable, read_file
from exporter.findings.inputs import Material


def parse(directory: Path, text: str | bytes) -> EnvFile:
    path = directory / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse_env(read_file(str(path)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        ("A = b ", "b"),
        ("export A=b", "b"),
        ("A: b", "b"),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", ""),
        ('A="b # c" # comment', "b # c"),
        ("A='b \"c\" $D'", 'b "c" $D'),
        (r'A="b\n\"c\""', 'b\n"c"'),
        ("A='one\ntwo'\nB=c", "one\ntwo"),
        ("A=b=c==", "b=c=="),
        ("A=pass word", "pass word"),
        ("\ufeffA=b", "b"),
        ("A=b\r\nB=c\r\n", "b"),
        ("A=ключ", "ключ"),
    ],
)
def test_values(text: str, value: str, tmp_path: Path) -> None:
    env = parse(tmp_path, text)
    assert env.malformed == []
    assert env.variables[0].value == value
    assert env.values()["A"] == value


def test_references_and_what_is_set_elsewhere(tmp_path: Path) -> None:
    env = parse(tmp_path, "A=1\nB=${A}2\nC='${A}'\nD=$X\nX=late\nA=last\nINHERITED\n")
    assert env.values() == {"A": "last", "B": "12", "C": "${A}", "D": "", "X": "late"}
    assert env.values({"A": "outer"})["B"] == "outer2"


@pytest.mark.parametrize("text", ["no variable\n", "=b\n", "1A=b\n", "A='never closed\n", "-----\n"])
def test_lines_that_are_none(text: str, tmp_path: Path) -> None:
    env = parse(tmp_path, f"GOOD=1\n{text}")
    assert list(env.malformed) == [2]
    (finding,) = EnvFiles().find(Material(env_files=[env]))
    assert (finding.severity, finding.place.line) == ("warning", 2)


def test_a_secret_that_stands_twice_is_not_repeated(tmp_path: Path) -> None:
    env = parse(tmp_path, "A=hunter2-hunter2\nB=1\nA=hunter2-other\n")
    (finding,) = EnvFiles().find(Material(env_files=[env]))
    assert (finding.subject, finding.place.line) == ("A", 3)
    assert finding.message == "A stands on line 1 already, with another value; this one wins"
    assert "hunter2" not in repr(env) + repr(finding)


@pytest.mark.parametrize(("data", "reason"), [(b"A=\xff\n", "is not UTF-8 text"), (b"A=\0\n", "is a binary file")])
def test_what_is_no_text(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(tmp_path, data)


def test_values_do_not_grow_without_end(tmp_path: Path) -> None:
    lines = [f"A={'x' * 500_000}", *(f"B{at}=$A." for at in range(10_000))]
    values = parse(tmp_path, "\n".join(lines)).values()
    assert sum(map(len, values.values())) < 20_000_000
