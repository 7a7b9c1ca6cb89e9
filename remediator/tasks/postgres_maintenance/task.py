"""postgres-maintenance: vacuums, analyzes and mends what needs it on the servers of ``postgres:``."""

import os
import time
from collections.abc import Callable, Sequence

from exporter.base.text import counted
from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from remediator.config.config import Config
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.postgres_maintenance.choose import Need, divide, sort_needs
from remediator.tasks.postgres_maintenance.facts import POSTGRES_MAINTENANCE
from remediator.tasks.postgres_maintenance.indexes import Chosen, Space, choose_indexes
from remediator.tasks.postgres_maintenance.look import Found, Look, ServerFound, Statvfs
from remediator.tasks.postgres_maintenance.rows import index_row, table_row
from remediator.tasks.postgres_maintenance.work import Worker
from remediator.tasks.resources import Resources

MAX_ACTIONS = 200
"""Of a plan. The worst come first; the rest is for the next run."""

_NAMED_AFTER = 60.0
"""Seconds for which a transaction must be open to be named: all are, for a moment."""
_KINDS = ("vacuum", "freeze", "analyze", "reindex", "drop-index")


def space_of(directory: str) -> Space:
    """Of a directory's file system, for those without privileges. Raises OSError."""
    found = os.statvfs(directory)
    return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


class PostgresMaintenance:
    """Chooses by need, and does one table or index an action.

    door: the way to a server. statvfs: the space of a directory's file system. clock: Unix seconds.
    """

    facts = POSTGRES_MAINTENANCE
    parameters = Parameters

    def __init__(
        self,
        servers: Sequence[PostgresServer],
        door: Callable[[PostgresServer], PostgresDoor],
        statvfs: Statvfs = space_of,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._servers = {server.name: server for server in servers}
        self._door = door
        self._statvfs = statvfs
        self._clock = clock
        self._threads = KeyedThreads()
        slowest = max((server.maintenance.statement_timeout for server in servers), default=0.0)
        self.action_timeout = slowest + 120.0

    async def targets(self) -> Sequence[str]:
        return list(self._servers)

    async def measure(self, target: str) -> Measurement:
        """Values: ``tables_due``, ``dead_rows`` of these, ``tables_unknown`` that the planner knows nothing of,
        ``oldest_row_ratio`` of the age at which the server must freeze rows, ``indexes_invalid``, ``indexes_left`` by
        failed rebuilds.
        """
        return measured(await self._look(target).server(), self._clock())

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        look = self._look(target)
        found = await look.server()
        try:
            space = await look.space()
        except OSError as error:
            raise TaskError(f"maintenance.data_directory of {target}: {error.strerror}") from error
        return make_plan(found, space, self._clock())

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind not in _KINDS:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        return await Worker(self._door(self._server(target)), self._look(target), self._clock).do(
            action.kind, action.params
        )

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer tables or indexes need something, fewer rows are dead, or the oldest row is younger."""
        return any(after.values[name] < before.values[name] for name in before.values)

    def _look(self, target: str) -> Look:
        return Look(self._door(self._server(target)), self._threads, self._statvfs)

    def _server(self, target: str) -> PostgresServer:
        server = self._servers.get(target)
        if server is None:
            raise TaskError(f"no server in postgres: has the name {target}")
        return server


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [PostgresMaintenance(config.postgres, resources.postgres)]


def measured(server: ServerFound, now: float) -> Measurement:
    """What needs maintenance, against the limits of the alerts. Pure."""
    wants, facts = server.wants, server.wants.facts
    needs = [need for found in server.found for need in wants.choose(found.dbname, found.tables, now)]
    indexes = [index for found in server.found for index in found.indexes]
    oldest = max(
        (
            max(one.xid_age / facts.freeze_max_age, one.multixact_age / facts.multixact_freeze_max_age)
            for one in server.databases
        ),
        default=0.0,
    )
    alarming = sum(wants.is_alarming(table) for found in server.found for table in found.tables)
    values = {
        "tables_due": len(needs),
        "dead_rows": sum(need.table.dead for need in needs),
        "tables_unknown": sum(need.table.is_unknown for need in needs),
        "oldest_row_ratio": round(oldest, 4),
        "indexes_invalid": sum(not index.valid and not index.is_leftover for index in indexes),
        "indexes_left": sum(index.is_leftover for index in indexes),
    }
    detail = f"{counted(len(needs), 'table needs', 'tables need')} maintenance, oldest row at {oldest:.0%}"
    if values["indexes_invalid"] or values["indexes_left"]:
        broken = int(values["indexes_invalid"] + values["indexes_left"])
        detail += f", {counted(broken, 'broken index', 'broken indexes')}"
    unusable = sum(not index.valid and not index.under_way for index in indexes)
    breached = alarming > 0 or unusable > 0 or values["tables_unknown"] > 0 or oldest > wants.limits.freeze_age_ratio
    return Measurement(
        breached=not facts.in_recovery and breached,
        values=values,
        detail="a standby: its primary is maintained" if facts.in_recovery else detail,
    )


def make_plan(server: ServerFound, space: Space | None, now: float) -> Plan:
    """One action for each table and index, the worst first. Pure. now: Unix seconds."""
    wants = server.wants
    if wants.facts.in_recovery:
        return Plan(notes=["The server is a standby: what is done on its primary reaches it by itself."])
    if not wants.facts.counts:
        raise TaskError("the server's track_counts is off, so nobody knows what needs maintenance")
    needs = [need for found in server.found for need in wants.choose(found.dbname, found.tables, now)]
    doable, notes = divide(sort_needs(needs))
    chosen: list[Chosen] = []
    for found in server.found:
        ones, left = choose_indexes(found.dbname, found.indexes, wants.policy, wants.facts.block_bytes, space)
        chosen += ones
        notes += left
    dropped = [one for one in chosen if one.kind == "drop-index"]
    rebuilt = [one for one in chosen if one.kind != "drop-index"]
    until = now + wants.policy.time_budget
    actions = [
        *(index_action(one, until) for one in dropped),
        *(table_action(need, until) for need in doable),
        *(index_action(one, until) for one in rebuilt),
    ]
    rows = [*map(index_row, dropped), *map(table_row, doable), *map(index_row, rebuilt)]
    if len(actions) > MAX_ACTIONS:
        notes.append(f"{counted(len(actions) - MAX_ACTIONS, 'more')} for later runs: these are the worst.")
    notes += [f"{name} could not be looked into: {why}." for name, why in server.closed.items()]
    return Plan(actions=actions[:MAX_ACTIONS], rows=rows[:MAX_ACTIONS], notes=[*_holders(server, doable, now), *notes])


def _holders(server: ServerFound, needs: Sequence[Need], now: float) -> list[str]:
    """What would make a vacuum remove nothing."""
    wanted = {need.dbname for need in needs if need.vacuum}

    def in_the_way(found: Found) -> list[str]:
        return [
            f"{found.dbname}: {holder} keeps rows that died since from being removed."
            for holder in found.holders
            if holder.since is None or now - holder.since > _NAMED_AFTER
        ]

    return [note for found in server.found if found.dbname in wanted for note in in_the_way(found)]


def table_action(need: Need, until: float) -> Action:
    """Of one table. until: Unix seconds after which it is not begun any more."""
    table = need.table
    return Action(
        kind=need.kind,
        object=f"{need.dbname}: {table.label}",
        reason=need.reason,
        params={
            "database": need.dbname,
            "oid": table.oid,
            "name": table.label,
            "vacuum": need.vacuum,
            "freeze": need.freeze,
            "analyze": need.analyze,
            "until": until,
        },
        identity=f"{need.dbname} {table.oid} {table.label} {need.kind} {need.analyze}",
    )


def index_action(one: Chosen, until: float) -> Action:
    """Of one index."""
    index = one.index
    return Action(
        kind=one.kind,
        object=f"{one.dbname}: {index.label}",
        reason=one.reason,
        estimated_bytes=one.gain,
        params={"database": one.dbname, "oid": index.oid, "name": index.label, "until": until},
        identity=f"{one.dbname} {index.oid} {index.label}",
    )
