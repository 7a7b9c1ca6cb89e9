"""What reboot is."""

from remediator.model.taskfacts import TaskFacts

HOST = "host"
"""The one target: the machine that the remediator runs on."""

REBOOT = TaskFacts(
    name="reboot",
    summary="Restarts the machine where updates wait for it, and compares what ran before with what runs after.",
    never=(
        "a machine that waits for nothing, unless a person asks for it",
        "a machine that was started since its new kernel was installed: another start would bring the same one",
        "a machine whose package manager is at work, or half done",
        "a machine on which another run of this remediator acts",
        "a machine that a program keeps from shutting down (systemd-inhibit)",
        "the same machine twice for one plan",
    ),
    configured=lambda document: [HOST],
    disruption="outage",
)
