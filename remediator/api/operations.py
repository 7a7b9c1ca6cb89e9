"""The table of operations: what can be asked of a remediator.

Each method is one operation. Its signature gives the parameters and the answer, and the decorator the rest: routes, the
HTTP client and the OpenAPI document are made from it, and ``Core`` does it in this process. Annotations are read where
the routes and the document are made, and there alone, so that a command imports neither shapes nor a library for them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar, get_args

from remediator.model.words import ApprovalState, Outcome, RunState

if TYPE_CHECKING:
    from remediator.model.shapes.alerts import AlertView, DecisionView
    from remediator.model.shapes.answers import Page
    from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
    from remediator.model.shapes.audit import AuditStateView, AuditView, ChainView
    from remediator.model.shapes.configuration import ConfigurationView
    from remediator.model.shapes.explain import ExplainView
    from remediator.model.shapes.forecasts import ForecastsView
    from remediator.model.shapes.holds import BreakerView, PauseView
    from remediator.model.shapes.hosts import HostView, TargetGroup
    from remediator.model.shapes.plans import PlanView
    from remediator.model.shapes.remedies import LevelView, RemedyView
    from remediator.model.shapes.rollouts import RolloutView
    from remediator.model.shapes.runs import ArtefactContent, RunView
    from remediator.model.shapes.schedule import JobView, WhyView
    from remediator.model.shapes.sets import SetsView
    from remediator.model.shapes.status import StatusView
    from remediator.model.shapes.tasks import TaskView
    from remediator.model.shapes.tokens import NewTokenView, TokenView

P = ParamSpec("P")
R = TypeVar("R")

Method = Literal["GET", "POST", "DELETE"]
Part = Literal[
    "reading",
    "standing",
    "running",
    "cancelling",
    "explaining",
    "approving",
    "trusting",
    "holding",
    "scheduling",
    "cataloguing",
    "forecasting",
    "configuring",
    "access",
    "fleet",
    "rolling",
]
Role = Literal["viewer", "operator"]
"""Who may ask: a viewer for what only reads, an operator for all."""
TokenRole = Literal["viewer", "operator", "alertmanager"]

API = "/api/v1"
DIGITS = 18
"""Of a whole number, at most: it fits into 64 bits in any case."""
CENTURY = 100 * 365 * 86400.0
"""Seconds that anything lasts at most: no calendar ends before that."""
PAGE = 50
MAX_PAGE = 500
NO_PARAMS: Mapping[str, Any] = {}
NO_HOSTS: list[str] = []
QUIET = 600.0
"""Seconds after each wave of a rollout, unless told otherwise."""


@dataclass(frozen=True)
class About:
    """What is to be said of a parameter beside its type. most: a larger number counts as this one. at_most: a larger
    one is refused. among: the only words that it may be. format: of text, as JSON Schema names it.
    """

    text: str | None = None
    most: int | None = None
    more_than: float | None = None
    at_most: float | None = None
    among: tuple[str, ...] = ()
    format: str | None = None
    min_length: int | None = None
    max_length: int | None = None


Limit = Annotated[int, About(f"items on the page, {PAGE} unless given, {MAX_PAGE} at most", most=MAX_PAGE)]
Before = Annotated[int | None, About("cursor: `next` of the page before")]
After = Annotated[int | None, About("cursor: `next` of the page before, which is a record's number")]
Since = Annotated[
    str | None, About("begins with the first record from then on, a time as RFC 3339 has it", format="date-time")
]
AlertStatus = Annotated[str | None, About("firing or resolved; else both", among=("firing", "resolved"))]
OfFingerprint = Annotated[str | None, About("only of alerts with this fingerprint, as Alertmanager has it")]
OfAlert = Annotated[int | None, About("only decisions about the alert of that id")]
OfTask = Annotated[str | None, About("only runs of this task")]
OfTarget = Annotated[str | None, About("only runs on this target")]
EndedSo = Annotated[str | None, About("only runs that ended so", among=get_args(Outcome))]
InState = Annotated[str | None, About("only runs in this state", among=get_args(RunState))]
OfHost = Annotated[str | None, About("only those of this host")]
OnHost = Annotated[str | None, About("the host that is to run it; the one that is asked when left out", max_length=255)]
HeldOn = Annotated[str | None, About("the host that is held back; the one that is asked when left out", max_length=255)]
AskedOf = Annotated[str | None, About("the host that is to do it; the one that is asked when left out", max_length=255)]
OfRun = Annotated[int | None, About("only records about the run of that id")]
TokenName = Annotated[str, About("letters, digits, . _ -", min_length=1, max_length=63)]
Expires = Annotated[float | None, About("seconds until it expires; never when left out", more_than=0, at_most=CENTURY)]
Reason = Annotated[str, About(min_length=1, max_length=500)]
Seconds = Annotated[float | None, About("until resumed when left out", more_than=0, at_most=CENTURY)]
Params = Annotated[Mapping[str, Any], About("the task's own parameters, by name")]
Silence = Annotated[bool, About("people are not told of its alerts meanwhile; it must have an end")]
State = Annotated[
    str | None,
    About("asked, approved, denied, expired, cancelled or superseded; else all", among=get_args(ApprovalState)),
]
Answer = Annotated[Literal["approve", "deny"], About("whether the plan may be done")]
PlanHash = Annotated[str, About("of the plan that was looked at", min_length=1, max_length=64)]
Remark = Annotated[str, About("why, for the record", max_length=500)]
AlertId = Annotated[int | None, About("of an alert that came")]
Labels = Annotated[Mapping[str, str] | None, About("of an alert that may come")]
Planned = Annotated[bool, About("whether to plan, too")]
BackupName = Annotated[str | None, About("only sets of this series")]
JobName = Annotated[str, About("of a job in the schedule")]
Moment = Annotated[
    str | None, About("when: RFC 3339, or `2026-11-27 02:00` in the schedule's zone; else when it was last due")
]
Service = Annotated[str, About("exporter or remediator", among=("exporter", "remediator"))]
Port = Annotated[
    int | None, About("of that service on every host; else the one by default", at_most=65535, more_than=0)
]
Hosts = Annotated[list[str], About("names of hosts; all when left out")]
HostLabel = Annotated[
    str | None, About("of hosts: one host with the same value at a time; one host at all when left out", max_length=63)
]
Quiet = Annotated[float, About("seconds after each wave in which no new alert may fire", more_than=0, at_most=CENTURY)]
AtOnce = Annotated[int | None, About("hosts in a wave, at most", more_than=0)]
ByAlerts = Annotated[bool, About("whether new alerts of its hosts stop it")]
Waves = Annotated[str | None, About("plan_hash of the waves that were looked at", max_length=64)]
Without = Annotated[list[str], About("hosts that are left out from now on")]
Promoted = Annotated[Literal["approve", "auto"], About("what the remedy may do from now on")]
PausedTask = Annotated[str | None, About("a task's pause; else the general one")]


@dataclass(frozen=True)
class Operation:
    """One operation. Parameters named in ``path`` stand there; the others in the body, or in the query without one.

    What has a default, or may be None, may be left out.
    """

    method: Method
    path: str
    """Below ``/api/v1``."""
    summary: str
    part: Part
    """The part of the Core whose method of the same name does it."""
    declared: Callable[..., Awaitable[Any]]
    """The method as the table has it: its signature gives the parameters and the answer."""
    body: str | None = None
    """The name of the body's shape, which the method's docstring describes."""
    status: int = 200
    role: Role = "operator"
    """Who may ask for it; unless said otherwise, GET is a viewer's."""
    file: bool = False
    """The answer is an ArtefactContent, sent as the bytes that it is."""
    patience: int = 1
    """How many times as long as for others an answer may take."""

    @property
    def name(self) -> str:
        return self.declared.__name__

    def values(self, *args: object, **kwargs: object) -> dict[str, object]:
        """Arguments by name, but for those that have their default. Raises TypeError when the method has none such."""
        signature = inspect.signature(self.declared)
        given = signature.bind(None, *args, **kwargs).arguments
        return {name: value for name, value in list(given.items())[1:] if value != signature.parameters[name].default}


OPERATIONS: list[Operation] = []
"""All of them, in the order of the table."""


def operation(
    method: Method, path: str, summary: str, *, by: Part, **more: Any
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Makes an operation of a method's signature. by, more: as the fields of Operation."""

    def decorate(declared: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        role: Role = "viewer" if method == "GET" else "operator"
        one = Operation(method, path, summary, by, declared, **{"role": role, **more})
        OPERATIONS.append(one)

        @wraps(declared)
        async def asked(self: Operations, *args: object, **kwargs: object) -> Any:
            return await self.ask(one, one.values(*args, **kwargs))

        return asked  # type: ignore[return-value]  # its signature is the declared one

    return decorate


class Operations:
    """What can be asked of a remediator, however it is reached. Every method raises ClientError."""

    async def ask(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        """The answer to an operation with these parameters; what is left out has its default."""
        raise NotImplementedError

    @operation("GET", "/alerts", "Episodes of alerts, newest first", by="reading")
    async def alerts(
        self, *, limit: Limit = PAGE, before: Before = None, status: AlertStatus = None, host: OfHost = None,
        fingerprint: OfFingerprint = None,
    ) -> Page[AlertView]: ...  # fmt: skip

    @operation("GET", "/decisions", "Decisions about alerts, newest first", by="reading")
    async def decisions(
        self, *, limit: Limit = PAGE, before: Before = None, alert: OfAlert = None, host: OfHost = None
    ) -> Page[DecisionView]: ...

    @operation("GET", "/runs", "Runs, newest first", by="reading")
    async def runs(
        self, *, limit: Limit = PAGE, before: Before = None, task: OfTask = None, target: OfTarget = None,
        outcome: EndedSo = None, host: OfHost = None, state: InState = None,
    ) -> Page[RunView]: ...  # fmt: skip

    @operation("GET", "/runs/{id}", "One run with its plan, actions and measurements", by="reading")
    async def run(self, id: int) -> RunView: ...

    @operation("GET", "/artefacts/{id}", "What a run has made, as it is: a report, an archive",
               by="reading", file=True, patience=3)  # fmt: skip
    async def artefact(self, id: int) -> ArtefactContent: ...

    @operation("GET", "/audit", "Records of the audit, newest first", by="reading")
    async def audit(self, *, limit: Limit = PAGE, before: Before = None, run: OfRun = None) -> Page[AuditView]: ...

    @operation("GET", "/audit/chains", "The audit of each host: how many records, and how it ends", by="reading")
    async def audit_chains(self) -> Page[ChainView]: ...

    @operation("GET", "/audit/state", "What this host's remediator last found of its own chain", by="standing")
    async def audit_state(self) -> AuditStateView: ...

    @operation("GET", "/audit/chains/{host}", "Records of a host's audit, oldest first", by="reading", patience=3)
    async def audit_records(
        self, host: str, *, limit: Limit = PAGE, after: After = None, since: Since = None
    ) -> Page[AuditView]: ...

    @operation("GET", "/remedies", "The configured remedies with their track", by="standing")
    async def remedies(self) -> Page[RemedyView]: ...

    @operation("GET", "/tasks", "The tasks and what they can work on now", by="standing")
    async def tasks(self) -> Page[TaskView]: ...

    @operation("GET", "/status", "The remediator at a glance", by="standing")
    async def status(self) -> StatusView: ...

    @operation("POST", "/plans", "What a task would do now, and what would block it",
               by="running", body="PlanRequest", patience=6)  # fmt: skip
    async def plan(self, task: str, target: str, params: Params = NO_PARAMS) -> PlanView:
        """Asks what a task would do."""

    @operation("POST", "/runs", "Start a run, through the same guards as an alert's",
               by="running", body="RunRequest", status=202)  # fmt: skip
    async def start_run(
        self, task: str, target: str, dry_run: bool = False, params: Params = NO_PARAMS, host: OnHost = None
    ) -> RunView:
        """Asks for a run."""

    @operation("GET", "/hosts", "The hosts that share the database: which are up, and how busy each is", by="fleet")
    async def hosts(self) -> Page[HostView]: ...

    @operation("GET", "/sd", "The hosts as targets of Prometheus's HTTP service discovery", by="fleet")
    async def sd(self, *, service: Service = "exporter", port: Port = None) -> list[TargetGroup]: ...

    @operation("GET", "/rollouts", "Tasks that are rolled out over hosts, newest first", by="rolling")
    async def rollouts(self, *, limit: Limit = PAGE, before: Before = None) -> Page[RolloutView]: ...

    @operation("GET", "/rollouts/{id}", "One of them with its hosts", by="rolling")
    async def rollout(self, id: int) -> RolloutView: ...

    @operation("POST", "/rollouts/plan", "Which hosts a rollout would take in which waves; nothing runs",
               by="rolling", body="RolloutPlanRequest")  # fmt: skip
    async def plan_rollout(
        self, task: str, target: str, params: Params = NO_PARAMS, hosts: Hosts = NO_HOSTS,
        failure_domain: HostLabel = None, wait: Quiet = QUIET, at_once: AtOnce = None, alerts: ByAlerts = True,
    ) -> RolloutView:  # fmt: skip
        """Asks what a rollout would be."""

    @operation("POST", "/rollouts", "Begin a rollout: a run on each host, wave after wave",
               by="rolling", body="RolloutRequest", status=202)  # fmt: skip
    async def start_rollout(
        self, task: str, target: str, params: Params = NO_PARAMS, hosts: Hosts = NO_HOSTS,
        failure_domain: HostLabel = None, wait: Quiet = QUIET, at_once: AtOnce = None, alerts: ByAlerts = True,
        plan_hash: Waves = None,
    ) -> RolloutView:  # fmt: skip
        """Asks for a rollout. With a ``plan_hash`` it begins only if its waves are still those."""

    @operation("POST", "/rollouts/{id}/resume", "Go on with a rollout that has stopped",
               by="rolling", body="ResumeRequest", status=202)  # fmt: skip
    async def resume_rollout(self, id: int, without: Without = NO_HOSTS) -> RolloutView:
        """Says that what stopped it was looked at. Hosts that failed have another turn."""

    @operation("POST", "/rollouts/{id}/cancel", "End a rollout: no other run of it begins",
               by="rolling", body="RolloutCancelRequest")  # fmt: skip
    async def cancel_rollout(self, id: int, reason: Remark = "") -> RolloutView:
        """Says why. Runs that are under way go on to their end."""

    @operation("POST", "/runs/{id}/cancel", "Cancel a run: no other action of it begins",
               by="cancelling", body="CancelRequest")  # fmt: skip
    async def cancel_run(self, id: int, reason: Remark = "") -> RunView:
        """Says why. A run that acts ends with the action under way, so look again until it is finished."""

    @operation("GET", "/approvals", "Plans that wait for a person, or did, newest first", by="approving")
    async def approvals(
        self, *, state: State = None, limit: Limit = PAGE, before: Before = None, host: OfHost = None
    ) -> Page[ApprovalView]: ...

    @operation("GET", "/approvals/{id}", "One of them with its plan, and what would block that", by="approving")
    async def approval(self, id: int) -> ApprovalDetail: ...

    @operation("POST", "/approvals/{id}", "Approve or deny the plan that was looked at",
               by="approving", body="ApprovalAnswer")  # fmt: skip
    async def decide_approval(self, id: int, verdict: Answer, plan_hash: PlanHash, reason: Remark = "") -> ApprovalView:
        """Answers for one plan: the one with this hash. Another plan is asked about again."""

    @operation("POST", "/explain", "What would be decided about an alert now, and why; nothing runs",
               by="explaining", body="ExplainRequest", patience=6)  # fmt: skip
    async def explain(self, alert_id: AlertId = None, labels: Labels = None, plan: Planned = True) -> ExplainView:
        """Asks about an alert that came, or about one with these labels."""

    @operation("GET", "/sets", "The sets of backups in directories, with what was shown of each",
               by="cataloguing", patience=3)  # fmt: skip
    async def sets(self, *, backup: BackupName = None) -> SetsView: ...

    @operation("GET", "/forecasts", "When what fills up will be full, as was last foretold", by="forecasting")
    async def forecasts(self) -> ForecastsView: ...

    @operation("GET", "/config", "The config in force, without secrets, and what is wrong with its file",
               by="configuring")  # fmt: skip
    async def configuration(self) -> ConfigurationView: ...

    @operation("GET", "/schedule", "The jobs of the schedule: next, last, and what became of it", by="scheduling")
    async def schedule(self) -> Page[JobView]: ...

    @operation("GET", "/schedule/why", "Why a job did or did not run at a time", by="scheduling")
    async def schedule_why(self, job: JobName, at: Moment = None) -> WhyView: ...

    @operation("DELETE", "/remedies/{remedy}/autonomy", "Give a remedy back the autonomy of the config", by="trusting")
    async def reset_autonomy(self, remedy: str, host: AskedOf = None) -> LevelView: ...

    @operation("POST", "/remedies/{remedy}/autonomy", "Promote a remedy to what its track suggests",
               by="trusting", body="PromotionRequest")  # fmt: skip
    async def promote(self, remedy: str, autonomy: Promoted, host: AskedOf = None) -> LevelView:
        """Names what was suggested. A remedy whose track does not suggest exactly that any more stays as it is."""

    @operation("POST", "/pause", "Hold back a task, or everything", by="holding", body="PauseRequest")
    async def pause(
        self, task: str | None, reason: Reason, seconds: Seconds, silence: Silence = False, host: HeldOn = None
    ) -> list[PauseView]:
        """Holds back a task, or everything."""

    @operation("DELETE", "/pause", "End a pause", by="holding")
    async def resume(self, task: PausedTask, host: HeldOn = None) -> list[PauseView]: ...

    @operation("DELETE", "/breakers/{task}/{target}", "Close a breaker by hand", by="holding")
    async def close_breaker(self, task: str, target: str, host: AskedOf = None) -> list[BreakerView]: ...

    @operation("GET", "/tokens", "The named tokens, without what they are", by="access", role="operator")
    async def tokens(self) -> Page[TokenView]: ...

    @operation(
        "POST", "/tokens", "Make a token, which is shown this once", by="access", body="TokenRequest", status=201
    )
    async def create_token(self, name: TokenName, role: TokenRole, seconds: Expires) -> NewTokenView:
        """Asks for a token."""

    @operation("DELETE", "/tokens/{name}", "Revoke a token", by="access")
    async def revoke_token(self, name: str) -> Page[TokenView]: ...
