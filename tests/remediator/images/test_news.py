"""What is known of images, kept and told."""

from pathlib import Path

import pytest

from remediator.images.news import (
    FOLDER,
    ImageNews,
    News,
    Result,
    after,
    read_news,
    read_result,
    read_results,
    standing,
    write_news,
    write_result,
)
from remediator.model.task import TaskError

NEW, NEWER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def one(digest: str = "", **more: object) -> ImageNews:
    return ImageNews.model_validate({"target": "pa.app", "checked": 100.0, "digest": digest, **more})


def test_what_waits_has_waited_since_it_was_first_seen() -> None:
    first = after(None, [one(NEW)], 100.0)
    assert [each.since for each in first.services] == [100.0]
    second = after(first, [one(NEWER, checked=200.0)], 200.0)
    assert [each.since for each in second.services] == [100.0], "a newer one does not make it wait anew"
    silent = after(second, [ImageNews(target="pa.app", error="away")], 300.0)
    assert [(each.since, each.checked, each.digest, each.error) for each in silent.services] == [
        (100.0, 200.0, NEWER, "away")
    ]
    taken = after(silent, [one(checked=400.0)], 400.0)
    assert [(each.since, each.error) for each in taken.services] == [(None, "")]
    assert [each.since for each in after(taken, [one(NEW)], 500.0).services] == [500.0]


def test_what_never_answered_is_known_by_its_error_alone() -> None:
    (found,) = after(None, [ImageNews(target="pa.app", error="away")], 300.0).services
    assert (found.checked, found.error, found.since) == (None, "away", None)


@pytest.mark.parametrize(
    ("news", "image", "version", "major"),
    [
        (one(), 0, 0, 0),
        (one(NEW, versions=2, majors=3), 1, 2, 3),
        (one(NEW, crosses=True, majors=3), 0, 0, 4),
    ],
)
def test_kinds(news: ImageNews, image: int, version: int, major: int) -> None:
    assert news.waiting == {"image": image, "version": version, "major": major}


def test_what_was_put_in_place_since_the_look_waits_no_more() -> None:
    news = News(at=100.0, services=[one(NEW, since=50.0)])
    services, results = standing(news, {"pa.app": Result(image=f"app:1@{NEW}", result="updated", at=200.0)})
    assert [(each.digest, each.since) for each in services] == [("", None)]
    assert results["pa.app"].result == "updated"


@pytest.mark.parametrize(
    ("digest", "looked", "told"), [(NEW, 300.0, True), (NEWER, 300.0, False), ("", 300.0, False), (NEWER, 100.0, True)]
)
def test_one_that_went_back_is_told_of_while_it_is_the_newest(digest: str, looked: float, told: bool) -> None:
    result = Result(image=f"app:1@{NEW}", result="went-back", at=200.0, problem="sick")
    _, results = standing(News(at=looked, services=[one(digest)]), {"pa.app": result})
    assert bool(results) == told


def test_nothing_is_told_of_a_service_that_is_gone() -> None:
    result = Result(image=f"app:1@{NEW}", result="asked", at=200.0)
    assert standing(News(at=300.0), {"pa.app": result}) == ([], {})
    assert standing(None, {"pa.app": result}) == ([], {"pa.app": result})


def test_kept_in_the_state_directory(tmp_path: Path) -> None:
    assert read_news(tmp_path) is None
    assert read_results(tmp_path) == {}
    news = News(at=100.0, services=[one(NEW, since=50.0)])
    write_news(tmp_path, news)
    assert read_news(tmp_path) == news
    result = Result(image=f"app:1@{NEW}", result="asked", at=200.0, problem="sick")
    write_result(tmp_path, "pa", "app.x", result)
    assert read_result(tmp_path, "pa", "app.x") == result
    assert read_results(tmp_path) == {"pa.app.x": result}
    (tmp_path / FOLDER / "news.json").write_text("no JSON")
    with pytest.raises(TaskError, match=r"news\.json cannot be read"):
        read_news(tmp_path)
