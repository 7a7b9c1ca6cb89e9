"""The newest forecasts of the record are served, also after a restart."""

from prometheus_client import generate_latest

from remediator.config.config import Config
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.forecast.row import ForecastRow
from remediator.model.task import NO_PARAMS, Measurement, Parameters, Params, Plan
from remediator.tasks.resources import Resources
from tests.remediator.stack import Stack
from tests.remediator.sweep import Sweep


class Days(Parameters):
    """Of history."""

    days: int = 0


class Oracle(Sweep):
    """Foretells what it is told."""

    facts = Sweep.facts._replace(name="oracle", shows="figures", foretells=True, repeatable=True)
    parameters = Days
    full_at = 5000.0

    async def measure(self, target: str) -> Measurement:
        return Measurement(breached=False)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return Plan(rows=[ForecastRow(sink="memory", unit="bytes", limit=9.0, full_at=self.full_at, says="soon")])


async def full(stack: Stack) -> list[str]:
    await stack.core.upkeep.refresh_metrics()
    lines = generate_latest(stack.core.registry).decode().splitlines()
    return [line for line in lines if line.startswith("upkeeper_forecast_full")]


async def test_the_newest_forecasts_are_served_also_after_a_restart(stack: Stack) -> None:
    oracle, config = Oracle(stack.attic), Config()
    stack.core.apply_settings(Settings(config, Remedies([]), {"oracle": oracle}, Resources(config)))
    assert await full(stack) == []
    await stack.core.start_run("oracle", "attic")
    await stack.finished(1)
    assert await full(stack) == ['upkeeper_forecast_full_timestamp_seconds{sink="memory"} 5000.0']
    oracle.full_at = 6000.0
    await stack.core.start_run("oracle", "attic", params={"days": 7})
    await stack.finished(2)
    # What somebody tries with parameters of his own is nobody's alert.
    assert await full(stack) == ['upkeeper_forecast_full_timestamp_seconds{sink="memory"} 5000.0']
    await stack.core.start_run("oracle", "attic")
    await stack.finished(3)
    settings = stack.core._settings
    await stack.core.close()
    stack.core = type(stack.core)(stack.core.state, settings, clock=stack.clock)
    await stack.core.open()
    assert await full(stack) == ['upkeeper_forecast_full_timestamp_seconds{sink="memory"} 6000.0']
