"""Variables in Compose files, by the table of the Compose Specification."""

import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.findings.interpolate import ELSEWHERE, MAX_LENGTH, BadReference, Use, interpolate
from tests.compose import require_compose
from tests.helpers import require_program

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "more"}

SIMPLE = [
    ("plain", "plain"),
    ("$SET", "value"),
    ("${SET}", "value"),
    ("a${SET}b$SET-c", "avalueb" "value-c"),
    ("$UNSET.", "."),
    ("${UNSET}", ""),
    ("${SET:-default}", "value"),
    ("${EMPTY:-default}", "default"),
    ("${EMPTY-default}", ""),
    ("${UNSET:-default}", "default"),
    ("${UNSET-default}", "default"),
    ("${UNSET:-}", ""),
    ("${UNSET:-a:b/c d}", "a:b/c d"),
    ("${SET:?needed}", "value"),
    ("$$SET", "$SET"),
    ("$${SET}", "${SET}"),
    ("$$", "$"),
]  # fmt: skip
SPECIFIED = [
    ("${SET:+other}", "other"),
    ("${EMPTY:+other}", ""),
    ("${EMPTY+other}", "other"),
    ("${UNSET+other}", ""),
    ("${UNSET:-${OTHER}}", "more"),
    ("${UNSET:-${NOT_THERE:-deep}}x", "deepx"),
    ("${UNSET:-$OTHER-$SET}", "more-value"),
    ("costs 5$", "costs 5$"),
    ("$1", "$1"),
    ("ü$SET", "üvalue"),
    ('${UNSET:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
    ('${SET:-{"a": 1}}', "value"),
    ("${UNSET:-{}}", "{}"),
    ("${UNSET:-{}", "{"),
    ("${UNSET:-a}b}", "ab}"),
    ("${UNSET:-${OTHER}}${SET}", "morevalue"),
    ("${SET:-${OTHER}}\n${EMPTY:-x}", "value\nx"),
]

REFUSED = [
    *("${", "${SET", "${SET:-a", "${}", "${1}", "${SET/a/b}", "${UNSET:-${OTHER}", "${ SET }"),
    *("${UNSET:-{}} ${SET}", "${UNSET:-a\nb}"),
    "${SET:-${OTHER}",  # by Compose up to 2.40 only
]


@pytest.mark.parametrize(("text", "expected"), [*SIMPLE, *SPECIFIED])
def test_values(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES).text == expected


@pytest.mark.parametrize("text", REFUSED)
def test_what_compose_refuses(text: str) -> None:
    with pytest.raises(BadReference) as caught:
        interpolate(text, VARIABLES)
    assert "SET" not in str(caught.value), "nothing of the text is quoted"


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("$SET ${UNSET}", [Use("SET", "plain", True), Use("UNSET", "plain", False)]),
        ("${EMPTY}", [Use("EMPTY", "plain", True)]),
        ("${EMPTY:?x}", [Use("EMPTY", "required", False)]),
        ("${EMPTY?x}", [Use("EMPTY", "required", True)]),
        ("${SET:-$UNSET}", [Use("SET", "default", True), Use("UNSET", "plain", False, needed=False)]),
        ("${UNSET:-$OTHER}", [Use("UNSET", "default", False), Use("OTHER", "plain", True)]),
        ("${UNSET:+$OTHER}", [Use("UNSET", "alternative", False), Use("OTHER", "plain", True, needed=False)]),
        ("$$SET", []),
    ],
)
def test_uses(text: str, uses: list[Use]) -> None:
    assert list(interpolate(text, VARIABLES).uses) == uses


def test_it_neither_nests_nor_grows_without_end() -> None:
    with pytest.raises(BadReference, match="nested too deeply"):
        interpolate("${A:-" * 1000 + "}" * 1000, {})
    with pytest.raises(BadReference, match="too long"):
        interpolate("$A" * 10, {"A": "x" * (MAX_LENGTH // 5)})


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("plain", "plain"),
        ("a${SET}b", f"a{ELSEWHERE}b"),
        ("${UNSET:-changeme}", "changeme"),
        ("${SET:-changeme}", ELSEWHERE),
        ("${SET:?changeme}", ELSEWHERE),
        ("${SET:+changeme}", "changeme"),
        ("${UNSET:+changeme}", ""),
        ("${UNSET:-${SET}-x}", f"{ELSEWHERE}-x"),
        ("amqp://guest:$SET@mq", f"amqp://guest:{ELSEWHERE}@mq"),
        ("a$$b", "a$b"),
    ],
)
def test_what_is_written_here_and_in_force(text: str, own: str) -> None:
    assert interpolate(text, VARIABLES).own == own


@pytest.mark.servers
@pytest.mark.slow
def test_the_real_compose_thinks_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SET=value\nEMPTY=\nOTHER=more\n")
    cases = [*SIMPLE, *SPECIFIED]
    texts = {f"V{at}": text for at, (text, _) in enumerate(cases)}
    document = {"services": {"a": {"image": "x", "environment": texts}}}
    for compose in require_compose():
        (tmp_path / "compose.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
        assert compose.environments(tmp_path)["a"] == {f"V{at}": value for at, (_, value) in enumerate(cases)}
        for text in REFUSED[:-1]:
            refused = {"services": {"a": {"image": "x", "environment": {"V": text}}}}
            (tmp_path / "compose.yaml").write_text(yaml.safe_dump(refused))
            assert compose.config(tmp_path, "-q").refused, (compose.program, text)


@pytest.mark.servers
def test_the_old_compose_thinks_the_same_of_what_is_simple(tmp_path: Path) -> None:
    program = require_program("docker-compose", "docker-compose")
    texts = [text for text, _ in SIMPLE]
    (tmp_path / ".env").write_text("SET=value\nEMPTY=\nOTHER=more\n")
    document = {"services": {"a": {"image": "x", "environment": {f"V{at}": text for at, text in enumerate(texts)}}}}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(document))
    done = subprocess.run([program, "config"], cwd=tmp_path, capture_output=True, text=True, check=True)
    said = yaml.safe_load(done.stdout)["services"]["a"]["environment"]
    # What `config` prints can be read again, so that its dollar signs are doubled.
    assert {name: value.replace("$$", "$") for name, value in said.items()} == {
        f"V{at}": expected for at, (_, expected) in enumerate(SIMPLE)
    }
