"""When images were last used, as it is written down."""

from pathlib import Path

import pytest

from exporter.docker.image_uses import ImageUses, is_news, merged, path_of, read, write

NOW = 1_000_000.0


def test_it_begins_with_what_is_used_now() -> None:
    uses = merged(None, {"a"}, {"a", "b"}, NOW)
    assert uses == ImageUses(since=NOW, used={"a": NOW})
    assert (uses.last("a"), uses.last("b"), uses.last("c")) == (NOW, NOW, NOW)


def test_a_use_is_kept_until_the_image_is_gone() -> None:
    before = ImageUses(since=1.0, used={"a": 5.0, "b": 6.0, "gone": 7.0})
    after = merged(before, {"b"}, {"a", "b"}, NOW)
    assert after == ImageUses(since=1.0, used={"a": 5.0, "b": NOW})
    assert after.last("new") == 1.0


def test_a_clock_that_was_wrong() -> None:
    assert merged(ImageUses(since=NOW + 1, used={"a": NOW + 9}), set(), {"a"}, NOW) == ImageUses(since=NOW)
    assert merged(ImageUses(since=1.0, used={"a": NOW + 9}), set(), {"a"}, NOW).used == {"a": NOW}


@pytest.mark.parametrize(
    ("after", "news"),
    [
        ({"a": 10.0}, False),
        ({"a": 3000.0}, False),
        ({"a": 3700.0}, True),
        ({"a": 10.0, "b": 10.0}, True),
        ({}, True),
    ],
)
def test_what_is_worth_a_write(after: dict[str, float], news: bool) -> None:
    assert is_news(ImageUses(since=1.0, used={"a": 10.0}), ImageUses(since=1.0, used=after)) == news
    assert is_news(None, ImageUses(since=1.0))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    assert read(path) is None
    uses = ImageUses(since=1.5, used={"sha256:a": 2.5})
    write(path, uses)
    assert read(path) == uses
    path.write_text("{")
    assert read(path) is None, "begun anew, with which nothing is taken for older than it is"
