"""Sets of backups, and what was shown of them."""

from typing_extensions import TypedDict

from exporter.backups.proofs import Proof
from exporter.backups.sets import State as SetState


class ProofView(TypedDict):
    """The last attempt to show something of a set."""

    success: bool
    finished_at: str
    detail: str


class SetView(TypedDict):
    """One set of a series. ``made_at``: null where nothing tells it. ``bytes``: null where it is not known.

    ``kept``: why retention keeps it, by the rules of ``keep:``; empty where it could go, or is not complete, which is
    no matter of retention.
    """

    backup: str
    name: str
    state: SetState
    made_at: str | None
    bytes: int | None
    proofs: dict[Proof, ProofView]
    kept: list[str]


class UnreadSeriesView(TypedDict):
    """A series whose sets are not known, and why."""

    backup: str
    reason: str


class SetsView(TypedDict):
    """The sets of one series or of all, by series and newest first. Sets in restic repositories are not among them."""

    items: list[SetView]
    unread: list[UnreadSeriesView]
