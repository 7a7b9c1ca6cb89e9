"""What diagnose is."""

from remediator.model.taskfacts import TaskFacts

ALL = "all"

DIAGNOSE = TaskFacts(
    name="diagnose",
    summary="Collects what tells what is wrong into one archive, without secrets: versions, config, runs, logs.",
    never=("anything: it only reads", "a password, token or key is never in the archive, as far as it can be known"),
    configured=lambda document: [ALL],
    unattended="auto",
    repeatable=True,
)
