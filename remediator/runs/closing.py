"""The end of a run, however it came: in the record, in the metrics, in the log, and for whoever waits for it."""

from collections.abc import Callable

import sqlalchemy as sa
import structlog

from remediator.metrics import Metrics
from remediator.model.level import Level
from remediator.model.run import Run
from remediator.runs.trust import Trust
from remediator.runs.verify import Conclusion
from remediator.store import alerts, runs

log = structlog.get_logger(__name__)


class Closing:
    """Closes runs.

    on_finished: called with the id of one that has ended, for whoever decides. trust: what follows for its remedy.
    """

    def __init__(self, metrics: Metrics, on_finished: Callable[[int], None], trust: Trust | None = None) -> None:
        self._metrics = metrics
        self._on_finished = on_finished
        self._trust = trust
        self._changed: dict[int, Level | None] = {}
        """What followed for the remedy of a run that was closed and not told of yet."""
        self._repaired: dict[int, float] = {}
        """Seconds since the alert of such a run began, where the run has mended what it is about."""

    def close(self, connection: sa.Connection, run_id: int, verdict: Conclusion, now: float) -> bool:
        """In the transaction: closes a run, and marks its alert to be looked at; False if it was closed already."""
        finished = runs.finish(connection, run_id, verdict.outcome, verdict.reason, now)
        if finished:
            alerts.due_after_run(connection, run_id, now)
            run = runs.get(connection, run_id)
            if verdict.outcome == "effective" and run.alert_id is not None:
                began = alerts.starts_at(connection, run.alert_id)
                if began is not None:
                    self._repaired[run_id] = max(0.0, now - began)
            if self._trust is not None:
                self._changed[run_id] = self._trust.weigh(connection, run, now)
        return finished

    def tell(self, run: Run, verdict: Conclusion, *, seconds: float | None, now: float) -> None:
        """After it. seconds: that the run took; None where all it did was to wait."""
        changed = self._changed.pop(run.id, None)
        if self._trust is not None:
            self._trust.tell(changed)
        self._on_finished(run.id)
        if (repaired := self._repaired.pop(run.id, None)) is not None and run.remedy is not None:
            self._metrics.repaired(run.remedy, repaired)
        self._metrics.finished(run.task, verdict.outcome, run.trigger, seconds, now)
        log.info("run finished", run=run.id, task=run.task, target=run.target, outcome=verdict.outcome,
                 reason=verdict.reason, seconds=None if seconds is None else round(seconds, 3))  # fmt: skip
