"""The remediator's own metrics."""

from collections.abc import Collection, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from exporter import __version__
from remediator.audit.verify import Head
from remediator.model.shapes.status import BallastView

# As a series of its own, which the text format makes of it, a time of creation clashes with the counter's family.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Metric families of decisions and runs, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._of_runs(registry)
        self._of_holds(registry)
        self._of_audit(registry)
        self._of_ballast(registry)
        self._of_journal(registry)
        Info("upkeeper_remediator_build", "The running version", registry=registry).info({"version": __version__})

    def _of_runs(self, registry: CollectorRegistry) -> None:
        """Runs, decisions and the queue."""
        self._runs = Counter("upkeeper_task_runs", "Finished runs", ["task", "outcome", "trigger"], registry=registry)
        self._seconds = Histogram(
            "upkeeper_task_duration_seconds",
            "How long runs took",
            ["task"],
            buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
            registry=registry,
        )
        self._repairs = Histogram(
            "upkeeper_repair_seconds",
            "From the beginning of an alert to the end of the run that mended it",
            ["remedy"],
            buckets=(10, 30, 60, 120, 300, 900, 3600, 6 * 3600, 86400),
            registry=registry,
        )
        self._last_success = Gauge(
            "upkeeper_task_last_success_timestamp_seconds",
            "When a run last ended effective or with nothing to do",
            ["task"],
            registry=registry,
        )
        self._reclaimed = Counter(
            "upkeeper_task_reclaimed_bytes", "Bytes that actions measurably freed", ["task"], registry=registry
        )
        self._acted = Gauge(
            "upkeeper_task_last_action_timestamp_seconds",
            "When a run last did something to a target; absent until one does",
            ["task", "target"],
            registry=registry,
        )
        self._decisions = Counter(
            "upkeeper_decisions", "Decisions about alerts", ["remedy", "verdict", "guard"], registry=registry
        )
        self.queue_depth = Gauge("upkeeper_queue_depth", "Runs that wait or are under way", registry=registry)

    def _of_holds(self, registry: CollectorRegistry) -> None:
        """What is held back, and what waits for a person."""
        self._breakers = Gauge(
            "upkeeper_breaker_open",
            "1 while a breaker keeps a task from a target",
            ["task", "target"],
            registry=registry,
        )
        self.paused = Gauge("upkeeper_paused", "1 while all tasks are paused", registry=registry)
        self._paused_since = Gauge(
            "upkeeper_paused_since_timestamp_seconds",
            "Since when all tasks have been paused; 0 while they are not",
            registry=registry,
        )
        self._paused_tasks_since = Gauge(
            "upkeeper_task_paused_since_timestamp_seconds",
            "Since when a task has been paused",
            ["task"],
            registry=registry,
        )
        self._paused_tasks = Gauge("upkeeper_task_paused", "1 while a task is paused", ["task"], registry=registry)
        self._approvals = Gauge(
            "upkeeper_approvals_pending",
            "Plans that wait for a person, by the remedy that asks; empty for what was asked for by hand",
            ["remedy"],
            registry=registry,
        )
        self._approvals_oldest = Gauge(
            "upkeeper_approvals_oldest_timestamp_seconds",
            "Since when the oldest of them waits; absent while none does",
            ["remedy"],
            registry=registry,
        )

        self._rollouts = Gauge(
            "upkeeper_rollouts",
            "Rollouts that this host drives and that go on, and those that have stopped because something was not well",
            ["state"],
            registry=registry,
        )

    def _of_audit(self, registry: CollectorRegistry) -> None:
        """The end of the audit's chain, and the last restore."""
        self._audit_records = Gauge(
            "upkeeper_audit_records", "Records of the audit that were ever written", registry=registry
        )
        self._audit_head = Gauge(
            "upkeeper_audit_head",
            "The first 13 digits of the hash of the audit's last record, as a number",
            registry=registry,
        )
        self._audit_broken = Gauge("upkeeper_audit_broken", "1 if the audit was found broken", registry=registry)
        self._audit_verified = Gauge(
            "upkeeper_audit_verified_timestamp_seconds",
            "When the audit was last found whole; 0 if not since the start",
            registry=registry,
        )
        self._restored = Gauge(
            "upkeeper_state_restored_timestamp_seconds",
            "When the state directory was last restored from a backup; 0 if never",
            registry=registry,
        )

    def _of_journal(self, registry: CollectorRegistry) -> None:
        """Whether the host goes on without the database that hosts share."""
        self._journal_since = Gauge(
            "upkeeper_state_journal_since_timestamp_seconds",
            "Since when this host goes on with a journal, the database that hosts share being away; else 0",
            registry=registry,
        )

    def _of_ballast(self, registry: CollectorRegistry) -> None:
        """The room kept for a full disk."""
        self._ballast_bytes = Gauge(
            "upkeeper_ballast_bytes", "Disk space that a full disk would get back", registry=registry
        )
        self._ballast_wanted = Gauge(
            "upkeeper_ballast_wanted_bytes", "Disk space that is to be kept for a full disk", registry=registry
        )
        self._ballast_inodes = Gauge(
            "upkeeper_ballast_inodes", "Inodes that a full disk would get back", registry=registry
        )
        self._ballast_wanted_inodes = Gauge(
            "upkeeper_ballast_wanted_inodes", "Inodes that are to be kept for a full disk", registry=registry
        )
        self._ballast_reserved = Gauge(
            "upkeeper_ballast_reserved",
            "0 where the file system cannot promise to give the kept space back, as with copy-on-write",
            registry=registry,
        )

    def finished(self, task: str, outcome: str, trigger: str, seconds: float | None, now: float) -> None:
        """A run has ended. seconds: that it took; None where all it did was to wait for a person."""
        self._runs.labels(task, outcome, trigger).inc()
        if seconds is not None:
            self._seconds.labels(task).observe(seconds)
        if outcome in ("effective", "nothing-to-do"):
            self._last_success.labels(task).set(now)

    def repaired(self, remedy: str, seconds: float) -> None:
        """A run that a remedy asked for was effective. seconds: since its alert began."""
        self._repairs.labels(remedy).observe(seconds)

    def reclaimed(self, task: str, count: int) -> None:
        if count > 0:
            self._reclaimed.labels(task).inc(count)

    def acted(self, task: str, target: str, now: float) -> None:
        self._acted.labels(task, target).set(now)

    def ballast(self, now: BallastView | None) -> None:
        """How the ballast stands; None where it cannot be told, and then there is none."""
        self._ballast_bytes.set(now["bytes"] if now else 0)
        self._ballast_inodes.set(now["inodes"] if now else 0)
        if now is not None:
            self._ballast_wanted.set(now["wanted_bytes"])
            self._ballast_wanted_inodes.set(now["wanted_inodes"])
            self._ballast_reserved.set(not now["doubt"])

    def decided(self, remedy: str | None, verdict: str, guard: str | None) -> None:
        self._decisions.labels(remedy or "", verdict, guard or "").inc()

    def audit(self, head: Head, verified_at: float | None, *, broken: bool) -> None:
        """The end of the audit's chain, when it was last found whole (Unix seconds), and whether it is broken."""
        self._audit_records.set(head.number or 0)
        self._audit_head.set(head.as_number())
        self._audit_broken.set(broken)
        self._audit_verified.set(verified_at or 0)

    def journal(self, since: float | None) -> None:
        """Since when the host goes on with its journal (Unix seconds); None while it does not."""
        self._journal_since.set(since or 0)

    def restored(self, at: float | None) -> None:
        """When the state was last restored (Unix seconds)."""
        self._restored.set(at or 0)

    def holds(self, open_breakers: Sequence[tuple[str, str]], pauses: Sequence[tuple[str | None, float]]) -> None:
        """What is held back now: breakers by (task, target); paused tasks, None standing for all, with since when."""
        self._breakers.clear()
        for task, target in open_breakers:
            self._breakers.labels(task, target).set(1)
        since = dict(pauses)
        self.paused.set(None in since)
        self._paused_since.set(since.get(None, 0.0))
        self._paused_tasks.clear()
        self._paused_tasks_since.clear()
        for name, at in since.items():
            if name is not None:
                self._paused_tasks.labels(name).set(1)
                self._paused_tasks_since.labels(name).set(at)

    def rolls(self, states: Mapping[str, int]) -> None:
        """How many rollouts this host drives, or drove last, by their state."""
        self._rollouts.labels("running").set(states.get("running", 0) + states.get("cancelling", 0))
        self._rollouts.labels("stopped").set(states.get("stopping", 0) + states.get("stopped", 0))

    def waits(self, remedies: Collection[str], pending: Mapping[str, tuple[int, float]]) -> None:
        """How many plans wait for a person, and since when (Unix seconds), by remedy; of other remedies none does."""
        self._approvals.clear()
        self._approvals_oldest.clear()
        for remedy in {*remedies, *pending}:
            count, oldest = pending.get(remedy, (0, None))
            self._approvals.labels(remedy).set(count)
            if oldest is not None:
                self._approvals_oldest.labels(remedy).set(oldest)
