"""What is known of the images of services, from the state directory into the metrics."""

import asyncio
from pathlib import Path

import structlog

from exporter.base.errors import UpkeeperError
from remediator.images.metrics import ImageMetrics
from remediator.images.news import read_news, read_results

log = structlog.get_logger(__name__)


class ImageNewsKeeper:
    """Keeps the metrics of images up to date. state_dir: where the files of the task are."""

    def __init__(self, state_dir: Path, metrics: ImageMetrics) -> None:
        self._state_dir, self._metrics = state_dir, metrics

    async def refresh(self) -> None:
        """What cannot be read is not served: the rules about it see nothing, and say nothing false."""
        try:
            news = await asyncio.to_thread(read_news, self._state_dir)
            results = await asyncio.to_thread(read_results, self._state_dir)
        except UpkeeperError as error:
            log.warning("what is known of images is not served", error=str(error))
            news, results = None, {}
        self._metrics.seen(news, results)
