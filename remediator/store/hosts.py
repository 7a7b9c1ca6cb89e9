"""The host of rows: the name of this machine, and what happens to rows when a machine is renamed."""

import platform

import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.store import audit
from remediator.store.tables import (
    approvals,
    breaker_resets,
    chat_messages,
    decisions,
    due_times,
    hosts,
    jobs,
    levels,
    pauses,
    rollouts,
    runs,
    senders,
    silences,
    tokens,
    told,
)

OF_A_HOST = (
    tokens,
    runs,
    approvals,
    decisions,
    pauses,
    breaker_resets,
    jobs,
    due_times,
    levels,
    silences,
    chat_messages,
    rollouts,
    told,
)


def this_host() -> str:
    """The name that rows of this machine carry."""
    return platform.node() or "host"


def strangers(connection: sa.Connection, host: str) -> bool:
    """Whether any row is another host's."""
    other = [sa.select(sa.exists().where(table.c.host != host)) for table in OF_A_HOST]
    return any(connection.scalar(each) for each in other)


def adopt(connection: sa.Connection, host: str, now: float) -> None:
    """Gives every row to this host: for a database that is one machine's, whose name has changed.

    Else a renamed machine would forget its pauses and open breakers, and leave its runs unfinished. The audit of the
    former name stays as it is, and a record in the new one's says where it ended.
    """
    former = {name: audit.head(connection, name) for name in audit.hosts(connection) if name != host}
    ends = [{"host": name, "number": head.number, "hash": head.hash} for name, head in former.items() if head]
    audit.append(connection, host, Entry("host.renamed", now, body={"former": ends}))
    other = breaker_resets.alias()
    newer = sa.exists().where(
        other.c.task == breaker_resets.c.task,
        other.c.target == breaker_resets.c.target,
        sa.tuple_(other.c.at, other.c.host) > sa.tuple_(breaker_resets.c.at, breaker_resets.c.host),
    )
    connection.execute(breaker_resets.delete().where(newer))
    connection.execute(hosts.delete().where(hosts.c.host != host))  # it says itself that it is there
    connection.execute(senders.delete().where(senders.c.host != host))  # the next webhook names its receiver again
    keys = ((jobs, ("name",)), (due_times, ("job", "due_at")), (levels, ("remedy",)), (told, ("way", "alert_id")))
    for table, same in keys:
        twin = table.alias()
        equal = [twin.c[column] == table.c[column] for column in same]
        connection.execute(table.delete().where(sa.exists().where(*equal, twin.c.host > table.c.host)))
    for table in OF_A_HOST:
        connection.execute(table.update().where(table.c.host != host).values(host=host))
