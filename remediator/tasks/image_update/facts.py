"""What image-update is."""

from remediator.model.taskfacts import Figure, TaskFacts

DAY = 86400.0

IMAGE_UPDATE = TaskFacts(
    name="image-update",
    summary="Brings a Compose service to the new image of its tag, watches it, and goes back where that is not well.",
    never=(
        "containers with the keep label (upkeeper.keep) or upkeeper.update=never, and those that someone stopped",
        "the major version of a database; that of anything else unless a person asks for it",
        "services that are built here, and anything else of a service than its image",
        "data: the only way back for it is a set that was made with the service at rest, and a copy of what is there",
        "your Compose files: the digest is written into a file in the state directory",
    ),
    configured=lambda document: [],
    disruption="brief",
    discovers=True,
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=DAY,
)

ALL = "all"

IMAGE_CHECK = TaskFacts(
    name="image-check",
    summary="Tells which services have newer images, by asking their registries; it changes nothing.",
    never=("anything: it only looks",),
    configured=lambda document: [ALL],
    unattended="auto",
    shows="figures",
    figures=(
        Figure("service", "service"),
        Figure("image", "image"),
        Figure("verdict", "is"),
        Figure("reason", "because"),
        Figure("newer_tags", "newer versions"),
        Figure("newer_major_tags", "other major ones"),
    ),
    repeatable=True,
)
