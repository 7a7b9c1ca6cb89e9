"""The one way to ask the guards. They are asked at the decision, and again before the plan is applied, which they see.

Facts are gathered before any transaction, since their sources may be slow. Guards fail closed: one whose facts
cannot be gathered, or that cannot be evaluated, blocks for a while.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.guards.registry import GUARDS
from remediator.model.hold import Block, Hold

log = structlog.get_logger(__name__)

F = TypeVar("F", bound=Facts)

UNKNOWN_FOR = 60.0
"""Seconds after which unknown facts are gathered again."""
GATHER_SECONDS = 20.0
"""Seconds that gathering may take. What has not arrived by then is unknown."""


@dataclass(frozen=True)
class Judgement:
    """What the guards say about a case: every block, in their order. If there is none, the run may happen."""

    blocks: Sequence[Block] = ()

    @property
    def first(self) -> Block | None:
        return self.blocks[0] if self.blocks else None

    @property
    def refusal(self) -> Block | None:
        """The first block that no person can lift by approving the plan."""
        return next((block for block in self.blocks if not block.asks), None)

    @property
    def over_at(self) -> float | None:
        """When the last of those blocks expires that a time ends (Unix seconds); None if all of them need an event."""
        return max((block.until for block in self.blocks if block.until is not None), default=None)

    def by(self, guard: str) -> Block | None:
        """The block of one guard, if it blocks."""
        return next((block for block in self.blocks if block.guard == guard), None)


class Gathered:
    """The facts of every guard about some subjects, by which they are judged without waiting.

    facts: by kind; for a kind that could not be gathered, the exception instead.
    """

    def __init__(
        self, facts: Mapping[type[Facts], Mapping[Subject, Facts] | Exception], guards: Sequence[Guard[Any]] = GUARDS
    ) -> None:
        self._facts = {kind: known if isinstance(known, Exception) else dict(known) for kind, known in facts.items()}
        self._guards = guards

    def copy(self) -> "Gathered":
        """The same facts, of which one may note runs that may come to nothing."""
        return Gathered(self._facts, self._guards)

    def judge(self, case: Case) -> Judgement:
        """What every guard says. Pure."""
        return Judgement([
            Block.of(guard.name, hold)
            for guard in self._guards
            if (guard.for_dry_runs or not case.dry_run) and (hold := self._ask(guard, case)) is not None
        ])  # fmt: skip

    def explain(self, case: Case) -> Sequence[tuple[str, Block | None, str]]:
        """What every guard says, and by what: its name, its block if it blocks, and what it goes by, for people."""
        found: list[tuple[str, Block | None, str]] = []
        for guard in self._guards:
            hold = self._ask(guard, case)
            block = None if hold is None else Block.of(guard.name, hold)
            found.append((guard.name, block, hold.reason if hold is not None else self._said(guard, case)))
        return found

    def _said(self, guard: Guard[Any], case: Case) -> str:
        """What a guard that does not block goes by. It has the facts, else it would block."""
        known = self._facts[guard.facts]
        assert not isinstance(known, Exception), "a guard without facts blocks"
        return guard.says(known[case.subject], case)

    def _ask(self, guard: Guard[Any], case: Case) -> Hold | None:
        known = self._facts.get(guard.facts, {})
        if isinstance(known, Exception):
            return _unknown("the guard's facts could not be gathered", known, case)
        if case.subject not in known:
            return Hold("the guard knows nothing of this task and target", case.now + UNKNOWN_FOR)
        try:
            return guard.blocks(known[case.subject], case)
        except Exception as error:
            log.exception("guard failed", guard=guard.name)
            return _unknown("the guard could not be evaluated", error, case)

    def all(self, kind: type[F]) -> Mapping[Subject, F]:
        """The facts of one kind, about each subject of which they are known."""
        known = self._facts.get(kind, {})
        if isinstance(known, Exception):
            return {}
        return {subject: facts for subject, facts in known.items() if isinstance(facts, kind)}

    def about(self, kind: type[F], subject: Subject) -> F | None:
        """The facts of one kind about a subject; None where they are unknown."""
        known = self._facts.get(kind, {})
        found = None if isinstance(known, Exception) else known.get(subject)
        return found if isinstance(found, kind) else None

    def add_run(self, started: Subject, run_id: int) -> None:
        """A run has been stored since the facts were gathered: further cases are judged with it."""
        for known in self._facts.values():
            if not isinstance(known, Exception):
                known.update({about: facts.with_run(about, started, run_id) for about, facts in known.items()})


def _unknown(what: str, error: Exception, case: Case) -> Hold:
    return Hold(f"{what}: {type(error).__name__}", case.now + UNKNOWN_FOR)


class Judge:
    """Asks guards."""

    def __init__(self, sources: Sources, guards: Sequence[Guard[Any]] = GUARDS) -> None:
        self._sources = sources
        self._guards = guards

    def only(self, *guards: Guard[Any]) -> "Judge":
        """One that asks these guards alone."""
        return Judge(self._sources, guards)

    async def judge(self, case: Case) -> Judgement:
        """What every guard says about a case, by facts gathered now. Never fails."""
        return (await self.gather({case.subject}, case.now)).judge(case)

    async def gather(self, subjects: Collection[Subject], now: float) -> Gathered:
        """The facts about all these subjects, each kind once. Never fails."""
        kinds = list(dict.fromkeys(guard.facts for guard in self._guards)) if subjects else []
        found = await asyncio.gather(*(self._gather(kind, subjects, now) for kind in kinds))
        return Gathered(dict(zip(kinds, found, strict=True)), self._guards)

    async def _gather(
        self, kind: type[Facts], subjects: Collection[Subject], now: float
    ) -> Mapping[Subject, Facts] | Exception:
        try:
            async with asyncio.timeout(GATHER_SECONDS):
                return await kind.gather(subjects, self._sources, now)
        except Exception as error:
            log.exception("facts of guards could not be had", facts=kind.__name__)
            return error
