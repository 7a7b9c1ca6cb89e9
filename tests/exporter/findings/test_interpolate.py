"""Variables in Compose files, by the table of the Compose Specification."""

import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.findings.interpolate import MAX_LENGTH, BadReference, Use, interpolate
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
]


@pytest.mark.parametrize(("text", "expected"), [*SIMPLE, *SPECIFIED])
def test_values(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES)[0] == expected


@pytest.mark.parametrize(
    "text", ["${", "${SET", "${SET:-a", "${}", "${1}", "${SET/a/b}", "${SET:-${OTHER}", "${ SET }"]
)
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
        ("${SET:-$UNSET}", [Use("SET", "default", True)]),  # the default is not needed
        ("${UNSET:-$OTHER}", [Use("UNSET", "default", False), Use("OTHER", "plain", True)]),
        ("${UNSET:+$OTHER}", [Use("UNSET", "alternative", False)]),
        ("$$SET", []),
    ],
)
def test_uses(text: str, uses: list[Use]) -> None:
    assert interpolate(text, VARIABLES)[1] == uses


def test_it_neither_nests_nor_grows_without_end() -> None:
    with pytest.raises(BadReference, match="nested too deeply"):
        interpolate("${A:-" * 1000 + "}" * 1000, {})
    with pytest.raises(BadReference, match="too long"):
        interpolate("$A" * 10, {"A": "x" * (MAX_LENGTH // 5)})


@pytest.mark.servers
def test_the_real_compose_thinks_the_same(tmp_path: Path) -> None:
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
