"""The metrics of the schedule, computed when they are asked for."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from exporter.base.families import Families
from remediator.schedule.standing import Standing


class JobMetrics:
    """How each job stood at the last look, and whether it is overdue by now. clock: Unix seconds."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._standings: Sequence[Standing] = ()
        registry.register(_Collector(self))

    def stand(self, standings: Sequence[Standing]) -> None:
        self._standings = standings

    def families(self) -> Iterable[Metric]:
        made = Families("upkeeper_schedule", "job_name")
        due = made.gauge("next_timestamp_seconds", "When a job runs next")
        success = made.gauge("last_success_timestamp_seconds", "When a job last ended well; absent until it does")
        overdue = made.gauge("overdue", "1 while a job is not done although its time and its grace have passed")
        grace = made.gauge("grace_seconds", "How long after its time a job may be undone")
        missed = made.counter("missed", "Due times that passed without a run: the machine was off or asleep")
        now = self._clock()
        for each in self._standings:
            name = (each.job.name,)
            due.add(name, each.next_at)
            grace.add(name, each.job.grace)
            overdue.add(name, float(each.is_overdue(now)))
            if each.record is not None:
                success.add(name, each.record.last_success_at)
                missed.add(name, each.record.missed)
        return made.all


class _Collector:
    """For a registry."""

    def __init__(self, metrics: JobMetrics) -> None:
        self.collect = metrics.families
