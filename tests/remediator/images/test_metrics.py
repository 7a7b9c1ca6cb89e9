"""What is served of images."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from remediator.config.images import Images
from remediator.control.image_news import ImageNewsKeeper
from remediator.images.metrics import ImageMetrics
from remediator.images.news import FOLDER, ImageNews, News, Result, write_news, write_result

LIMITS = {
    "upkeeper_image_update_max_pending_seconds 2.592e+06",
    "upkeeper_image_check_max_age_seconds 259200.0",
}
DIGEST = "sha256:" + "1" * 64


def served(registry: CollectorRegistry) -> set[str]:
    return {line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")}


async def test_what_waits_and_what_became_of_the_last_update(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    keeper = ImageNewsKeeper(tmp_path, ImageMetrics(registry, Images))
    await keeper.refresh()
    assert served(registry) == LIMITS, "nobody has looked yet"
    write_news(
        tmp_path,
        News(
            at=500.0,
            services=[
                ImageNews(target="pa.app", checked=500.0, created=10.0, digest=DIGEST, since=400.0, versions=2),
                ImageNews(target="pa.db", checked=500.0, created=20.0, digest=DIGEST, since=400.0, crosses=True),
                ImageNews(target="pa.new", error="away"),
                ImageNews(target="pa.never", asked=False),
            ],
        ),
    )
    write_result(tmp_path, "pa", "app", Result(image=f"app:1@{DIGEST}", result="went-back", at=450.0))
    await keeper.refresh()
    result = 'upkeeper_image_update_last_result_timestamp_seconds{result="went-back",target="pa.app"} 450.0'
    assert served(registry) == {
        *LIMITS,
        "upkeeper_image_last_check_timestamp_seconds 500.0",
        'upkeeper_image_check_success{target="pa.app"} 1.0',
        'upkeeper_image_check_success{target="pa.db"} 1.0',
        'upkeeper_image_check_success{target="pa.new"} 0.0',
        'upkeeper_image_checked_timestamp_seconds{target="pa.app"} 500.0',
        'upkeeper_image_checked_timestamp_seconds{target="pa.db"} 500.0',
        'upkeeper_image_created_timestamp_seconds{target="pa.app"} 10.0',
        'upkeeper_image_created_timestamp_seconds{target="pa.db"} 20.0',
        'upkeeper_image_update_pending_since_timestamp_seconds{target="pa.app"} 400.0',
        'upkeeper_image_update_pending{kind="image",target="pa.app"} 1.0',
        'upkeeper_image_update_pending{kind="version",target="pa.app"} 2.0',
        'upkeeper_image_update_pending{kind="major",target="pa.app"} 0.0',
        'upkeeper_image_update_pending{kind="image",target="pa.db"} 0.0',
        'upkeeper_image_update_pending{kind="version",target="pa.db"} 0.0',
        'upkeeper_image_update_pending{kind="major",target="pa.db"} 1.0',
        result,
    }
    (tmp_path / FOLDER / "news.json").write_text("no JSON")
    await keeper.refresh()
    assert served(registry) == LIMITS, "what cannot be read is not served"
