"""Named tokens of a host's API."""

from collections.abc import Sequence

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.model.token import Token
from remediator.store import audit
from remediator.store.tables import tokens


def create(connection: sa.Connection, host: str, token: Token) -> bool:
    """Stores a token; False where one of that name is in force."""
    same = (tokens.c.host == host, tokens.c.name == token.name, tokens.c.revoked_at.is_(None))
    if connection.scalar(sa.select(sa.exists().where(*same))):
        return False
    connection.execute(
        tokens.insert().values(
            host=host,
            name=token.name,
            role=token.role,
            hash=token.hash,
            trigger=token.by.trigger,
            caller=token.by.name,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )
    expires = None if token.expires_at is None else int(token.expires_at - token.created_at)
    body = {"name": token.name, "role": token.role, "expires_after": expires}
    audit.append(connection, host, Entry("token.created", token.created_at, token.by, body))
    return True


def revoke(connection: sa.Connection, host: str, name: str, caller: Caller, now: float) -> bool:
    """Ends the token of that name; False where none is in force."""
    same = (tokens.c.host == host, tokens.c.name == name, tokens.c.revoked_at.is_(None))
    if not connection.execute(tokens.update().where(*same).values(revoked_at=now)).rowcount:
        return False
    audit.append(connection, host, Entry("token.revoked", now, caller, {"name": name}))
    return True


def of_host(connection: sa.Connection, host: str) -> Sequence[Token]:
    """All of the host's tokens, oldest first, also those that are no longer valid."""
    rows = connection.execute(sa.select(tokens).where(tokens.c.host == host).order_by(tokens.c.id))
    return [
        Token(row.name, row.role, row.hash, Caller(row.trigger, row.caller), row.created_at, row.expires_at,
              row.revoked_at, row.last_used_at)
        for row in rows
    ]  # fmt: skip


def used(connection: sa.Connection, digest: str, now: float) -> None:
    """Notes when a token was last used."""
    connection.execute(tokens.update().where(tokens.c.hash == digest).values(last_used_at=now))
