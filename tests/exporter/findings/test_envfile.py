"""Env files in the syntax of Docker Compose."""

import random
from pathlib import Path

import pytest

from exporter.findings.checks.compose_valid import ComposeValid
from exporter.findings.checks.env_files import EnvFiles
from exporter.findings.checks.images import Images
from exporter.findings.checks.placeholders import Placeholders
from exporter.findings.checks.unset_variables import UnsetVariables
from exporter.findings.envfile import EnvFile, parse_env
from exporter.findings.files import read_file
from exporter.findings.inputs import Inputs
from tests.compose import require_compose
from tests.exporter.findings.inputs import found, project

COMPOSE = "services: {a: {image: x}}"


def parse(directory: Path, text: str | bytes) -> EnvFile:
    path = directory / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse_env(read_file(str(path)))


VALUES = [
    ("A=b", "b"),
    ("A=", ""),
    ("A = b ", "b"),
    ("export A=b", "b"),
    ("A: b", "b"),
    ("A=b # comment", "b"),
    ("A=b\t# no comment", "b\t# no comment"),
    ("A=b#c", "b#c"),
    ("A=#c", "#c"),
    ("A=   # c", "# c"),
    ('A="b # c" # comment', "b # c"),
    ("A='b \"c\" $D'", 'b "c" $D'),
    (r'A="b\n\"c\""', 'b\n"c"'),
    (r'A="\$b"', "$b"),
    (r"A=\$$b", r"\$b"),
    (r"A='it\'s'", "it's"),
    ("A='one\ntwo'\nB=c", "one\ntwo"),
    ("A=b=c==", "b=c=="),
    ("A=pass word", "pass word"),
    ("\ufeffA=b", "b"),
    ("A=b\r\nB=c\r\n", "b"),
    ("A=ключ", "ключ"),
    ("A=$5 and $", "$5 and $"),
    ("B=1\nA=${B:-{}}", "1"),
    ("A=${B:-{}}", "{}"),
    ('A=${B:-{"x": 1}}', '{"x": 1}'),
    ("2FA=on\nX[0]=x\nA=b", "b"),
    ('A="b" C=c', "b"),
    ("A=b\nC c", "b"),
]  # fmt: skip
REFUSED = [
    "no variable\n",
    "A B=c\n",
    "A='never closed\n",
    "A='it''s'\n",
    "A!=b\n",
    "export ",
    "A=abc${def\n",
    "A=${}\n",
    "A=${2FA}\n",
    "X=${MISSING:?boom}\n",
    'X="${MISSING?boom}"\n',
    "A=${B:-{}} ${B}\n",
]
UNSET = [
    ("A=abc$def123", "abc", "def123"),
    ('A="x$Y9z"', "x", "Y9z"),
    ("A=${no}", "", "no"),
    ("A=$Z\nZ=1", "", "Z"),
    ("B='$x'\nA=$B$y", "$x", "y"),
]


@pytest.mark.parametrize(("text", "value"), [*VALUES, *((text, value) for text, value, _ in UNSET)])
def test_values(text: str, value: str, tmp_path: Path) -> None:
    env = parse(tmp_path, text)
    assert not any(each.refused for each in env.malformed)
    resolved = env.resolve({})
    assert resolved.bad == []
    assert resolved.values["A"] == value


@pytest.mark.parametrize(("text", "unset"), [(text, name) for text, _, name in UNSET])
def test_a_dollar_sign_that_means_a_variable_which_is_not_set(text: str, unset: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, COMPOSE, __env=f"{text}\n")
    (finding,) = found(UnsetVariables(), loaded)
    assert (finding.severity, finding.subject, finding.place.file) == ("warning", unset, f"{tmp_path}/.env")
    assert finding.message == f"{unset} is not set and is replaced by nothing"
    assert "single quotes" in finding.remedy


def test_the_line_of_the_variable_is_named_also_in_the_env_file_of_a_service(tmp_path: Path) -> None:
    compose = "services: {a: {image: x, env_file: [{path: own.env}, {path: raw.env, format: raw}]}}"
    text = "B=b\n# c\nPASSWORD=abc$def\nQUOTED='$x'\nTWICE=$$y\nOF=$B$TAG\n"
    loaded = project(tmp_path, compose, own__env=text, raw__env="PASSWORD=abc$def$ghi'\n", __env="TAG=1\n")
    findings = found(UnsetVariables(), loaded)
    assert [(one.subject, str(one.place)) for one in findings] == [("def", f"{tmp_path}/own.env:3")]
    bad = project(tmp_path, compose, own__env="A=1\nPASSWORD=abc${def\n", raw__env="A=${\n")
    (finding,) = found(ComposeValid(), bad)
    assert (finding.severity, str(finding.place)) == ("critical", f"{tmp_path}/own.env:2")
    assert "def" not in repr(finding)


@pytest.mark.parametrize("text", ["no variable\n", "A=abc${def\n"])
def test_of_a_service_whose_profile_is_off_it_is_a_warning(text: str, tmp_path: Path) -> None:
    compose = "services: {a: {image: x}, b: {image: x, profiles: [p], env_file: [b.env, gone.env]}}"
    loaded = project(tmp_path, compose, b__env=text)
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()))
    findings = [*EnvFiles().find(inputs), *ComposeValid().find(inputs)]
    assert [(one.severity, one.place.line) for one in findings] == [("warning", 1)]
    assert loaded.unread == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_compose_refuses(text: str, tmp_path: Path) -> None:
    loaded = project(tmp_path, COMPOSE, __env=f"GOOD=1\n{text}")
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()))
    findings = [*EnvFiles().find(inputs), *ComposeValid().find(inputs)]
    assert {(one.severity, str(one.place)) for one in findings} == {("critical", f"{tmp_path}/.env:2")}


@pytest.mark.servers
@pytest.mark.slow
def test_the_real_compose_thinks_the_same(tmp_path: Path) -> None:
    for compose in require_compose():
        project(tmp_path, "services: {a: {image: x, environment: {A: '$A'}}}")
        for text, value in VALUES:
            (tmp_path / ".env").write_bytes(text.encode())
            assert compose.environments(tmp_path)["a"]["A"] == value, (compose.program, text)
        for text, _, unset in UNSET:
            (tmp_path / ".env").write_text(text)
            judged = compose.config(tmp_path, "-q")
            assert (judged.refused, judged.unset) == (False, {unset}), (compose.program, text)
        for text in REFUSED:
            (tmp_path / ".env").write_text(text)
            assert compose.config(tmp_path, "-q").refused, (compose.program, text)


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_files_of_all_kinds_are_read_as_the_real_compose_reads_them(seed: int, tmp_path: Path) -> None:
    judges = require_compose()
    text = random_file(random.Random(seed))
    (tmp_path / ".env").write_bytes(text.encode())
    names = "{A: '${A-U}', B: '${B-U}', C: '${C-U}'}"
    loaded = project(tmp_path, f"services: {{a: {{image: x, environment: {names}}}}}")
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()))
    findings = [*EnvFiles().find(inputs), *ComposeValid().find(inputs), *UnsetVariables().find(inputs)]
    refused = any(one.severity == "critical" for one in findings)
    warned = {one.subject for one in findings if one.check == "unset-variables" and one.severity == "warning"}
    if any("up to 2.40" in one.message for one in findings):
        return  # there the two versions differ
    for compose in judges:
        judged = compose.config(tmp_path, "-q")
        assert judged.refused == refused, (compose.program, text, judged.complaint)
        if not refused:
            environment = loaded.services["a"].at("environment")
            assert environment is not None
            values = {name: node.text for name, node in environment.mapping.items()}
            assert compose.environments(tmp_path)["a"] == values, (compose.program, text)
            assert judged.unset == warned, (compose.program, text)


ATOMS = [
    *(
        "A",
        "B",
        "C",
        "=",
        ":",
        " ",
        "\t",
        "#",
        " #",
        "'",
        '"',
        "\\",
        "$",
        "$$",
        "${",
        "}",
        "{",
        "x",
        "1",
        "-",
        "[",
        "é",
    ),
    *("${A}", "${B:-x}", "${C-${A}}", "${B:+y}", "${Q:-{}}", "${B:?no}", "$A", "$Q", "\\n", "\\$", "\r\n", "\n", "\n"),
    *("A=", "B=", "C=", "export "),
]


def random_file(source: random.Random) -> str:
    """Lines that look like variables, or only a little."""
    if source.random() < 0.4:
        return "".join(source.choice(ATOMS) for _ in range(source.randint(2, 14)))
    return "\n".join(
        f"{name}={''.join(source.choice(ATOMS) for _ in range(source.randint(0, 6)))}"
        for name in source.choices("ABC", k=3)
    )


def test_references_and_what_is_set_elsewhere(tmp_path: Path) -> None:
    env = parse(tmp_path, "A=1\nB=${A}2\nC='${A}'\nD=$X\nX=late\nA=last\nINHERITED\n")
    assert env.values() == {"A": "last", "B": "12", "C": "${A}", "D": "", "X": "late"}
    assert env.values({"A": "outer"})["B"] == "outer2"


@pytest.mark.parametrize(
    ("text", "refused"),
    [("no variable\n", True), ("=b\n", False), ("A='never closed\n", True), ("A!=b\n", True), ("NAME", False)],
)
def test_lines_that_are_none(text: str, refused: bool, tmp_path: Path) -> None:
    env = parse(tmp_path, f"GOOD=1\n{text}")
    assert any(each.refused for each in env.malformed) == refused
    (finding,) = EnvFiles().find(Inputs(env_files=[env]))
    assert (finding.severity, finding.place.line) == ("warning", 2), "Compose does not read this file"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("API_KEY=   # only for the cloud", True),
        ("API_KEY=# none", True),
        ("API_KEY=#", True),
        ("DB_PASSWORD=#Zk83hdQ", False),
        ("API_KEY='# x'", False),
        ("API_KEY=x # y", False),
    ],
)
def test_a_comment_that_is_none(text: str, told: bool, tmp_path: Path) -> None:
    findings = list(EnvFiles().find(Inputs(env_files=[parse(tmp_path, text)])))
    assert [(one.severity, one.place.line) for one in findings] == [("warning", 1)] * told
    assert "cloud" not in repr(findings)


def test_a_secret_that_stands_twice_is_not_repeated(tmp_path: Path) -> None:
    env = parse(tmp_path, "A=hunter2-hunter2\nB=1\nA=hunter2-other\n")
    (finding,) = EnvFiles().find(Inputs(env_files=[env]))
    assert (finding.subject, finding.place.line) == ("A", 3)
    assert finding.message == "A is already set on line 1, with another value; this one wins"
    assert "hunter2" not in repr(env) + repr(finding)


BYTES = {
    b"# Schl\xfcssel\nP=abc\n": True,
    b"P=gr\xfcn\n": True,
    b'P="gr\xfcn"\n': True,
    b"P=\xa0x\n": True,
    b"P=a\0b\n": True,
    b"#\0\nP=abc\n": True,
    b"P\xfc=1\nP=abc\n": False,
    b"\xa0P=1\n": False,
    b"P\0=1\nP=2\n": False,
    b'P="\xfc\n': False,
    b"\xff\xfeP\0=\0a\0": False,
}
"""Files that are no UTF-8 text, and whether Compose reads them."""


@pytest.mark.parametrize("data", BYTES)
def test_what_is_no_text_is_read_as_compose_reads_it(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(data)
    loaded = project(tmp_path, "services: {a: {image: 'x:${P:?}'}}")
    inputs = Inputs(projects=[loaded], env_files=list(loaded.env_files.values()))
    findings = [one for check in (ComposeValid(), EnvFiles(), UnsetVariables()) for one in check.find(inputs)]
    assert ([one for one in findings if one.severity == "critical"] == []) == BYTES[data]
    repr(findings).encode()


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("data", BYTES)
def test_the_real_compose_reads_it_so(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(data)
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'x:1', environment: {A: '${P:?}'}}}")
    for compose in require_compose():
        assert compose.config(tmp_path, "-q").refused != BYTES[data], compose.program


def test_a_name_that_is_no_text_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_bytes(b"P\xfc=1\nP\xfc=changeme\n")
    env = parse_env(read_file(str(tmp_path / "a.env")), raw=True)
    checks = (EnvFiles(), Placeholders(["changeme"]))
    findings = [one for check in checks for one in check.find(Inputs(env_files=[env]))]
    assert [one.subject for one in findings] == ["P\\xfc"] * len(findings)
    assert "is already set on line 1" in findings[0].message
    for one in findings:
        f"{one.subject}{one.message}{one.place}".encode()


@pytest.mark.parametrize("compose", ["x:${P:?}", "${P}", "x:${P}", "x:${P-}"])
def test_what_an_unread_file_may_set_is_not_judged(compose: str, tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    loaded = project(tmp_path, f"services: {{a: {{image: '{compose}'}}}}")
    assert loaded.unreadable
    assert found(UnsetVariables(), loaded) + found(ComposeValid(), loaded) + found(Images(), loaded) == []


def test_values_do_not_grow_without_end(tmp_path: Path) -> None:
    lines = [f"A={'x' * 500_000}", *(f"B{at}=$A." for at in range(10_000))]
    values = parse(tmp_path, "\n".join(lines)).values()
    assert sum(map(len, values.values())) < 20_000_000
