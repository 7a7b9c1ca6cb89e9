"""What runs made for people, with its bytes. It goes with its run."""

import hashlib
import re
from collections.abc import Sequence

import sqlalchemy as sa

from remediator.model.artefact import Artefact
from remediator.store.tables import artefacts

MAX_BYTES = 32 * 1024 * 1024
"""Of one artefact: it is in memory as a whole while it is stored and read."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
"""The name of a file, which the person who fetches it has it stored under."""
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}(; charset=utf-8)?", re.ASCII)

_WITHOUT_CONTENT = [column for column in artefacts.c if column is not artefacts.c.content]


def keep(connection: sa.Connection, run_id: int, *, name: str, media_type: str, content: bytes, now: float) -> Artefact:
    """Stores what a run has made, in place of what it made under that name before a crash.

    Raises ValueError for an invalid file name or media type, and for more than MAX_BYTES.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of an artefact")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"{media_type!r} is not a media type")
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name} has {len(content)} bytes, more than the {MAX_BYTES} that an artefact may have")
    connection.execute(artefacts.delete().where(artefacts.c.run_id == run_id, artefacts.c.name == name))
    row = connection.execute(
        artefacts.insert()
        .values(
            run_id=run_id,
            name=name,
            media_type=media_type,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            made_at=now,
            content=content,
        )
        .returning(*_WITHOUT_CONTENT)
    ).one()
    return Artefact(**row._mapping)


def of_run(connection: sa.Connection, run_id: int) -> Sequence[Artefact]:
    """What a run has made, oldest first."""
    select = sa.select(*_WITHOUT_CONTENT).where(artefacts.c.run_id == run_id).order_by(artefacts.c.id)
    return [Artefact(**row._mapping) for row in connection.execute(select)]


def read(connection: sa.Connection, artefact_id: int) -> tuple[Artefact, bytes]:
    """An artefact with its bytes, which are those that were stored.

    Raises LookupError if none has that id, and ValueError when it is not what was stored.
    """
    row = connection.execute(sa.select(artefacts).where(artefacts.c.id == artefact_id)).first()
    if row is None:
        raise LookupError(f"there is no artefact {artefact_id}")
    values = dict(row._mapping)
    content = bytes(values.pop("content"))
    found = Artefact(**values)
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise ValueError(f"artefact {artefact_id} ({found.name}) is damaged: it is not what was stored")
    return found, content
