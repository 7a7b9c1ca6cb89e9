"""What each host may do in a database that hosts share: a login role for each, and policies by which PostgreSQL tells
them apart (https://www.postgresql.org/docs/current/ddl-rowsecurity.html).

Whoever owns the tables is not held to any of it. The statements may be given again at any time, and are to be after
each change of the tables: what is new is nobody's until then.
"""

# Statements of this kind take no parameters; all that is put into them is ours, or quoted by _name and _text.
# ruff: noqa: S608

import hashlib
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from remediator.model.words import BY_HAND
from remediator.store import tables

SCHEMA = "public"
ROLES = "host_roles"
"""The table that names the host of each role. It is no part of the record: it belongs to the database."""
ME = f"(SELECT {SCHEMA}.upkeeper_host())"
"""The host of whoever asks; null for a role that is no host's. Asked once in a statement."""
CONNECTIONS = 40
"""Of one host at most: what it uses itself, and as many for commands."""
FORGOTTEN = 30 * 86400
"""Seconds without a sign of life after which any host may take another one off the list of hosts."""

_NAMED = 63
"""Characters of a name in PostgreSQL."""


def role_of(host: str) -> str:
    """The name of a host's role."""
    name = f"upkeeper_{host}"
    return name if len(name.encode()) <= _NAMED else f"upkeeper_{hashlib.sha256(host.encode()).hexdigest()[:32]}"


def engine_schema(host: str) -> str:
    """The schema of the host's own engine. Of one that hosts share none could trust what it reads there."""
    return f"upkeeper_engine_{hashlib.sha256(host.encode()).hexdigest()[:16]}"


def role_statement(host: str, verifier: str | None = None) -> str:
    """Makes the role. verifier: of its password, as PostgreSQL stores it."""
    password = "" if verifier is None else f" PASSWORD {_text(verifier)}"
    return (
        f"CREATE ROLE {_name(role_of(host))} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        f" CONNECTION LIMIT {CONNECTIONS}{password}"
    )


def common() -> Sequence[str]:
    """What holds for every host, to be done as the owner of the tables, after their migration."""
    return [
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{ROLES} (role name PRIMARY KEY, host varchar(255) NOT NULL UNIQUE)",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM PUBLIC",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {SCHEMA} FROM PUBLIC",
        # The role that logged in: what a host may SET ROLE to changes nothing.
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.upkeeper_host() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER"
        f" SET search_path = pg_catalog, pg_temp AS"
        f" $$ SELECT host::text FROM {SCHEMA}.{ROLES} WHERE role = session_user $$",
        *_kept(),
        *(each for table in tables.metadata.sorted_tables for each in _policies(table)),
    ]


def of_host(host: str) -> Sequence[str]:
    """What one host is given, to be done as the owner, once its role is there."""
    role, engine = _name(role_of(host)), engine_schema(host)
    ours = ", ".join(f"{SCHEMA}.{table.name}" for table in tables.metadata.sorted_tables)
    numbered = ", ".join(f"{SCHEMA}.{_sequence(table)}" for table in tables.metadata.sorted_tables if _numbered(table))
    return [
        f"INSERT INTO {SCHEMA}.{ROLES} (role, host) VALUES ({_text(role_of(host))}, {_text(host)})"
        " ON CONFLICT (role) DO NOTHING",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {role}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {SCHEMA} FROM {role}",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {ours} TO {role}",
        f"GRANT SELECT ON {SCHEMA}.alembic_version TO {role}",
        f"GRANT USAGE, SELECT ON SEQUENCE {numbered} TO {role}",
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.upkeeper_host() TO {role}",
        f"CREATE SCHEMA IF NOT EXISTS {engine}",
        f"REVOKE ALL ON SCHEMA {engine} FROM PUBLIC",
        f"GRANT USAGE, CREATE ON SCHEMA {engine} TO {role}",
    ]


def without(host: str) -> Sequence[str]:
    """Takes a host's rights and its role away, to be done as the owner. Its rows stay."""
    role, engine = _name(role_of(host)), engine_schema(host)
    return [
        f"DELETE FROM {SCHEMA}.{ROLES} WHERE role = {_text(role_of(host))}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {role}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {SCHEMA} FROM {role}",
        f"REVOKE ALL ON FUNCTION {SCHEMA}.upkeeper_host() FROM {role}",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {role}",
        f"DROP SCHEMA IF EXISTS {engine} CASCADE",
        f"DROP ROLE {role}",
    ]


# Whose a row is.

_OWN = f"host = {ME}"
_RUN_OWN = f"EXISTS (SELECT FROM {SCHEMA}.runs AS r WHERE r.id = run_id AND r.host = {ME})"
_NO_RUN_OR_OWN = f"(run_id IS NULL OR {_RUN_OWN})"
_PARENT_OWN = f"EXISTS (SELECT FROM {SCHEMA}.runs AS r WHERE r.id = runs.parent_id AND r.host = {ME})"

_WHOSE = {
    "runs": f"({_OWN} AND (parent_id IS NULL OR {_PARENT_OWN}))",
    "actions": _RUN_OWN,
    "run_rows": _RUN_OWN,
    "artefacts": _RUN_OWN,
    "approvals": f"({_OWN} AND {_RUN_OWN})",
    "decisions": f"({_OWN} AND {_NO_RUN_OR_OWN})",
    "silences": f"({_OWN} AND {_NO_RUN_OR_OWN})",
    "chat_messages": f"({_OWN} AND EXISTS"
    f" (SELECT FROM {SCHEMA}.approvals AS a WHERE a.id = approval_id AND a.host = {ME}))",
    # Also the chains of its journals.
    "audit": f"({_OWN} OR starts_with(host, {ME} || '/journal/'))",
    "audit_heads": f"({_OWN} OR starts_with(host, {ME} || '/journal/'))",
}
"""Where that is more than the row's ``host``. What refers to another row is that one's host's too: PostgreSQL itself
asks whether such a row is there without regard to whose it is.
"""
_HIDDEN = ("tokens", "chat_messages")
"""Tables of which a host sees its own rows only."""

_PERSONS = ", ".join(f"'{one}'" for one in BY_HAND)
_ASKED_FOR = (
    f"(host <> {ME} AND via = {ME} AND state = 'queued' AND trigger IN ({_PERSONS})"
    " AND parent_id IS NULL AND alert_id IS NULL AND attempt = 0 AND deaths = 0 AND NOT at_work AND slot IS NULL"
    " AND outcome IS NULL AND started_at IS NULL AND planned_at IS NULL AND finished_at IS NULL AND cancelled IS NULL"
    " AND before IS NULL AND after IS NULL AND estimated_bytes = 0 AND json_typeof(params) = 'object'"
    " AND notes::text = '[]' AND requested_at BETWEEN 0 AND extract(epoch FROM clock_timestamp()) + 60)"
)
"""A run that another host is asked for: it says through whom, and nothing has become of it."""
_TAKEN_BACK = f"(host <> {ME} AND via = {ME} AND state = 'queued' AND started_at IS NULL AND attempt = 0)"
_IS_TAKEN_BACK = (
    f"(host <> {ME} AND via = {ME} AND state IN ('queued', 'finished') AND started_at IS NULL AND attempt = 0"
    " AND parent_id IS NULL AND alert_id IS NULL)"
)
_NOW = "extract(epoch FROM clock_timestamp())"


def _texts(column: str) -> str:
    """JSON that is texts by name."""
    values = f"SELECT FROM json_each({column}) AS one WHERE json_typeof(one.value) <> 'string'"
    return f"CASE json_typeof({column}) WHEN 'object' THEN NOT EXISTS ({values}) ELSE false END"


def _times(*columns: str, until: str = "1e11") -> str:
    """Unix seconds, or none; no number that is none, and nothing without end."""
    return " AND ".join(f"({column} IS NULL OR {column} BETWEEN -1e11 AND {until})" for column in columns)


# What other hosts read in order to act is what they expect: a row that is not could stop them.
_AN_ALERT = (
    f"status IN ('firing', 'resolved') AND {_texts('labels')} AND {_texts('annotations')}"
    " AND receptions BETWEEN 1 AND 1e9 AND decided_receptions BETWEEN 0 AND receptions AND "
    + _times("starts_at", "ends_at", "first_received_at", "last_received_at", "due_at", "seen_at")
)
_A_HOST = f"(labels IS NULL OR {_texts('labels')}) AND " + _times(
    "started_at", "seen_at", "stopped_at", "watchdog_at", until=f"{_NOW} + 60"
)


def _policies(table: sa.Table) -> Iterable[str]:
    name = table.name
    whose = _WHOSE.get(name, _OWN)
    given = f" AND id <= coalesce(pg_sequence_last_value('{SCHEMA}.{_sequence(table)}'::regclass), 0)"
    # Nobody takes numbers that others are going to be given.
    kept = f"({whose}){given if _numbered(table) else ''}"
    insert, update, checked, delete = kept, whose, kept, whose
    if name == "runs":
        insert = f"({kept}) OR ({_ASKED_FOR}{given})"
        update, checked = f"{whose} OR {_TAKEN_BACK}", f"({kept}) OR ({_IS_TAKEN_BACK}{given})"
    elif name == "alerts":
        # Any host takes alerts for all; what it may change of another's is for a trigger to say.
        news = "decided_receptions = 0 AND due_at IS NULL AND continued_by IS NULL"
        insert, update, checked = f"({_OWN} OR ({news})) AND {_AN_ALERT}{given}", "true", f"{_AN_ALERT}{given}"
        decided = f"SELECT FROM {SCHEMA}.decisions AS d WHERE d.alert_id = alerts.id AND d.host <> {ME}"
        delete = f"(host IS NULL OR {_OWN}) AND NOT EXISTS ({decided})"
    elif name == "rollouts":
        free = f"(driver = {ME} OR driven_until < {_NOW} OR state NOT IN ('running', 'stopping', 'cancelling'))"
        update = f"({whose} OR {free})"
        checked = f"({whose} OR driver = {ME}){given}"
        insert = f"{kept} AND driver = {ME}"
    elif name == "asks":
        insert = f"sender = {ME} AND done_at IS NULL{given}"
        delete = f"({_OWN} OR (sender = {ME} AND status IS NULL))"
    elif name == "hosts":
        insert = checked = f"{_OWN} AND {_A_HOST}"
        delete = f"({_OWN} OR seen_at < {_NOW} - {FORGOTTEN})"
    seen = whose if name in _HIDDEN else "true"
    yield f"ALTER TABLE {SCHEMA}.{name} ENABLE ROW LEVEL SECURITY"
    for what, clause in (
        ("select", f"USING ({seen})"),
        ("insert", f"WITH CHECK ({insert})"),
        ("update", f"USING ({update}) WITH CHECK ({checked})"),
        ("delete", f"USING ({delete})"),
    ):
        yield f"DROP POLICY IF EXISTS upkeeper_{what} ON {SCHEMA}.{name}"
        yield f"CREATE POLICY upkeeper_{what} ON {SCHEMA}.{name} FOR {what.upper()} {clause}"


_FIXED = {
    "runs": (
        "OLD.host IS DISTINCT FROM me",
        "host, task, target, params, trigger, caller, via, dry_run, requested_at",
        "a run that another host was asked for is only taken back",
    ),
    "alerts": (
        "OLD.host IS DISTINCT FROM me AND OLD.host IS NOT NULL AND OLD.no_host IS NULL",
        "fingerprint, starts_at, first_received_at, decided_receptions, continued_by",
        "what another host makes of an alert is its own",
    ),
    "rollouts": (
        "OLD.host IS DISTINCT FROM me",
        "host, task, target, params, trigger, caller, label, wait, alerts, asked_at",
        "a rollout is gone on with as it was asked for",
    ),
    "asks": (
        "true",
        "host, sender, operation, given, trigger, caller, asked_at, until",
        "what was asked for stays",
    ),
}
"""What a host changes of another's row in no case: when, which columns, and what is said then."""


def _kept() -> Iterable[str]:
    for name, (when, columns, message) in _FIXED.items():
        names = columns.split(", ")
        # Hosts may not have the same words for whose an alert is; then it stays whose it was.
        stays = f"IF me IS NOT NULL AND ({when}) THEN NEW.host := OLD.host; NEW.no_host := OLD.no_host; END IF;"
        # As text: JSON has no equality.
        before, after = (", ".join(f"{row}.{_name(one)}::text" for one in ["id", *names]) for row in ("OLD", "NEW"))
        changed = f"ROW({before}) IS DISTINCT FROM ROW({after})"
        refuse = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'insufficient_privilege';"
        yield (
            f"CREATE OR REPLACE FUNCTION {SCHEMA}.upkeeper_{name}_kept() RETURNS trigger LANGUAGE plpgsql"
            f" SET search_path = pg_catalog, pg_temp AS $$ DECLARE me text := {SCHEMA}.upkeeper_host();"
            f" BEGIN {stays if name == 'alerts' else ''}"
            f" IF me IS NOT NULL AND ({when}) AND {changed} THEN {refuse} END IF; RETURN NEW; END $$"
        )
        yield (
            f"CREATE OR REPLACE TRIGGER upkeeper_{name}_kept BEFORE UPDATE ON {SCHEMA}.{name}"
            f" FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.upkeeper_{name}_kept()"
        )


def _numbered(table: sa.Table) -> bool:
    return "id" in table.c


def _sequence(table: sa.Table) -> str:
    return f"{table.name}_id_seq"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    """A string constant; one with a backslash is none here, as what it means depends on a setting."""
    if "\\" in text or "\0" in text:
        raise ValueError(f"{text!r} holds what no name of a host can")
    return "'" + text.replace("'", "''") + "'"
