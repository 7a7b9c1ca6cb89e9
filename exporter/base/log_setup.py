"""Log lines: to standard error, as JSON unless that is a terminal, where they are sentences.

Standard library loggers (aiohttp, docker, DBOS ...) go through the same processors, so that every line has one form.
"""

import logging
import os
import sys
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.base.prose import Prose, local_time
from exporter.base.visible import visible

_CHATTY = ("aiohttp.access", "alembic", "asyncio", "docker", "urllib3", "watchfiles")
"""Libraries whose informational lines say nothing that our own do not."""

_SILENT = ("neo4j",)
"""Libraries that also log as an error what they raise, and so what our own lines say once."""

_INDISCREET = ("httpcore", "httpx")
"""Libraries whose lines hold URLs and headers, where secrets may be; ``upkeeper probe --debug`` shows them without."""

_ACCEPT_SECONDS = 60.0


class _OncePerMinute(logging.Filter):
    """Lets through one line a minute about connections that cannot be accepted.

    Where file descriptors run out, asyncio logs it with a traceback for each of its attempts: thousands of lines a
    second, which would soon fill a disk.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith("socket.accept() out of system resource"):
            return True
        now = self._monotonic()
        if now - self._at < _ACCEPT_SECONDS:
            return False
        self._at = now
        return True


_accepting = _OncePerMinute()


def configure(json: bool | None = None, level: str = "info") -> None:
    """Sets up structlog and the root logger. May be called again; the last call holds.

    json: one JSON document a line; None means JSON unless standard error is a terminal.
    level: ``debug``, ``info``, ``warning`` or ``error``, in any case. Anything else raises ValueError.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"{level!r} is not a log level; use debug, info, warning or error")
    if json is None:
        json = not sys.stderr.isatty()

    every_line: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True) if json else local_time(),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *every_line,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *every_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(json)],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(threshold)
    logging.captureWarnings(True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if threshold <= logging.DEBUG else logging.WARNING)
    logging.getLogger("asyncio").addFilter(_accepting)  # once, however often it is added
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.NOTSET if threshold <= logging.DEBUG else logging.CRITICAL)
    for name in _INDISCREET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers(json: bool) -> list[Processor]:
    if json:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    # Plain tracebacks: the pretty ones print local variables, which may hold secrets.
    colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return [_escape_controls, structlog.processors.format_exc_info, Prose(colours)]


def _escape_controls(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """What comes from outside, such as an alert's label, must not steer the terminal."""
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = visible(value)
    return line
