"""Work that comes round again."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from remediator.model.errors import NoRoom

log = structlog.get_logger(__name__)


@contextmanager
def to_be_tried_again(failed: str) -> Iterator[None]:
    """Logs what kept the record from being written, and goes on."""
    try:
        yield
    except NoRoom as error:
        log.debug(failed, error=str(error))  # the record's own watch of its room has warned of it
    except (SQLAlchemyError, OSError):
        log.exception(failed)
