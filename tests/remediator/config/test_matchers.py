"""The matcher table, checked against the real amtool: which texts are valid, and which label sets each one matches."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from remediator.config.matchers import Matcher, MatcherError, matches_all, parse_matchers
from tests.helpers import missing, require_program
from tests.remediator.config.matcher_table import CLASSIC, CLASSIC_LABELS, INVALID, LABELS, TABLE, LabelSets, Table


def matched(matchers: tuple[Matcher, ...]) -> set[str]:
    return {name for name, labels in LABELS.items() if matches_all(matchers, labels)}


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=lambda value: ascii(value) if isinstance(value, str) else "")
def test_table(text: str, expected: set[str] | None) -> None:
    if expected is INVALID:
        with pytest.raises(MatcherError, match=r"\Acolumn \d+: [^\n]+\Z"):
            parse_matchers(text)
        return
    matchers = parse_matchers(text)
    assert matched(matchers) == expected
    canonical = ",".join(map(str, matchers))
    assert parse_matchers(canonical) == matchers
    assert ",".join(map(str, parse_matchers(canonical))) == canonical


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a", "column 2: expected an operator (=, !=, =~ or !~), found the end"),
        ("=x", "column 1: expected a label name, found '='"),
        ("a-b=x c", "column 7: expected a comma or the end, found 'c'"),
        ("{a-b=x c}", "column 8: expected a comma or a closing brace, found 'c'"),
        ('"é=x', "column 1: this double quote is never closed"),
        ('severity=~"warning|(critical"', "column 11: not a regular expression of RE2 (missing ): warning|(critical)"),
        (r'a=~"\d["', r"column 4: not a regular expression of RE2 (missing ]: [)"),
        ("a=\ud800", "column 3: half of a surrogate pair; the text must be valid Unicode"),
    ],
)
def test_an_error_names_the_place_and_what_would_be_right(text: str, error: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert str(caught.value) == error


def test_a_regular_expression_too_large_to_be_cheap_is_refused() -> None:
    with pytest.raises(MatcherError, match="too large"):
        Matcher("a", "=~", r"(\pL{900})" * 20)


def test_a_regular_expression_takes_linear_time() -> None:
    assert not Matcher("a", "=~", "(x+x+)+y").matches({"a": "x" * 100_000})


def test_a_label_value_that_is_not_unicode_breaks_nothing() -> None:
    assert Matcher("a", "!~", "x").matches({"a": "\ud800"})


# --- amtool's word


def yaml_string(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def config(matchers: list[str]) -> str:
    """An Alertmanager configuration in which the route of matcher i leads to receiver i, and all routes are tried."""
    routes = [
        f"  - {{matchers: [{yaml_string(text)}], receiver: r{i}, continue: true}}" for i, text in enumerate(matchers)
    ]
    receivers = [f"- name: r{i}" for i in range(len(matchers))]
    return "\n".join(["route:", "  receiver: nobody", "  routes:", *routes, "receivers:", "- name: nobody", *receivers])


def label_argument(name: str, value: str) -> str:
    def quote(text: str) -> str:
        return '"' + re.sub(r'(["\\])', r"\\\1", text).replace("\n", "\\n") + '"'

    return f"{name if re.fullmatch('[a-zA-Z_:]+', name) else quote(name)}={quote(value)}"


def understands_utf8(amtool: str, directory: Path) -> bool:
    """Asks rather than reads ``--version``: an amtool built by ``go install`` does not know its own."""
    probe = directory / "probe.yml"
    probe.write_text(config(['"quoted name"=x']))
    return subprocess.run([amtool, "check-config", probe], capture_output=True).returncode == 0


@pytest.fixture(params=["classic", "utf8"])
def amtool(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Table, LabelSets]:
    """A program, and the rows and label sets that it can judge."""
    if request.param == "classic":
        return require_program("amtool", "prometheus-alertmanager"), CLASSIC, CLASSIC_LABELS
    program = os.environ.get("UPKEEPER_AMTOOL") or require_program("amtool", "prometheus-alertmanager")
    if not understands_utf8(program, tmp_path):
        missing(f"{program} is older than 0.27 and knows no UTF-8 matchers; set UPKEEPER_AMTOOL to a newer one")
    return program, TABLE, LABELS


def test_amtool_agrees_on_what_is_valid(amtool: tuple[str, Table, LabelSets], tmp_path: Path) -> None:
    program, table, _ = amtool
    files = []
    for i, (text, _) in enumerate(table):
        files.append(tmp_path / f"{i}.yml")
        files[-1].write_text(config([text]))
    output = subprocess.run([program, "check-config", *files], capture_output=True, text=True).stdout
    verdicts = {}
    for part in output.split("Checking '")[1:]:
        number = re.match(r"[^']*/(\d+)\.yml'", part)
        assert number
        verdicts[int(number[1])] = "FAILED" not in part
    assert verdicts == {i: expected is not INVALID for i, (_, expected) in enumerate(table)}


def test_amtool_agrees_on_what_matches(amtool: tuple[str, Table, LabelSets], tmp_path: Path) -> None:
    program, table, label_sets = amtool
    valid = [(text, expected) for text, expected in table if expected is not INVALID]
    file = tmp_path / "alertmanager.yml"
    file.write_text(config([text for text, _ in valid]))
    for name, labels in label_sets.items():
        arguments = [label_argument(*label) for label in labels.items()]
        output = subprocess.run(
            [program, "config", "routes", "test", f"--config.file={file}", *arguments],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        receivers = output.splitlines()[-1].split(",")
        assert [text for i, (text, _) in enumerate(valid) if f"r{i}" in receivers] == [
            text for text, expected in valid if name in expected
        ], name
