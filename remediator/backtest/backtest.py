"""Reads the history of alerts and replays it."""

import asyncio
from collections.abc import Callable, Mapping

from remediator.backtest.history import History, read
from remediator.backtest.known import Known
from remediator.backtest.record import World
from remediator.backtest.replay import Assume, Replay, Replayed
from remediator.backtest.report import report
from remediator.config.timezones import machine_zone
from remediator.decide.remedies import Remedies
from remediator.decide.subjects import Targets, targets_of
from remediator.guards.concurrency import is_disruptive
from remediator.model.backtest import BacktestView
from remediator.model.task import Task
from remediator.peers.prometheus import Prometheus

REPEAT = 300.0
"""Seconds after which our Alertmanager tells the remediator of an alert again."""


async def backtest(
    prometheus: Prometheus,
    remedies: Remedies,
    tasks: Mapping[str, Task],
    host: str,
    *,
    since: float,
    until: float,
    interval: float | None,
    assume: Assume,
    took: float,
    known: Known | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> BacktestView:
    """What the remedies would have done. Runs nothing and records nothing.

    known: what is known of pauses and the like; None: nothing.
    interval: seconds between evaluations of alerts; None for what Prometheus says. took: seconds that a run takes.
    progress: gets the share that is read. Raises PeerError and NoHistory.
    """
    gates = sorted({query for remedy in remedies.remedies for query in remedy.gate})
    names = dict.fromkeys(remedy.task for remedy in remedies.remedies)
    history = await read(prometheus, since, until, interval, gates, progress)
    targets = await targets_of(tasks, names)
    world = World(
        host,
        machine_zone(),
        {name: is_disruptive(tasks, name) for name in names},
        [name for name in names if name in tasks and tasks[name].facts.always_approve],
        history.gates,
        history.known_at,
        known or Known(),
    )
    replayed = await asyncio.to_thread(_replayed, history, remedies, targets, world, assume, took)
    return report(history, remedies, targets, replayed, world.known, url=prometheus.url, assume=assume, took=took)


def _replayed(
    history: History, remedies: Remedies, targets: Targets, world: World, assume: Assume, took: float
) -> Replayed:
    # Only a storm may be over before the time that its guard names.
    repeat = REPEAT if any(remedy.storm.alerts is not None for remedy in remedies.remedies) else None
    return Replay(
        history.episodes, remedies, targets, world, assume=assume, until=history.until, took=took, repeat=repeat
    ).replay()
