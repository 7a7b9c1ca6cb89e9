"""The order in which tests begin, and which of them share a worker."""

from pathlib import Path

import pytest

from tests.order import LONGEST, NEO4J, NEO4J_FILES, rank, shares


def test_every_file_and_folder_that_is_named_exists() -> None:
    root = Path(__file__).parents[1]
    assert [name for name in (*LONGEST, *NEO4J_FILES) if not (root / name).exists()] == []


def test_all_that_use_the_shared_neo4j_servers_do_so_in_one_worker(request: pytest.FixtureRequest) -> None:
    using = [item.nodeid for item in request.session.items if NEO4J.intersection(getattr(item, "fixturenames", ()))]
    assert {shares(nodeid) for nodeid in using} <= {"neo4j"}


def test_the_longest_begin_first_and_tests_of_a_file_share_a_worker() -> None:
    short, long = "tests/test_order.py::test_x[a::b]", f"{LONGEST[0]}::test_y"
    assert sorted([short, long], key=rank) == [long, short]
    assert shares(short) == "tests/test_order.py"
