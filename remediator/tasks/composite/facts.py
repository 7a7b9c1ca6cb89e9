"""What the composite tasks are: lists of tasks, by the maintenance guide."""

from remediator.model.taskfacts import Part, TaskFacts

ALL = "all"


def _composite(name: str, summary: str, *parts: Part) -> TaskFacts:
    return TaskFacts(
        name=name,
        summary=summary,
        never=("what its parts never touch: each has its own plan, guards and record",),
        configured=lambda document: [ALL],
        unattended="auto",
        parts=parts,
    )


_VERIFIED = ("backup-verification",)
"""What changes the machine waits for proof that there is a way back."""

DAILY = _composite(
    "daily",
    "Runs each day's tasks: health, logs, Docker, databases, performance.",
    Part("health-check"),
    Part("log-rotation"),
    Part("docker-cleanup"),
    Part("postgres-maintenance"),
    Part("neo4j-maintenance"),
    Part("performance-check"),
)

WEEKLY = _composite(
    "weekly",
    "Runs each week's tasks: backups, configuration, trends, security, updates, report.",
    Part("backup-verification"),
    Part("configuration-audit"),
    Part("performance-analysis"),
    Part("security-review"),
    Part("system-update", needs=_VERIFIED),
    Part("maintenance-report"),
)

MONTHLY = _composite(
    "monthly",
    "Runs each month's tasks: security updates, optimization, deep cleanup, capacity, report.",
    Part("security-update"),
    # Cleans up as well, by comprehensive-cleanup: a second time so soon would only be blocked by its cooldown.
    Part("performance-optimization"),
    Part("capacity-planning"),
    Part("maintenance-report"),
)

YEARLY = _composite(
    "yearly",
    "Runs each year's tasks: backups and disaster recovery, updates, audit, monitoring, report.",
    Part("backup-verification"),
    Part("disaster-recovery-test", needs=_VERIFIED),
    Part("system-update", needs=_VERIFIED),
    Part("image-update", needs=_VERIFIED),
    Part("configuration-audit"),
    Part("monitoring-setup"),
    Part("maintenance-report"),
)

COMPREHENSIVE_CLEANUP = _composite(
    "comprehensive-cleanup",
    "Cleans up everything that may be: Docker, logs, backups.",
    Part("docker-cleanup"),
    Part("log-rotation"),
    Part("backup-retention"),
    Part("docker-volume-cleanup"),  # last, as it waits for a person
)

PERFORMANCE_OPTIMIZATION = _composite(
    "performance-optimization",
    "Names what is most worth doing, then maintains databases and their indexes, and cleans up.",
    Part("performance-advice"),
    Part("postgres-maintenance"),
    Part("neo4j-maintenance"),
    Part("comprehensive-cleanup"),
)
