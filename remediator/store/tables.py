"""The tables. Times are Unix seconds; what only people and the API read is JSON.

Every row that belongs to a machine has its ``host``, or belongs to a row that has it. An alert is Alertmanager's, and
the same for every remediator that is told of it; where hosts share a database, it says which of them decides about it.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    case,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""64 bits. SQLite numbers rows by itself only where the type's name is INTEGER, which has as many there."""

# An index of some of the rows says so for SQLite only: to hear of postgresql_where= SQLAlchemy reads its whole dialect
# in, which is 2 MB in every process. Migrations say it for both; scripts/new_migration.py sees to that.

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("ends_at", Float),
    Column("status", String(8), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("receptions", Integer, nullable=False),
    Column("decided_receptions", Integer, nullable=False),
    Column("due_at", Float),
    Column("seen_at", Float),
    Column("muted", Text),
    Column("continued_by", Id),
    Column("host", String(255)),
    Column("no_host", Text),
    UniqueConstraint("fingerprint", "starts_at"),
    sqlite_autoincrement=True,
)
"""One row an episode. It waits for a decision while ``decided_receptions`` < ``receptions``.

due_at: when it is to be looked at again in any case; null when only an event brings that, and once it has ended.
seen_at: when Alertmanager, asked, last had it firing. muted: why people were not told of it by then; null where they
were. continued_by: the episode, whose row may be gone by now, as which the same outage went on after a restart of
Alertmanager or Prometheus. host: who decides about it, where hosts share the database; null in one machine's own.
no_host: why its labels name none; then ``host`` is one that received it.
"""

Index("ix_alerts_firing", alerts.c.id, sqlite_where=text("status = 'firing'"))

Index("ix_alerts_undecided", alerts.c.id, sqlite_where=text("decided_receptions < receptions"))

Index("ix_alerts_last_received_at", alerts.c.last_received_at)

Index("ix_alerts_due", alerts.c.due_at, sqlite_where=text("due_at IS NOT NULL"))

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("task", String(63), nullable=False),
    Column("target", String(255), nullable=False),
    Column("params", JSON, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("parent_id", Id, ForeignKey("runs.id", ondelete="SET NULL")),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="SET NULL")),
    Column("dry_run", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("reason", Text, nullable=False),
    Column("requested_at", Float, nullable=False),
    Column("started_at", Float),
    Column("planned_at", Float),
    Column("finished_at", Float),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("notes", JSON, nullable=False),
    Column("slot", Integer),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("at_work", Boolean, nullable=False, server_default=false()),
    Column("deaths", Integer, nullable=False, server_default=text("0")),
    Column("estimated_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("cancelled", Text),
    Column("via", String(255)),
    sqlite_autoincrement=True,
)
"""via: the other host through which a person asked this one for it; null where that was this host itself. slot: of the
host's places for runs that interrupt something, from when such a run begins to act until it is finished. attempt: which
of the engine's workflows does it: each approval begins another. at_work: a process that has not ended in order works on
it. deaths: how many processes have died since it last came further. cancelled: which person has cancelled it and why;
it may be acting still, and then ends before its next action.

A parent that is deleted leaves its children: one of them may still wait for a person.
"""

Index("ix_runs_alert_id", runs.c.alert_id)
Index("ix_runs_parent_id", runs.c.parent_id)
Index("ix_runs_finished_at", runs.c.finished_at)
Index("ix_runs_outcome_id", runs.c.outcome, runs.c.id)
Index("ix_runs_task_id", runs.c.task, runs.c.id)
Index("ix_runs_task_outcome_id", runs.c.task, runs.c.outcome, runs.c.id)
Index("ix_runs_target_id", runs.c.target, runs.c.id)
Index("ix_runs_by_remedy", runs.c.trigger, runs.c.caller, runs.c.finished_at, runs.c.host, runs.c.target,
      runs.c.dry_run, runs.c.outcome)  # fmt: skip
"""All that the track of a remedy is counted from: rows are long, and there may be a hundred thousand of them."""
Index("ix_runs_not_helped", runs.c.host, runs.c.finished_at, runs.c.task, runs.c.target, runs.c.dry_run,
      sqlite_where=text("outcome IN ('ineffective', 'failed')"))  # fmt: skip
"""Where breakers can be open; few rows of a long record."""
Index("ix_runs_host_task_target", runs.c.host, runs.c.task, runs.c.target, runs.c.finished_at)
Index("uq_runs_in_flight", runs.c.host, runs.c.task, runs.c.target, unique=True,
      sqlite_where=text("state != 'finished'"))  # fmt: skip
"""The database itself holds that no two runs of a task on one target of a host are in flight."""
Index("uq_runs_slot", runs.c.host, runs.c.slot, unique=True, sqlite_where=text("slot IS NOT NULL"))
"""And that no two runs that interrupt something act in one of the host's places."""

actions = Table(
    "actions",
    metadata,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("action", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("freed_bytes", BigInteger, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
)

run_rows = Table(
    "run_rows",
    metadata,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("cells", JSON, nullable=False),
)
"""The table that a run's task left, a row each; the cells by the names of the task's own columns."""

approvals = Table(
    "approvals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("host", String(255), nullable=False),
    Column("plan_hash", String(64), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("why", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("trigger", String(16)),
    Column("caller", String(255)),
    Column("reason", Text, nullable=False),
    Column("actions", Integer, nullable=False, server_default=text("0")),
    Column("estimated_bytes", BigInteger, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)
"""Requests that a person approves a plan, with the plan that was shown: the run's own changes when it is planned anew.

actions, estimated_bytes: how many the plan has, and what they free; a list of requests reads no plan for that.

changes: how the plan differs from the one that was approved before it. trigger, caller: who decided, if a person did.
"""

Index("ix_approvals_run_id", approvals.c.run_id)
Index("uq_approvals_asked", approvals.c.run_id, unique=True, sqlite_where=text("state = 'asked'"))
"""A run asks for one plan at a time."""

chat_messages = Table(
    "chat_messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("recipient", String(255), nullable=False),
    Column("approval_id", Id, ForeignKey("approvals.id", ondelete="CASCADE"), nullable=False),
    Column("secret", String(64), nullable=False, unique=True),
    Column("ref", Text),
    Column("shown", String(16), nullable=False),
    Column("at", Float, nullable=False),
    UniqueConstraint("channel", "recipient", "approval_id"),
    Index(None, "approval_id"),
    sqlite_autoincrement=True,
)
"""Messages in chats that ask for approvals. secret: SHA-256 of what an answer names, which is random. ref: by which the
service finds the message; null while it is being posted. shown: the state that it shows; ``done`` once nothing is to
come.
"""

told = Table(
    "told",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("way", String(16), primary_key=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("said", String(255), nullable=False),
    Column("at", Float, nullable=False),
    Index(None, "alert_id"),
)
"""What people were told last of what a host did about an episode, by each way of telling them. at: of the message, the
same for all that one message told of.
"""

artefacts = Table(
    "artefacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("media_type", String(127), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("made_at", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "name"),
    sqlite_autoincrement=True,
)
"""What a run made for people. The bytes are here, where they are stored with their run or not at all."""

decisions = Table(
    "decisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("host", String(255), nullable=False),
    Column("at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("remedy", String(63)),
    Column("task", String(63)),
    Column("target", String(255)),
    Column("guard", String(32)),
    Column("reason", Text, nullable=False),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="SET NULL")),
    Index(None, "alert_id"),
    Index(None, "run_id"),
    sqlite_autoincrement=True,
)
"""host: where the run is, or would be."""

pauses = Table(
    "pauses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("task", String(63)),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float),
    sqlite_autoincrement=True,
)
"""Pauses in force or lapsed. A null task pauses everything; resuming deletes the row."""

breaker_resets = Table(
    "breaker_resets",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("task", String(63), primary_key=True),
    Column("target", String(255), primary_key=True),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("at", Float, nullable=False),
)
"""When a breaker was last closed by hand. Whether it is open follows from the runs since."""

senders = Table(
    "senders",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("receiver", String(255), primary_key=True),
    Column("heard_at", Float, nullable=False),
)
"""By which of Alertmanager's receivers webhooks came to a host, and when one did last, about to the minute."""

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("purpose", String(8), nullable=False),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE")),
    Column("task", String(63)),
    Column("matchers", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("held", JSON, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float),
    Column("ended_at", Float),
    Column("reason", Text, nullable=False),
    Index(None, "run_id"),
    sqlite_autoincrement=True,
)
"""What a host wants to be silenced in Alertmanager, or wanted until ``ended_at`` for the ``reason``.

purpose: ``page`` for the alert of a run, ``pause`` for a pause, of a task or, where that is null, of everything. held:
by the URL of an Alertmanager, the id that the silence has there; empty while there is none. until: when that ends by
itself, as last renewed; of a pause, when the pause ends.
"""

Index("ix_silences_live", silences.c.id, sqlite_where=text("ended_at IS NULL"))

HEARD_AT = case((alerts.c.seen_at > alerts.c.last_received_at, alerts.c.seen_at), else_=alerts.c.last_received_at)
"""When an episode was last known to fire: received, or seen in Alertmanager."""

jobs = Table(
    "jobs",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("task", String(63), nullable=False),
    Column("target", String(255)),
    Column("at", String(255), nullable=False),
    Column("timezone", String(255), nullable=False),
    Column("since", Float, nullable=False),
    Column("handled_until", Float, nullable=False),
    Column("done_until", Float, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("removed_at", Float),
    Column("last_due_at", Float),
    Column("last_run_at", Float),
    Column("last_outcome", String(16)),
    Column("last_success_at", Float),
)
"""How far each job of the schedule has come; those no longer in it too, until their history is gone."""

due_times = Table(
    "due_times",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("job", String(63), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("first_due_at", Float, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("targets", JSON, nullable=False),
    Column("outcome", String(16)),
    Column("retry_at", Float),
    Column("give_up_at", Float),
    Column("finished_at", Float),
    UniqueConstraint("host", "job", "due_at"),
    sqlite_autoincrement=True,
)
"""What became of each due time of a job: the database itself holds that none is run for twice.

Those that were missed in a row are one row, of the last of them.
"""

Index("ix_due_times_open", due_times.c.id, sqlite_where=text("state IN ('waiting', 'running')"))
tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("name", String(63), nullable=False),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
    sqlite_autoincrement=True,
)
"""Credentials of a host's API. hash: SHA-256 of the token, which is random and long: nothing slower is needed.

trigger, caller: who made it.
"""

Index("uq_tokens_in_force", tokens.c.host, tokens.c.name, unique=True, sqlite_where=text("revoked_at IS NULL"))

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("run_id", BigInteger),
    Column("alert_id", BigInteger),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("host", "number"),
    sqlite_autoincrement=True,
)
"""A chain of records for each host; nothing refers to what they are about, which goes sooner than they do.

number: of the record in its host's chain. at: Unix milliseconds, as no hash may depend on a float. id: for paging.
"""

Index("ix_audit_run_id", audit.c.run_id, sqlite_where=text("run_id IS NOT NULL"))

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("deleted_hash", String(64), nullable=False),
)
"""The end of each host's chain, and the last record that its retention deleted."""

hosts = Table(
    "hosts",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("version", String(63), nullable=False),
    Column("node", String(255), nullable=False),
    Column("address", String(255)),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("stopped_at", Float),
    Column("watchdog_at", Float),
    Column("labels", JSON),
)
"""The hosts whose remediators work on this database, or did. seen_at: when one last said so, by the database's clock
where hosts share it. stopped_at: when it ended in order. node: the name of its machine. address: of its API.
watchdog_at: when it last received the always-firing alert. labels: what its config says of it, by name.
"""

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("task", String(63), nullable=False),
    Column("target", String(255), nullable=False),
    Column("params", JSON, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("label", String(63)),
    Column("wait", Float, nullable=False),
    Column("alerts", Boolean, nullable=False),
    Column("members", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("since", Float, nullable=False),
    Column("quiet_since", Float),
    Column("hitch", Text, nullable=False),
    Column("hitch_since", Float),
    Column("finished_at", Float),
    Column("driver", String(255), nullable=False),
    Column("driven_until", Float, nullable=False),
    sqlite_autoincrement=True,
)
"""Tasks on many hosts, wave after wave (remediator/model/rollout.py). members: its hosts, in order, each with its wave,
its state and its run. driver: the host that goes on with it, alone until ``driven_until``, by the clock that hosts
share; then any other may take it over.
"""

Index("ix_rollouts_open", rollouts.c.id, sqlite_where=text("finished_at IS NULL"))

asks = Table(
    "asks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("sender", String(255), nullable=False),
    Column("operation", String(63), nullable=False),
    Column("given", JSON, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("caller", String(255), nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("done_at", Float),
    Column("status", Integer),
    Column("answer", JSON),
    sqlite_autoincrement=True,
)
"""What a host is asked to do by another, where hosts share the database: an operation of the API, by its name, and what
it is given. until: the asked host does it by then or not at all. Both by the clock that hosts share. sender: through
whom, which the database itself sees to where hosts have roles. status: as in HTTP. answer: of the operation, or the
error's words.
"""

Index("ix_asks_open", asks.c.host, asks.c.id, sqlite_where=text("done_at IS NULL"))

levels = Table(
    "levels",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("remedy", String(63), primary_key=True),
    Column("configured", String(8), nullable=False),
    Column("level", String(8)),
    Column("reason", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("trigger", String(16)),
    Column("caller", String(255)),
)
"""How much each remedy may do by itself where that was changed since the config said it: the last change of each."""

REMEDY = case((runs.c.trigger == "alert", runs.c.caller), else_=None).label("remedy")
"""The remedy that a run's alert asked through."""
