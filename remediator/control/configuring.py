"""The config in force, and its file as it is now."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from exporter.base.threads import KeyedThreads, StillStuck
from exporter.configfile.dialect import dump
from exporter.configfile.file import Loaded, load
from exporter.configfile.masked import masked, plain
from exporter.configfile.problem import ConfigError
from remediator.config.config import Config
from remediator.config.guards import in_force
from remediator.config.shipped import default_remedies
from remediator.control.settings import Settings
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
        self._shown: tuple[Loaded[Config] | Config, str] | None = None
        """What was written out last, as that takes a tenth of a second."""

    async def configuration(self) -> ConfigurationView:
        """Raises RequestError where the file cannot be read in time."""
        settings = self._settings()
        try:
            async with asyncio.timeout(SECONDS):
                return await self._threads.run("config", lambda: self._view(settings))
        except (TimeoutError, StillStuck):
            raise RequestError("the file system of the config does not answer", 503, EXIT_FAILED) from None

    def _view(self, settings: Settings) -> ConfigurationView:
        """Blocking."""
        loaded = settings.loaded or Loaded(settings.config, None, "")
        pending, problems = _problems(loaded)
        path = None if loaded.path is None else str(loaded.path)
        return {"path": path, "text": self._text(settings, loaded), "problems": problems, "pending": pending}

    def _text(self, settings: Settings, loaded: Loaded[Config]) -> str:
        key = settings.loaded or settings.config
        if self._shown is None or self._shown[0] is not key:
            self._shown = (key, dump(effective(loaded)))
        return self._shown[1]


def _problems(loaded: Loaded[Config]) -> tuple[bool, list[ConfigProblemView]]:
    """Whether the file says something else than what is in force, and what is wrong with it. Blocking."""
    if loaded.path is None:
        return False, []
    with suppress(OSError):  # it is said below, with its remedy
        if hashlib.sha256(loaded.path.read_bytes()).hexdigest() == loaded.digest:
            return False, []
    try:
        return load(loaded.path, Config).digest != loaded.digest, []
    except ConfigError as error:
        return True, [
            {"line": one.line, "column": one.column, "key": one.key, "message": one.message, "hint": one.hint,
             "severity": one.severity}
            for one in error.problems
        ]  # fmt: skip
