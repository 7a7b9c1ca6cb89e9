"""What docker-cleanup is."""

from remediator.model.taskfacts import TaskFacts

TARGET = "docker"

DOCKER_CLEANUP = TaskFacts(
    name="docker-cleanup",
    summary="Removes stopped containers, unused networks of Compose, images without a tag and old build cache.",
    never=(
        "volumes, named or anonymous, and containers with an anonymous one",
        "containers that are not stopped, or that another container names",
        "stopped services of a Compose stack that hold what they wrote",
        "images with a tag, unless tagged_images_min_unused says so, and then none that a Compose file names",
        "images and networks of any container, and images that a Compose file names by digest",
        "images that could not be pulled or built again, and networks that Compose did not make",
        "objects with the keep label (upkeeper.keep)",
        "objects younger than their limit, or of unknown age",
    ),
    configured=lambda document: [TARGET],
)
