"""The config in force, and its file as it is now."""

import asyncio
from collections.abc import Callable
from typing import Any

from exporter.base.threads import KeyedThreads, StillStuck
from exporter.configfile.dialect import dump
from exporter.configfile.file import Loaded, load
from exporter.configfile.masked import masked, plain
from exporter.configfile.problem import ConfigError
from remediator.config.config import Config
from remediator.config.guards import in_force
from remediator.control.settings import Settings, default_remedies
from remediator.model.errors import EXIT_FAILED, RequestError
from remediator.model.shapes.configuration import ConfigProblemView, ConfigurationView

SECONDS = 5.0
"""How long the file may take to be read."""


def effective(loaded: Loaded[Config]) -> dict[str, Any]:
    """The config in force as a document, with the remedies that ship if it names none, and with secrets masked."""
    config = loaded.value
    remedies = default_remedies() if config.remedies is None else config.remedies
    config = config.model_copy(update={"remedies": [in_force(remedy, config.guards) for remedy in remedies]})
    document: dict[str, Any] = masked(plain(config), loaded.source.from_environment)
    return document


class Configuring:
    """Shows the config. settings: those in force."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._threads = KeyedThreads()

    async def configuration(self) -> ConfigurationView:
        """Raises RequestError where the file cannot be read in time."""
        settings = self._settings()
        loaded = settings.loaded or Loaded(settings.config, None, "")
        try:
            async with asyncio.timeout(SECONDS):
                return await self._threads.run("config", lambda: _view(loaded))
        except (TimeoutError, StillStuck):
            raise RequestError("the file system of the config does not answer", 503, EXIT_FAILED) from None


def _view(loaded: Loaded[Config]) -> ConfigurationView:
    """Blocking."""
    problems: list[ConfigProblemView] = []
    pending = False
    try:
        pending = load(loaded.path, Config).digest != loaded.digest
    except ConfigError as error:
        pending = True
        problems = [
            {"line": one.line, "column": one.column, "key": one.key, "message": one.message, "hint": one.hint,
             "severity": one.severity}
            for one in error.problems
        ]  # fmt: skip
    path = None if loaded.path is None else str(loaded.path)
    return {"path": path, "text": dump(effective(loaded)), "problems": problems, "pending": pending}
