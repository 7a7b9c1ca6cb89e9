"""A finding in a table."""

import pytest

from upkeeper.screens.findings import where


@pytest.mark.parametrize(
    ("places", "count", "shown"),
    [
        ([("/a/b.yaml", 3)], 1, "/a/b.yaml:3"),
        ([("/a/b.yaml", None)], 1, "/a/b.yaml"),
        ([("/a:b", 3), ("/a:b", 4)], 4, "/a:b:3 and 3 more"),
        ([("/a/x", None), ("/a/y", None)], 2, "/a/x and 1 more"),
    ],
)
def test_it_shows_the_first_place(places: list[tuple[str, int | None]], count: int, shown: str) -> None:
    assert where({"places": [{"file": file, "line": line} for file, line in places], "place_count": count}) == shown
