"""Images that are another one after the next pull."""

import re
from collections.abc import Iterator

from exporter.findings.finding import Finding, Kind, word
from exporter.findings.inputs import Material
from exporter.findings.service import tag_of

_MOVING = re.compile(
    r"(?i)(main|master|edge|nightly|dev|develop|development|stable|beta|rolling|lts|current)([-_.].*)?"
)


class Images:
    """A digest is best, a version is well; ``latest`` is whatever was pushed last. What is built here is left out."""

    name = "images"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            for name, service in project.services.items():
                node = service.at("image")
                if node is None or not node.text or service.at("build") is not None or "@sha256:" in node.text:
                    continue
                tag = tag_of(node.text)
                place = node.place.printable()
                if tag in ("", "latest"):
                    yield Finding(
                        self.name,
                        "warning",
                        word(name),
                        place,
                        f"the image of {word(name)} {'has no tag' if not tag else 'is `latest`'}, so that any pull may"
                        " bring another version",
                        "write the version that runs now, or better its digest",
                    )
                elif _MOVING.fullmatch(tag):
                    yield Finding(
                        self.name,
                        "info",
                        word(name),
                        place,
                        f"the image of {word(name)} has a tag that moves with each release",
                        "write the version that runs now, or better its digest",
                    )
