"""Images that are another one after the next pull."""

import re
from collections.abc import Iterator

from exporter.findings.compose_service import tag_of
from exporter.findings.finding import Finding, Group, Kind, Severity, word
from exporter.findings.inputs import Inputs

_VERSION = re.compile(r"v?[0-9]+([._].*)?|(?=[a-f0-9]*[0-9])(?=[0-9]*[a-f])[a-f0-9]{7,40}", re.IGNORECASE)
"""A number, or a commit: a part of a tag that a release does not take along."""
_LATEST = Group(
    "{count} services have an image without a tag or with `latest`, so any pull may bring another version: {names}"
)
_MOVING = Group("{count} services have an image with a tag that moves with each release: {names}")
_REMEDY = "write the version that runs now, or better, its digest"


class Images:
    """A digest is best, a version is well; ``latest`` is whatever was pushed last. What is built here is left out."""

    name = "images"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            unknown = project.unknown_places
            for name, service in project.services.items():
                node = service.at("image")
                if node is None or not node.text or service.at("build") is not None or "@sha256:" in node.text:
                    continue
                if node.place in unknown or (not node.literal and node.text.endswith(":")):
                    continue  # of a variable that is not set, unset-variables tells
                tag = tag_of(node.text)
                if moves(tag):
                    latest = tag.lower() in ("", "latest")
                    severity: Severity = "warning" if latest else "info"
                    what = "has a tag that moves with each release"
                    if latest:
                        what = f"{'is `latest`' if tag else 'has no tag'}, so any pull may bring another version"
                    yield Finding(
                        self.name,
                        severity,
                        word(name),
                        node.place.printable(),
                        f"the image of {word(name)} {what}",
                        _REMEDY,
                        (_LATEST if latest else _MOVING,),
                    )


def moves(tag: str) -> bool:
    """Whether a tag names no version: ``stable-alpine`` does not, and ``stable-2024.01.02`` does."""
    return not any(_VERSION.fullmatch(part) for part in tag.split("-"))
