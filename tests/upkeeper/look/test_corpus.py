"""Every config of the corpus: the good ones mean what they say, the bad ones have exactly the problems they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exporter.configfile.file import load
from exporter.configfile.problem import ConfigError, Problem
from remediator.config.config import Config
from tests.upkeeper.look.corpus import BAD, ENV, GOOD, SECRET, expected


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(path, Config, env=ENV)
    return caught.value.problems


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_config_has_exactly_its_problems_in_the_order_of_the_file(path: Path) -> None:
    problems, wanted = problems_of(path), expected(path)
    assert [(problem.line, problem.key) for problem in problems] == [(each.line, each.key) for each in wanted]
    for problem, each in zip(problems, wanted, strict=True):
        assert each.fragment in f"{problem.message} ({problem.hint})"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_problem_says_where_it_is_and_no_secret(path: Path) -> None:
    lines = path.read_bytes().count(b"\n") + 1
    for problem in problems_of(path):
        assert problem.file == str(path)
        assert problem.line is not None
        assert 1 <= problem.line <= lines
        assert problem.column is None or problem.column >= 1
        text = str(problem)
        assert text.startswith(f"{path}:{problem.line}: ")
        assert text.isprintable()
        assert SECRET not in text


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(BAD) >= 40
    assert len(GOOD) >= 10


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_config_means_what_it_says(path: Path) -> None:
    document = load(path, Config, env=ENV).value.model_dump(mode="json", by_alias=True)
    for line in path.read_text("utf-8-sig").splitlines():
        if line.startswith("#= "):
            key, value = line.removeprefix("#= ").split(" | ", 1)
            assert at(document, key) == json.loads(value), key


def at(document: Any, key: str) -> Any:
    """The value at a key such as ``logs[0].path``."""
    for part in re.findall(r"[^.\[\]]+", key):
        document = document[int(part) if part.isdigit() else part]
    return document
