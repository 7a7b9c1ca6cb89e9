"""The API's JSON, as types: what the remediator's API answers and what a Core returns is exactly this.

Times are RFC 3339 UTC strings, sizes are bytes, lists are newest first.
"""

from collections.abc import Mapping
from typing import Any, Generic, Literal, NotRequired, TypeVar

# The standard library's own lacks generic classes before Python 3.12, as pydantic needs them for the API document.
from typing_extensions import TypedDict

from remediator.config.autonomy import Autonomy
from remediator.model.words import ActionState, ApprovalState, DueState, RunState, Trigger, Verdict

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """One page of a list. ``next`` is the cursor of the page after it (``before=``), null on the last page."""

    items: list[T]
    next: int | None


class AlertView(TypedDict):
    """One episode of an alert. ``due_at`` is when its remedies are looked at again; null: when something happens.

    ``muted`` is why people were not told of it when it was last seen in Alertmanager; null where they were.
    ``continued_by`` is the episode as which the same outage went on after a restart of Alertmanager or Prometheus.
    """

    id: int
    fingerprint: str
    status: Literal["firing", "resolved"]
    starts_at: str
    ends_at: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    first_received_at: str
    last_received_at: str
    receptions: int
    due_at: str | None
    muted: str | None
    continued_by: int | None


class DecisionView(TypedDict):
    """What a remedy decided about an alert, how often, and why.

    ``due_at``, on the newest decision about a firing alert, is when it is looked at again; null: when something
    happens, such as the end of a run.
    """

    id: int
    at: str
    last_at: str
    repeats: int
    host: str
    alert_id: int
    alertname: str
    remedy: str | None
    task: str | None
    target: str | None
    verdict: Verdict
    guard: str | None
    reason: str
    run_id: int | None
    due_at: str | None


class MeasurementView(TypedDict):
    """The state of a target at one moment, its figures in base units."""

    breached: bool
    values: dict[str, float]
    detail: str


class ActionView(TypedDict):
    """One action of a run. ``items`` is how many objects it is about: more than one where many go together."""

    position: int
    kind: str
    object: str
    reason: str
    estimated_bytes: int
    items: int
    state: ActionState
    detail: str
    freed_bytes: int
    started_at: str | None
    finished_at: str | None


class CallerView(TypedDict):
    """Who asked for something, and how. ``name``: of the remedy, job, operator or token, or the number of the parent
    run; empty where it was not written down.
    """

    trigger: Trigger
    name: str


class AuditCallerView(TypedDict):
    """Who asked for what was recorded; the trigger ``service`` is the remediator itself."""

    trigger: str
    name: str


class ArtefactView(TypedDict):
    """What a run has made for people. ``sha256`` is of its content."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    made_at: str


class HeldPageView(TypedDict):
    """That people were not told of a run's alert while it was healthy. ``held_until`` is when the silence in
    Alertmanager ends or ended unless renewed; null where there was none. ``ended_at`` is null while it is held
    back, and ``reason`` is why it no longer is, or never was.
    """

    held_until: str | None
    ended_at: str | None
    reason: str


class ChildView(TypedDict):
    """A run that is a part of another one."""

    id: int
    task: str
    target: str
    state: RunState
    outcome: str | None
    reason: str
    freed_bytes: int


class SectionView(TypedDict):
    """Evidence of one kind. ``problem``: why there is none; empty when there is."""

    name: str
    lines: list[str]
    problem: str


class RunView(TypedDict):
    """One run. ``outcome`` is null until ``state`` is ``finished``; ``alert_ended_at`` until its alert has resolved.

    ``remedy`` is the caller's name where ``trigger`` is ``alert``, and null for others. ``parent_id`` is the composite
    run that it is a part of. Only a run that is asked for by its id has ``rows``, the table that its task left, with
    columns of the task's own, ``artefacts``, of a composite ``children``, and ``evidence``: how things were when it
    began, null where none was kept; and ``page``, where people were not to be told of its alert at once.
    """

    id: int
    host: str
    task: str
    target: str
    params: dict[str, Any]
    trigger: Trigger
    remedy: str | None
    caller: CallerView
    parent_id: int | None
    alert_id: int | None
    alert_ended_at: str | None
    dry_run: bool
    state: RunState
    outcome: str | None
    reason: str
    requested_at: str
    started_at: str | None
    finished_at: str | None
    before: MeasurementView | None
    after: MeasurementView | None
    notes: list[str]
    actions: list[ActionView]
    freed_bytes: int
    rows: NotRequired[list[dict[str, Any]]]
    children: NotRequired[list[ChildView]]
    artefacts: NotRequired[list[ArtefactView]]
    page: NotRequired[HeldPageView]
    evidence: NotRequired[list[SectionView] | None]


class TrackView(TypedDict):
    """How a remedy has done so far, fire drills left out.

    ``runs`` are those that were to change something, ``effective`` those of them that helped. ``plans`` are those that
    only planned, while the remedy observed; ``would_act`` those of them with something to do.
    """

    runs: int
    effective: int
    plans: int
    would_act: int


class ChangedLevel(TypedDict):
    """Why a remedy may do more or less by itself than the config says, and since when."""

    reason: str
    since: str


class Suggestion(TypedDict):
    """What a remedy has shown that it may do by itself, and by what."""

    autonomy: Autonomy
    reason: str


class LevelView(TypedDict):
    """What a remedy may do by itself now."""

    remedy: str
    autonomy: Autonomy


class RemedyView(TypedDict):
    """A remedy with its guards' settings in seconds and counts, and its track.

    ``autonomy`` is what it may do now; ``changed`` says why, where that is not what the config says. ``estimate_ratio``
    says how well estimates held on this host since then: the smaller of estimated and freed bytes over the larger, on
    average; null where no run had any.
    """

    name: str
    match: list[str]
    task: str
    target: str | None
    target_label: str | None
    targets: dict[str, str] | None
    autonomy: Autonomy
    configured_autonomy: Autonomy
    changed: ChangedLevel | None
    suggestion: Suggestion | None
    estimate_ratio: float | None
    approval: dict[str, float]
    page: Literal["hold", "at-once"]
    silenced: Literal["wait", "run"]
    cooldown: float
    settle: float
    rate: dict[str, int]
    breaker: dict[str, float]
    window: list[dict[str, Any]]
    gate: list[str]
    concurrency: dict[str, int]
    budget: dict[str, int | None]
    storm: dict[str, float | None]
    track: TrackView
    open_breakers: list[str]


class TaskView(TypedDict):
    """A task and the targets that it can work on now."""

    name: str
    summary: str
    never: list[str]
    disruption: Literal["none", "brief", "outage"]
    targets: list[str]


class PlannedActionView(TypedDict):
    """An action of a plan that nothing has been done about. ``items``: as of an action of a run."""

    kind: str
    object: str
    reason: str
    estimated_bytes: int
    items: int
    params: Mapping[str, Any]
    identity: str | None


class PlanBody(TypedDict):
    """What a task would do, what it has found, as a table of its own, and what it leaves alone and why."""

    actions: list[PlannedActionView]
    rows: list[dict[str, Any]]
    notes: list[str]


class GuardView(TypedDict):
    """A guard that would block the run, why, and when that ends by itself; null where an event ends it."""

    guard: str
    reason: str
    until: NotRequired[str | None]


class PartPlanView(TypedDict):
    """The plan of a run that would be a part of a composite."""

    task: str
    target: str
    measurement: MeasurementView
    plan: PlanBody
    plan_hash: str
    guards: list[GuardView]


class PlanView(TypedDict):
    """A plan with the measurement it was made from and the guards that would block its run. ``plan_hash`` is the same
    for another plan of the same actions. Of a composite: its parts, and in ``children`` the plan of each of their runs.
    """

    task: str
    target: str
    measurement: MeasurementView
    plan: PlanBody
    plan_hash: str
    guards: list[GuardView]
    children: NotRequired[list[PartPlanView]]


class ChangeView(TypedDict):
    """How one action of a plan differs from those of the plan that was approved before it."""

    change: Literal["gone", "added", "changed"]
    kind: str
    object: str


class ApprovalView(TypedDict):
    """A request that a person approves the plan of a run.

    ``caller`` asked for the run; ``why`` says why a person must approve. ``changes`` are there when the plan changed
    after an approval, so that this asks again. ``by`` is who answered; null where nobody did.
    """

    id: int
    run: int
    host: str
    task: str
    target: str
    caller: CallerView
    alert_id: int | None
    plan_hash: str
    actions: int
    estimated_bytes: int
    why: str
    changes: list[ChangeView]
    state: ApprovalState
    asked_at: str
    expires_at: str
    decided_at: str | None
    by: CallerView | None
    reason: str


class ApprovalDetail(ApprovalView):
    """The same with the plan that is to be approved, and the guards that would block it now beside the approval."""

    measurement: MeasurementView | None
    plan: PlanBody
    guards: list[GuardView]


class MatcherView(TypedDict):
    """A matcher of a remedy against an alert's labels. ``value`` is that of its label; null where there is none."""

    matcher: str
    matches: bool
    value: str | None


class GuardVerdictView(TypedDict):
    """What a guard says: why it blocks, and until when, or what it goes by where it does not."""

    guard: str
    blocks: bool
    reason: str
    until: str | None


class ExplainedRemedy(TypedDict):
    """A remedy and an alert. ``no_target`` is why it has none, where it matches; ``tried`` are its runs for the alert
    in the last day, newest first. Guards are asked only where there is a target.
    """

    name: str
    matches: bool
    matchers: list[MatcherView]
    task: str
    autonomy: str
    target: str | None
    target_by: str | None
    no_target: str | None
    guards: list[GuardVerdictView]
    tried: list[int]


class PlannedDecisionView(TypedDict):
    """What would be decided now."""

    remedy: str | None
    target: str | None
    verdict: Verdict
    guard: str | None
    reason: str


class ExplainedPlan(TypedDict):
    """What the run of a remedy would do, or in ``error`` why that cannot be told."""

    remedy: str
    task: str
    target: str
    error: str | None
    measurement: MeasurementView | None
    plan: PlanBody | None


class ExplainView(TypedDict):
    """What would be decided now about an alert, and why. ``alert_id`` is null where labels were given.

    ``remedies`` are all of them, in their order. ``due_at`` is when the alert would be looked at again; null: when
    something happens. ``waits_for`` says why nothing is decided, where that is so.
    """

    alert_id: int | None
    firing: bool
    labels: dict[str, str]
    remedies: list[ExplainedRemedy]
    decisions: list[PlannedDecisionView]
    due_at: str | None
    waits_for: str | None
    plan: ExplainedPlan | None


class PauseView(TypedDict):
    """A pause in force. A null task means all tasks; a null ``until`` means until somebody resumes.

    ``silenced``: people are not told of its alerts meanwhile.
    """

    host: str
    task: str | None
    caller: CallerView
    reason: str
    since: str
    until: str | None
    silenced: bool


class DueTargetView(TypedDict):
    """One target at a due time: the run that was started, else the guard that blocks, and why."""

    target: str
    run: int | None
    guard: str | None
    reason: str


class DueView(TypedDict):
    """What became of a due time of a job; of several in a row, where ``count`` of them were missed."""

    due_at: str
    first_due_at: str
    count: int
    state: DueState
    outcome: str | None
    reason: str
    targets: list[DueTargetView]
    decided_at: str
    finished_at: str | None


class JobView(TypedDict):
    """A job of the schedule. ``next_at``: when it begins next; null: never. ``missed``: how many due times so far.

    ``recent`` are its last due times, newest first. ``autonomy`` is how it runs its task; null where that has parts, of
    which each is run by what it is.
    """

    name: str
    at: str
    timezone: str
    task: str
    target: str | None
    autonomy: Autonomy | None
    catch_up: Literal["once", "skip", "all"]
    next_at: str | None
    last_due_at: str | None
    last_outcome: str | None
    last_success_at: str | None
    missed: int
    overdue: bool
    recent: list[DueView]


class WhyView(TypedDict):
    """Why a job did or did not run at a time. ``before`` and ``after`` are the nearest times at which it is due.

    ``state`` is that of the due time, or ``not-due``, ``to-come``, or ``unknown``: nothing is in the record.
    """

    job: str
    asked_at: str
    timezone: str
    state: str
    answer: str
    due: DueView | None
    before: str | None
    after: str | None


class BreakerView(TypedDict):
    """An open breaker."""

    task: str
    target: str
    since: str


class TokenView(TypedDict):
    """A named token, of which only a hash is stored. ``last_used_at`` is exact to the hour; null: never used.

    ``state`` is ``valid``, ``expired`` or ``revoked``.
    """

    name: str
    role: Literal["viewer", "operator", "alertmanager"]
    state: Literal["valid", "expired", "revoked"]
    created_at: str
    created_by: CallerView
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class NewTokenView(TokenView):
    """A token that was just made. ``token`` is shown this once and stored nowhere."""

    token: str


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


class BallastView(TypedDict):
    """The room kept for a full disk. ``lacks``: why it is not whole, as far as known; ``doubt``: why it may not help
    although it is. No bytes are wanted where the config says so.
    """

    bytes: int
    wanted_bytes: int
    inodes: int
    wanted_inodes: int
    whole: bool
    lacks: str
    doubt: str


class StatusView(TypedDict):
    """The remediator at a glance. ``watchdog_at`` is when the always-firing alert was last received, and
    ``watchdog_lost`` whether it should have come since. ``ballast`` is null where the disk does not even tell its size.
    ``approvals`` are those that wait for a person.
    """

    version: str
    paused: list[PauseView]
    queue_depth: int
    running: list[RunView]
    approvals: list[ApprovalView]
    open_breakers: list[BreakerView]
    last_alert_at: str | None
    watchdog_at: str | None
    watchdog_lost: NotRequired[bool]
    counts: dict[str, int]
    audit: NotRequired[AuditStateView]
    ballast: BallastView | None


class Problem(TypedDict, total=False):
    """An error as RFC 9457 ``application/problem+json``; ``guard`` is there when a guard blocked."""

    type: str
    title: str
    status: int
    detail: str
    guard: str
