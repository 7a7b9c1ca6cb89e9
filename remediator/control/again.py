"""Errors of work that is retried anyway."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from remediator.model.errors import NoRoom

log = structlog.get_logger(__name__)


@contextmanager
def to_be_tried_again(failed: str) -> Iterator[None]:
    """Logs an error of writing the record and suppresses it: the work is done again later."""
    try:
        yield
    except NoRoom as error:
        log.debug(failed, error=str(error))  # the database has already warned of it
    except (SQLAlchemyError, OSError):
        log.exception(failed)
