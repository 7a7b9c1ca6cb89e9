"""How the images of Compose services are updated."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Contradiction, Name, Section, names_of, shown
from exporter.inventory.docker import ComposeProject

UpdatePolicy = Literal["auto", "approve", "never"]
"""By itself where its remedy or job may; only after a person has approved it; not at all."""


def _program(command: list[str]) -> list[str]:
    if not command or not all(command):
        raise ValueError("must be a command with its arguments, as in [docker, compose]")
    return command


class ServiceImage(Section):
    """One service of a Compose project."""

    project: ComposeProject = Field(description="the project, as `docker compose ls` shows it")
    service: Name = Field(description="the service, by its name in the Compose file")
    update: UpdatePolicy | None = Field(
        default=None, description="`auto`, `approve` or `never`; the label `upkeeper.update` of its container wins"
    )
    backup: Name | None = Field(
        default=None, description="series of `backups:` that holds its data: without a proven set nothing is updated"
    )
    backup_max_age: Duration = Field(
        default=26 * 3600.0, gt=0, description="age that the newest proven set may have; else one is made first"
    )
    proof: Literal["checksums", "readable", "restored", "drilled"] = Field(
        default="readable", description="what must have been shown of that set"
    )
    at_rest: bool = Field(
        default=False,
        description="stop the service and make a set right before the change, so that the data can go back with the "
        "image; the service is away for as long as that takes",
    )
    rehearse: bool = Field(
        default=False,
        description="first start the new image in a sandbox on the newest set, where the `drill` of that backup must "
        "succeed with it",
    )
    probes: Name | None = Field(
        default=None,
        description="service of `services:` whose probes must succeed; null: the one whose `container` this is",
    )


class Signature(Section):
    """Whose signature images of some names must have, as cosign verifies it."""

    images: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="names of images without tag, as in `ghcr.io/me/app`; `*` stands for any characters"
    )
    verifier: str | None = Field(
        default=None, min_length=1, description="cosign's public key: a file, or a key of a service that it knows"
    )
    identity: str | None = Field(
        default=None, min_length=1, description="without that: whose certificate it must be, an address or a workflow"
    )
    issuer: str | None = Field(
        default=None, min_length=1, description="without that: who has vouched for that, an OpenID Connect address"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        keyless = [key for key in ("identity", "issuer") if given.get(key) is not None]
        if given.get("verifier") is not None and keyless:
            yield Contradiction((keyless[0],), "stands beside `verifier:`; keep one of them")
        elif given.get("verifier") is None and len(keyless) < 2:
            yield Contradiction((), "needs `verifier:`, or both `identity:` and `issuer:`")


class Images(Section):
    """What image-update may do."""

    min_age: Duration = Field(
        default=3 * 86400.0, ge=0, description="how long ago a new image must have been built: others find its mistakes"
    )
    watch_for: Duration = Field(
        default=60.0, ge=0, le=3600, description="how long a service must stay healthy on a new image"
    )
    start_timeout: Duration = Field(
        default=300.0,
        gt=0,
        le=3600,
        description="how long it may take to become healthy; a health check's own time counts too",
    )
    pull_timeout: Duration = Field(
        default=1800.0, ge=10, le=6 * 3600, description="how long the pull of an image may take"
    )
    registry_timeout: Duration = Field(default=30.0, gt=0, le=300, description="how long a registry may take to answer")
    max_pending: Duration = Field(
        default=30 * 86400.0, gt=0, description="how long a new image of a tag may wait before that is an alert"
    )
    check_max_age: Duration = Field(
        default=3 * 86400.0, gt=0, description="how long a registry may not answer before that is an alert"
    )
    scan: bool = Field(
        default=True,
        description="a new image is scanned where trivy or grype is installed, and is not taken when it has a critical "
        "vulnerability that the image that runs does not have",
    )
    scan_time: Duration = Field(
        default=600.0, gt=0, le=3600, description="time for the scans of the new image and of the one that runs"
    )
    signatures: list[Signature] = Field(
        default=[], description="which images must be signed, and by whom; cosign must be installed for that"
    )
    compose: Annotated[list[str], AfterValidator(_program)] | None = Field(
        default=None,
        description="the command of Compose, as a list; null: `docker compose`, else `docker-compose`",
    )
    services: list[ServiceImage] = Field(default=[], description="services that differ from the others")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        seen: set[tuple[object, object]] = set()
        for index, each in enumerate(_sections(given)):
            pair = (each.get("project"), each.get("service"))
            if pair in seen:
                yield Contradiction(("services", index), f"{pair[0]}.{pair[1]} is there twice; remove one of them")
            seen.add(pair)
            for key in ("at_rest", "rehearse"):
                if each.get(key) is True and each.get("backup") is None:
                    yield Contradiction(("services", index, key), "needs a backup, whose sets it is about")


def _sections(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = given.get("services")
    items = found if isinstance(found, list) else []
    return [each if isinstance(each, Mapping) else dict(each) if isinstance(each, Section) else {} for each in items]


def unknown_names(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What services of ``images:`` name of other sections and is not there, of a config that is not validated."""
    images = given.get("images")
    if isinstance(images, Section):
        images = dict(images)
    for index, each in enumerate(_sections(images) if isinstance(images, Mapping) else []):
        for key, section in (("backup", "backups"), ("probes", "services")):
            name = each.get(key)
            if isinstance(name, str) and name not in names_of(given.get(section)):
                yield Contradiction(("images", "services", index, key), f"{shown(name)} is none of `{section}:`")
