"""Which tables of a server need maintenance, and in which order. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.base.text import counted
from exporter.base.units import format_bytes
from exporter.inventory.postgres import PostgresLimits
from exporter.inventory.postgres_maintenance import PostgresMaintenance
from remediator.tasks.postgres_maintenance.tables import ServerFacts, Table

_DAY = 86400.0
_CATALOGS = ("pg_catalog", "information_schema")


@dataclass(frozen=True, slots=True)
class Need:
    """What a table needs, and why."""

    dbname: str
    table: Table
    vacuum: bool
    freeze: bool
    analyze: bool
    reason: str
    rank: tuple[int, float]
    """The lowest first."""

    @property
    def kind(self) -> str:
        return "freeze" if self.freeze else "vacuum" if self.vacuum else "analyze"


@dataclass(frozen=True, slots=True)
class Wants:
    """When a table needs what: the task's own limits, and those of the alerts where they are stricter."""

    policy: PostgresMaintenance
    limits: PostgresLimits
    facts: ServerFacts

    def choose(self, dbname: str, tables: Iterable[Table], now: float) -> list[Need]:
        """Of each table what it needs, the worst first. now: Unix seconds."""
        found = [need for table in tables if (need := self.of(dbname, table, now)) is not None]
        return sort_needs(found)

    def of(self, dbname: str, table: Table, now: float) -> Need | None:
        """What one table needs."""
        age = self.freeze_age(table)
        freeze = not table.partitioned and age >= self.policy.freeze_age_ratio
        dead = not table.partitioned and self.has_dead(table)
        stale = self._stale(table, now)
        if not (freeze or dead or stale):
            return None
        reasons = []
        if freeze:
            reasons.append(f"its oldest row is at {age:.0%} of the age at which the server must freeze it")
        if dead:
            share = table.dead / (table.live + table.dead)
            reasons.append(f"{counted(table.dead, 'row')} of {table.live + table.dead} ({share:.0%}) dead")
        if stale:
            reasons.append(stale)
        return Need(
            dbname, table, vacuum=freeze or dead, freeze=freeze, analyze=bool(stale) or dead,
            reason="; ".join(reasons), rank=self._rank(table, age, freeze=freeze, dead=dead),
        )  # fmt: skip

    def freeze_age(self, table: Table) -> float:
        """The age of its oldest row, as a multiple of that at which autovacuum freezes it in any case."""
        return max(table.xid_age / self.facts.freeze_max_age, table.multixact_age / self.facts.multixact_freeze_max_age)

    def has_dead(self, table: Table) -> bool:
        """Whether too many of its rows are dead."""
        own = table.dead >= self.policy.dead_tuples_min and self._share(table) > self.policy.dead_tuples_ratio
        return own or self.is_alarming(table)

    def is_alarming(self, table: Table) -> bool:
        """Whether an alert would fire on its dead rows."""
        return (
            table.dead > 0
            and table.dead >= self.limits.dead_tuples_min
            and self._share(table) > self.limits.dead_tuples_ratio
        )

    @staticmethod
    def _share(table: Table) -> float:
        return table.dead / max(1, table.live + table.dead)

    def _stale(self, table: Table, now: float) -> str:
        """Why its statistics are not to be relied on; empty if they are. Those of catalogs come with the server."""
        if table.schema in _CATALOGS:
            return ""
        if table.last_analyze is None:
            known_empty = table.bytes == 0 and table.live == 0 and table.changed == 0
            return "" if known_empty and not table.partitioned else "never analyzed"
        age = now - table.last_analyze
        if age > self.policy.analyze_max_age and (table.changed > 0 or table.partitioned):
            return f"not analyzed for {counted(int(age // _DAY), 'day')}"
        return ""

    @staticmethod
    def _rank(table: Table, age: float, *, freeze: bool, dead: bool) -> tuple[int, float]:
        """What stops the server comes before what slows it down, and that before what might."""
        if freeze and age >= 1:
            return (0, -age)
        if dead:
            return (1, -table.dead)
        if freeze:
            return (2, -age)
        return (3, -table.bytes) if table.last_analyze is None else (4, table.last_analyze)


def sort_needs(needs: Iterable[Need]) -> list[Need]:
    """The worst first, of all databases together."""
    return sorted(needs, key=lambda need: (need.rank, need.dbname, need.table.oid))


def divide(needs: Sequence[Need]) -> tuple[list[Need], list[str]]:
    """Those that can be done, and a sentence for each kind that cannot."""
    doable = [need for need in needs if need.table.permitted and need.table.worked_on_by is None]
    notes = [
        f"{need.dbname}: {need.table.label} is being vacuumed already, by process {need.table.worked_on_by}."
        for need in needs
        if need.table.worked_on_by is not None
    ]
    refused: dict[str, list[Need]] = {}
    for need in needs:
        if not need.table.permitted:
            refused.setdefault(need.dbname, []).append(need)
    for dbname, ones in refused.items():
        worst = ones[0]
        notes.append(
            f"{dbname}: {counted(len(ones), 'table needs', 'tables need')} maintenance that the role may not do, "
            f"the worst of them {worst.table.label} ({worst.reason}; {format_bytes(worst.table.bytes)}): "
            "docs/tasks/postgres-maintenance.md has the grants."
        )
    return doable, notes
