"""Each test of the shared store has one version of PostgreSQL, and each version about half of the tests."""

from tests.turns import VERSIONS, has_its_turn

STORE = "tests/remediator/store/test_runs.py::test_"


def test_one_version_each_and_both_are_tried() -> None:
    turns = [[has_its_turn(f"{STORE}{number}[{version}-x]") for version in VERSIONS] for number in range(100)]
    assert all(sum(both) == 1 for both in turns)
    assert 30 < sum(first for first, _ in turns) < 70


def test_what_names_no_version_or_is_of_something_else_is_always_tried() -> None:
    assert has_its_turn(f"{STORE}1[sqlite]")
    assert all(has_its_turn(f"tests/exporter/postgres/test_x.py::test_y[{version}]") for version in VERSIONS)
