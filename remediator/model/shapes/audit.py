"""The audit: its records, and whether its chain is whole."""

from typing import Any

from typing_extensions import TypedDict


class AuditCallerView(TypedDict):
    """Who asked for what was recorded; the trigger ``service`` is the remediator itself."""

    trigger: str
    name: str


class AuditView(TypedDict):
    """A record of the audit, as it is exported: ``hash`` is SHA-256 of all else in canonical form (RFC 8785).

    ``number`` counts the records of the host's chain, ``previous`` is the hash of the record before it. ``run`` and
    ``alert`` are ids of what the record is about; ``body`` is the kind's own.
    """

    v: int
    host: str
    number: int
    at: str
    kind: str
    caller: AuditCallerView
    run: int | None
    alert: int | None
    body: dict[str, Any]
    previous: str
    hash: str


class ChainView(TypedDict):
    """The audit of a host. ``records`` were written, the last with ``head`` for its hash; the first ``deleted`` of them
    are past their retention.
    """

    host: str
    records: int
    head: str
    deleted: int


class AuditStateView(TypedDict):
    """What the remediator last found of its own chain. ``faults`` is empty while it is whole."""

    records: int
    head: str
    verified_at: str | None
    faults: list[str]
