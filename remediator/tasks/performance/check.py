"""performance-check: what uses what, now. It only looks."""

from collections.abc import Awaitable, Callable, Sequence

from exporter.base.errors import UpkeeperError
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, TaskError
from remediator.tasks.performance.facts import ALL, PERFORMANCE_CHECK
from remediator.tasks.performance.host import Collected, uses
from remediator.tasks.performance.rows import UseRow

Servers = Sequence[tuple[str, Callable[[], Awaitable[tuple[list[UseRow], list[str]]]]]]
"""By name, what asks a database server."""


class PerformanceCheck:
    """Looks at host and containers twice within a second, and asks the database servers what they do."""

    facts = PERFORMANCE_CHECK
    parameters = Parameters
    action_timeout = 60.0

    def __init__(self, collected: Collected, servers: Servers) -> None:
        self._collected = collected
        self._servers = servers

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Never breached: limits have alerts of their own. Values: used shares of the host's CPUs and memory."""
        rows, _ = await self._uses()
        values = {row.resource: row.share for row in rows if row.who == "host" and row.share is not None}
        said = ", ".join(f"{name} {share:.0%}" for name, share in values.items())
        return Measurement(breached=False, values=values, detail=said)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        rows, notes = await self._uses()
        for name, ask in self._servers:
            try:
                found, more = await ask()
            except (UpkeeperError, TimeoutError) as error:
                more, found = [f"{name} is left out: {str(error) or 'it does not answer'}."], []
            rows += found
            notes += more
        return Plan(rows=rows, notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False

    async def _uses(self) -> tuple[list[UseRow], list[str]]:
        try:
            return await uses(self._collected)
        except OSError as error:
            raise TaskError(f"the host could not be measured: {error}") from error
