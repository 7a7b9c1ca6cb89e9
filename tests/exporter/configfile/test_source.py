"""What a file may be, apart from what it says: its encoding, size and depth, where it is, and values from elsewhere."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.configfile.file import load
from exporter.configfile.problem import ConfigError, Problem
from remediator.config.config import Config

SECRET = "s3cr3t-value"


def read(
    tmp_path: Path, content: str | bytes, env: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Problem]]:
    """The config in a file of this content, and what is wrong with it."""
    path = tmp_path / "upkeeper.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        return load(path, Config, env=env or {}).value, []
    except ConfigError as error:
        return None, error.problems


def only(tmp_path: Path, content: str | bytes) -> Problem:
    """The one problem of a file."""
    [problem] = read(tmp_path, content)[1]
    return problem


def probe(key: str, value: str) -> str:
    return f"services: [{{name: web, probes: [{{url: 'http://127.0.0.1/', {key}: {value}}}]}}]"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"logs: []\n# caf\xe9\n", 2),
        ("logs: []\n".encode("utf-16"), 1),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", 1),
    ],
    ids=["latin-1", "utf-16", "gzip"],
)
def test_a_file_that_is_not_utf_8(tmp_path: Path, content: bytes, line: int) -> None:
    problem = only(tmp_path, content)
    assert (problem.line, problem.message) == (line, "the file is not UTF-8 text")


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f"])
def test_a_control_character(tmp_path: Path, character: str) -> None:
    problem = only(tmp_path, f"logs: []\nservices: [] {character}\n")
    assert (problem.line, problem.column) == (2, 14)
    assert ascii(character) in problem.message
    assert character not in str(problem)


@pytest.mark.parametrize(
    "content",
    [
        "logs: " + "[" * 10_000 + "]" * 10_000,
        "logs: " + "[" * 10_000,
        "docker: " + "{a: " * 10_000 + "}" * 10_000,
        "logs:\n" + "- " * 10_000 + "x",
        "".join(" " * depth + "a:\n" for depth in range(2_000)),
    ],
    ids=["lists", "open lists", "mappings", "items", "indentation"],
)
def test_ten_thousand_levels_are_one_clear_error(tmp_path: Path, content: str) -> None:
    assert only(tmp_path, content).message == "the document is nested too deeply"


def generations(item: str, first: str) -> str:
    """Nine generations of anchors, each made of nine times the one before."""
    lines = [f"a: &a {first}"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} " + item.format(", ".join([f"*{before}"] * 9)))
    return "\n".join(lines) + "\nlogs: *i\n"


def test_a_billion_laughs_are_one_clear_error(tmp_path: Path) -> None:
    assert "unfolds to more than" in only(tmp_path, generations("[{}]", "[lol]")).message


def test_a_billion_merges_are_merged_once_each(tmp_path: Path) -> None:
    _, problems = read(tmp_path, generations("{{<<: [{}]}}", "{x: 1}"))
    assert {problem.key for problem in problems} == {*"abcdefghi", "logs"}


@pytest.mark.parametrize("content", ["a: &a {<<: *a}", "a: &a {b: {<<: [*a]}}", "a: &a [*a]", "a: &a {b: &b {c: *a}}"])
def test_what_holds_itself_is_one_clear_error(tmp_path: Path, content: str) -> None:
    assert only(tmp_path, content).message == "an alias refers to a value that contains it"


def test_a_merged_key_gives_way_to_the_mapping_s_own_and_to_what_is_merged_earlier(tmp_path: Path) -> None:
    config, _ = read(
        tmp_path,
        "collectors:\n"
        "  filesystem: &first {interval: 1m}\n"
        "  logs: &second {interval: 2m, deadline: 30s}\n"
        "  docker: {<<: [*first, *second]}\n"
        "  services: {deadline: 7s, <<: *second}\n",
    )
    assert config is not None
    assert (config.collectors.docker.interval, config.collectors.docker.deadline) == (60, 30)
    assert (config.collectors.services.interval, config.collectors.services.deadline) == (120, 7)


def test_scalars_mean_what_they_mean_in_yaml_1_2(tmp_path: Path) -> None:
    config, _ = read(tmp_path, "filesystems: {exclude_fstypes: [on, no, 1:30, 2024-01-31, 0o17, 0x1F, 1_000, =]}")
    assert config is not None
    assert config.filesystems.exclude_fstypes == ["on", "no", "1:30", "2024-01-31", "0o17", "0x1F", "1_000", "="]


def test_values_from_the_environment(tmp_path: Path) -> None:
    header = "'${SCHEME} ${TOKEN}$$ $$${TOKEN} $${TOKEN} $ $TOKEN'"
    config, _ = read(tmp_path, probe("headers", f"{{X: {header}}}"), {"SCHEME": "Bearer", "TOKEN": "${SCHEME}$$"})
    assert config is not None
    assert config.services[0].probes[0].headers["X"] == "Bearer ${SCHEME}$$$ $${SCHEME}$$ ${TOKEN} $ $TOKEN"


def test_a_number_from_the_environment(tmp_path: Path) -> None:
    config, _ = read(tmp_path, "remediator: {workers: '${N}'}", {"N": "7"})
    assert config is not None
    assert config.remediator.workers == 7


def test_an_empty_variable_is_set_and_one_that_is_not_set_is_a_problem(tmp_path: Path) -> None:
    config, _ = read(tmp_path, probe("headers", "{X: 'a${EMPTY}b'}"), {"EMPTY": ""})
    assert config is not None
    assert config.services[0].probes[0].headers["X"] == "ab"
    problem = only(tmp_path, probe("headers", "{X: '${EMPTY}'}"))
    assert problem.message == "the environment has no variable EMPTY"


@pytest.mark.parametrize(
    "content",
    [
        "logs: [{name: 'a ${S}', path: /a, max_bytes: 1}]",
        "logs: [{name: '${S}', path: /a, max_bytes: 1}, {name: '${S}', path: /b, max_bytes: 1}]",
        "logs: [{name: a, path: '${S}', max_bytes: '${S}'}]",
        "services: [{name: a, probes: [{url: 'http://u:${S}@127.0.0.1/'}]}]",
        "services: [{name: a, probes: [{url: {x: '${S}'}}]}]",
        "services: [{name: a, probes: [{url: 'tcp://${S}'}]}]",
        probe("headers", "'${S}'"),
        probe("headers", "{Authorization: ['${S}']}"),
        probe("body_regex", "'(${S}'"),
        probe("method", "'${S}'"),
        probe("timeout", "'${S}'"),
        probe("headers", f"{{Authorization: {{a: {SECRET}}}}}"),
        probe(
            "headers", f"{{X-Api-Key: [{SECRET}], apikey: [{SECRET}], Cookie: [{SECRET}], X-Auth-Token: [{SECRET}]}}"
        ),
        "remedies: [{name: a, match: ['x=~\"(${S}\"'], task: a, target: b}]",
        "remediator: {workers: '${S}'}",
        "collectors: {logs: {enabled: '${S}'}}",
        "docker: '${S}'",
        "docker: {host: &x '${S}'}\nprometheus: {url: *x}",
        "collectors: {logs: &x {interval: '${S}'}, docker: {<<: *x}}",
        "unknown: ${S}",
        "${S}: 1",
        f"password: {SECRET}",
        f"notify: {{email: {{password: {SECRET}}}}}",
        f"notify: {{email: {{password: *{SECRET}}}}}",
        f"notify: {{email: {{password: !{SECRET} x}}}}",
        f'notify: {{email: {{password: "{SECRET}\\q"}}}}',
        f"notify:\n  email:\n    password: {SECRET}: x\n",
    ],
)
def test_no_secret_is_in_the_text_of_a_problem(tmp_path: Path, content: str) -> None:
    _, problems = read(tmp_path, content, {"S": SECRET})
    assert problems
    assert SECRET not in str(ConfigError(problems))


def test_half_of_a_surrogate_pair_is_refused_where_it_stands(tmp_path: Path) -> None:
    for content in ('"\\ud800": 1', 'filesystems: {exclude_fstypes: ["\\ud800"]}', probe("headers", '{X: "\\udfff"}')):
        problem = only(tmp_path, content)
        assert problem.line == 1
        assert str(problem).isprintable()


def test_a_size_that_no_machine_can_hold_is_refused(tmp_path: Path) -> None:
    for size in ("9" * 400, "99999EB"):
        problem = only(tmp_path, f"logs: [{{name: app, path: /srv/app, max_bytes: {size}}}]")
        assert problem.key == "logs[0].max_bytes"


def test_thousands_of_mistakes_are_all_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "".join(f"key{number}: 1\n" for number in range(3_000)))
    assert [problem.line for problem in problems] == list(range(1, 3_001))
