"""The hosts that share a database."""

from typing_extensions import TypedDict


class HostView(TypedDict):
    """A host whose remediator works on the database, or did. ``here``: it is the one that answers.

    ``up``: it ended in no order, and gave a sign of life within a minute. ``queue``: its runs that are queued or under
    way; ``waiting``: that wait for a person. ``alerts``: those that fire and that it has not looked at yet. ``paused``:
    why everything is paused there; null where it is not. ``node``: the name of its machine; ``address``: of its API,
    as that machine reaches it. ``labels``: of its config, by name.
    """

    host: str
    here: bool
    up: bool
    version: str
    node: str
    address: str | None
    started_at: str
    last_seen_at: str
    queue: int
    waiting: int
    alerts: int
    paused: str | None
    labels: dict[str, str]


class TargetGroup(TypedDict):
    """What Prometheus scrapes of one host, as its HTTP service discovery has it."""

    targets: list[str]
    labels: dict[str, str]
