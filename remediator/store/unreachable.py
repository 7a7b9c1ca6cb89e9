"""A database that lets nobody in, or is not there, as one sentence for people."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from remediator.model.errors import EXIT_UNREACHABLE, ClientError


def unreachable(error: SQLAlchemyError, place: Path | str) -> ClientError | None:
    """What to say of it, without the password; None of a file, and of an error that says something else.

    place: the file, or the URL of the database.
    """
    if isinstance(place, Path) or not isinstance(error, OperationalError):
        return None
    url = sa.make_url(place)
    where = f"{url.database} on {url.host or 'this machine'}{f':{url.port}' if url.port else ''}"
    said = str(error.orig).strip().partition("\n")[0].removeprefix("connection failed: ")
    return ClientError(
        f"cannot use the database {where} (`state: {{database_url_file: ...}}`): {said}", EXIT_UNREACHABLE
    )
