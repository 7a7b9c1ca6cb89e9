"""What docker-volume-cleanup is."""

from remediator.model.taskfacts import TaskFacts

TARGET = "docker"

DOCKER_VOLUME_CLEANUP = TaskFacts(
    name="docker-volume-cleanup",
    summary="Removes volumes that no container has, once a proven set of a backup holds what is in them.",
    never=(
        "a volume that a container has, running or not",
        "a volume that the newest proven set of a backup does not hold, or that was changed since that was made",
        "volumes with the keep label (upkeeper.keep), and those of other drivers than local",
        "anything by itself: a person approves each plan",
    ),
    configured=lambda document: [TARGET],
    always_approve=True,
)
