"""Compose files that Compose would refuse, as far as their own text tells."""

from collections.abc import Iterator, Mapping

from exporter.base.text import nearest, printable
from exporter.findings.compose_references import circle, declared, references
from exporter.findings.compose_tree import Flaw, Node
from exporter.findings.finding import Finding, Group, Kind, Place, Severity, word
from exporter.findings.inputs import Inputs
from exporter.findings.project import Project, active_services
from exporter.findings.refused import inconsistent, refused, refused_section
from exporter.findings.spec import service_keys

MAX_UNKNOWN = 20
"""Unknown keys of one service: with more, it is something else than a service."""

_REMEDY = "`docker compose config` shows the place; Compose cannot start the project until it is fixed"


_WIDE = Group("{count} problems keep Compose from starting the project: in {names}")


class ComposeValid:
    """Whatever keeps Compose from reading or starting the project, and names in it that lead nowhere.

    What Compose sees only when a profile is switched on is a warning where it is off.
    """

    name = "compose-valid"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            unknown = {place.printable() for place in project.unknown_places}
            for finding in _of_project(project, active_services(project, inputs.running)):
                if finding.place not in unknown:
                    yield finding


def _of_project(project: Project, active: Mapping[str, Node]) -> Iterator[Finding]:
    seen: set[tuple[Place, str]] = set()
    for flaw in project.flaws:
        if (flaw.place, flaw.message) not in seen:
            seen.add((flaw.place, flaw.message))
            yield _finding(printable(flaw.place.file), flaw, flaw.severity)
    if not project.services and not project.unread and not seen:
        place = project.place()
        yield _finding(printable(place.file), Flaw(place, "it has no services", "is it the right file?"))
    for section, node in project.top.items():
        for flaw in refused_section(section, node):
            yield _finding(section, flaw)
    for name, service in project.services.items():
        severity: Severity = "critical" if name in active else "warning"
        for flaw in refused(name, service):
            yield _finding(word(name), flaw)
        for flaw in inconsistent(name, service):
            yield _finding(word(name), flaw, severity)
        yield from _keys(name, service)
        image = service.at("image")
        made = any(node is not None and node.value for node in (service.at("build"), service.at("provider")))
        if not made and (image is None or image.value in (None, "")):
            why = ", because a variable in it is not set" if image is not None and not image.literal else ""
            place = image.place if image is not None else service.place
            flaw = Flaw(place, f"{word(name)} has neither an image nor a build{why}", "give it one")
            yield _finding(word(name), flaw, severity)
    if not project.unread:  # of what could not be read, the missing names may be part
        yield from _names(project, active)
    if names := circle(active):
        message = f"services depend on each other in a cycle: {', '.join(map(word, names[:5]))}"
        yield _finding(word(names[0]), Flaw(active[names[0]].place, message, "remove one `depends_on`"))


def _keys(name: str, service: Node) -> Iterator[Finding]:
    unknown = [key for key in service.mapping if key not in service_keys() and not key.startswith("x-")]
    for key in unknown[:MAX_UNKNOWN]:
        hint = nearest(key[:40], service_keys())
        flaw = Flaw(
            service.mapping[key].place,
            f"{word(key)} is not a key of a service",
            hint or "remove it, unless your Compose is newer than this check",
        )
        yield _finding(word(name), flaw, "critical" if hint else "warning")


def _names(project: Project, active: Mapping[str, Node]) -> Iterator[Finding]:
    """What services name and the project does not have, and files of secrets and configs that are not there."""
    known = declared(project)
    for name, service in project.services.items():
        severity: Severity = "critical" if name in active else "warning"
        for reference in references(service):
            kind, wanted = reference.kind, reference.name
            if wanted not in known[kind]:
                flaw = Flaw(
                    reference.place,
                    f"{word(name)} names the {kind} {word(wanted)}, which does not exist",
                    f"declare the {kind}",
                )
                yield _finding(word(name), flaw, severity)
            elif kind == "service" and name in active and wanted not in active and not reference.optional:
                flaw = Flaw(
                    reference.place,
                    f"{word(name)} needs the service {word(wanted)}, whose profile is not switched on",
                    "add the profile to COMPOSE_PROFILES in .env, or `required: false`",
                )
                yield _finding(word(name), flaw)
            elif kind in ("secret", "config"):
                path = project.missing.get((kind, wanted))
                if path is not None:
                    message = f"the file {printable(path)} of the {kind} {word(wanted)} does not exist"
                    yield _finding(word(wanted), Flaw(reference.place, message, "create it"), severity)
    for section in ("secrets", "configs"):
        node = project.top.get(section)
        for name, one in node.mapping.items() if node is not None else ():
            given = [key for key in _SOURCES[section] if one.at(key) is not None]
            if len(given) != 1 and not any(one.at(key) is not None for key in ("external", "driver")):
                what = f"the {section[:-1]} {word(name)} must have one of {', '.join(_SOURCES[section])}"
                yield _finding(word(name), Flaw(one.place, what, "give it one of them"))


_SOURCES = {"secrets": ("file", "environment"), "configs": ("file", "environment", "content")}


def _finding(subject: str, flaw: Flaw, severity: Severity = "critical") -> Finding:
    groups = (Group(flaw.message), _WIDE)
    remedy = flaw.remedy or _REMEDY
    return Finding("compose-valid", severity, subject, flaw.place.printable(), flaw.message, remedy, groups)
