"""Asking a person, and what he answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import sqlalchemy as sa
import structlog

from exporter.base.text import format_time_ms
from remediator.api.operations import PAGE
from remediator.control.again import to_be_tried_again
from remediator.decide.means import Means
from remediator.model.caller import Caller
from remediator.model.errors import bad_request, conflict, not_found, refused, unavailable
from remediator.model.hold import Block
from remediator.model.run import Run
from remediator.model.shapes.answers import Page
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from remediator.model.task import Plan
from remediator.model.words import ApprovalState
from remediator.runs.cases import case_of
from remediator.runs.closing import Closing
from remediator.runs.verify import Conclusion
from remediator.runs.waiting import Over, Waiting
from remediator.store import approvals, fleet, pages, runs

log = structlog.get_logger(__name__)

_STATE: Mapping[str, Literal["approved", "denied"]] = {"approve": "approved", "deny": "denied"}


class Approving:
    """Shows what waits for a person, and takes the answer, on whichever host it is.

    caller: who answers. submit: hands another attempt at a run to the engine. ask: asks another host.
    """

    def __init__(
        self,
        means: Means,
        caller: Callable[[], Caller],
        waiting: Waiting,
        closing: Closing,
        submit: Callable[[int, int], Awaitable[None]],
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._database = means.database
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._clock = means.clock
        self._caller = caller
        self._waiting = waiting
        self._closing = closing
        self._submit = submit

    async def approvals(
        self, *, state: str | None = None, limit: int = PAGE, before: int | None = None, host: str | None = None
    ) -> Page[ApprovalView]:
        if state is not None and state not in get_args(ApprovalState):
            raise bad_request(f"state must be one of {', '.join(get_args(ApprovalState))}")
        wanted = partial(pages.list_approvals, now=self._clock(), state=state, host=host)
        return await self._database.read(partial(wanted, limit=limit, before=before))

    async def approval(self, id: int) -> ApprovalDetail:
        """With its plan, and what would block that now beside the approval."""
        try:
            view = await self._database.read(partial(pages.one_approval, approval_id=id, now=self._clock()))
        except LookupError as error:
            raise not_found(str(error)) from error
        if view["state"] == "asked":
            view["guards"] = [{"guard": one.guard, "reason": one.reason} for one in await self._refusals(id)]
        return view

    async def decide_approval(
        self, id: int, verdict: Literal["approve", "deny"], plan_hash: str, reason: str = ""
    ) -> ApprovalView:
        """Approves or denies the plan of that hash."""
        host = await self._require_open(id, plan_hash)
        if host != self._database.host and self._database.held:
            there: ApprovalView = await self._ask(
                host, "decide_approval", id=id, verdict=verdict, plan_hash=plan_hash, reason=reason
            )
            return there
        if verdict == "approve":
            for block in await self._refusals(id):
                raise refused(block.guard, f"{block.reason}; approval {id} goes on waiting")
        now = self._clock()
        answer = partial(
            self._answer, id=id, verdict=verdict, plan_hash=plan_hash, reason=reason, now=now, caller=self._caller()
        )
        answered = await self._database.write(answer)
        self._waiting.tell(answered.ended, now)
        if not answered.taken:  # somebody was quicker, or it ended meanwhile
            await self._require_open(id, plan_hash)
            raise conflict(f"approval {id} could not be decided; look at it again")
        log.info("approval decided", verdict=_STATE[verdict], approval=id, by=self._caller().name, reason=reason)
        if answered.begun is not None:
            # It is stored, and so begins in any case: what cannot be handed over now is later, or by the next start.
            with to_be_tried_again("an approved run could not be handed over yet"):
                await self._submit(*answered.begun)
        return await self._database.read(partial(pages.approval_view, approval_id=id, now=now))

    def _answer(
        self,
        connection: sa.Connection,
        id: int,
        verdict: Literal["approve", "deny"],
        plan_hash: str,
        reason: str,
        now: float,
        caller: Caller,
    ) -> "_Answered":
        """In one transaction: ends what is over, then takes the answer if this still waits."""
        host = approvals.get(connection, id).host
        if host != self._database.host:
            fleet.join_writers(connection, host)
            fleet.call(connection, [host], everything=True)  # also at what a run that is denied held back
        ended = list(self._waiting.end(connection, host, now))
        if not approvals.decide(connection, id, plan_hash, _STATE[verdict], caller, reason, now):
            return _Answered(False, ended)
        asked = approvals.get(connection, id)
        if verdict == "approve":
            begun = (asked.run_id, runs.go_on(connection, asked.run_id))
            return _Answered(True, ended, begun if host == self._database.host else None)  # which begins it itself
        who = caller.name or caller.trigger
        why = Conclusion("denied", f"denied by {who}: {reason}" if reason else f"denied by {who}")
        self._closing.close(connection, asked.run_id, why, now)
        return _Answered(True, [*ended, (runs.get(connection, asked.run_id), why)])

    async def _require_open(self, id: int, plan_hash: str) -> str:
        """The host of a request that waits for an answer about this plan. Raises RequestError where none does."""
        try:
            asked = await self._database.read(partial(approvals.get, approval_id=id))
        except LookupError as error:
            raise not_found(str(error)) from error
        if asked.state != "asked":
            by = f" by {asked.by.name or asked.by.trigger}" if asked.by else ""
            at = "" if asked.decided_at is None else f" at {format_time_ms(asked.decided_at)}"
            raise conflict(f"approval {id} is over: {asked.state}{by}{at}")
        if asked.expires_at <= self._clock():
            raise conflict(f"approval {id} is over: it expired at {format_time_ms(asked.expires_at)}")
        if asked.plan_hash != plan_hash:
            raise conflict(f"approval {id} is about another plan now: look at it again, then answer with its plan_hash")
        return asked.host

    async def _refusals(self, id: int) -> Sequence[Block]:
        """What would block the plan of a request if it was approved now. Another host asks its own guards, before it
        applies the plan.
        """
        run, plan = await self._database.read(partial(_with_plan, approval_id=id))
        if run.host != self._database.host:
            return []
        task = self._tasks().get(run.task)
        if task is None:
            raise unavailable(f"task {run.task} is no longer available")
        case = case_of(run, plan, self._remedies(), task.facts, self._clock(), approving=True)
        return [block for block in (await self._judge.judge(case)).blocks if not block.asks]


@dataclass(frozen=True)
class _Answered:
    """What an answer led to. taken: whether it counts. begun: the run and the attempt at it that begins."""

    taken: bool
    ended: Sequence[Over]
    begun: tuple[int, int] | None = None


def _with_plan(connection: sa.Connection, approval_id: int) -> tuple[Run, Plan]:
    run_id = approvals.get(connection, approval_id).run_id
    return runs.get(connection, run_id), approvals.plan_of(connection, approval_id)
