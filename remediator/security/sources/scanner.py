"""Known vulnerabilities in images, by trivy or grype where one is installed.

Shapes: trivy's JSON report, schema version 2 (https://trivy.dev/latest/docs/configuration/reporting/), and grype's JSON
(https://github.com/anchore/grype, ``matches`` in the output of ``grype -o json``). A program that answers otherwise is
said to be not understood, never to have found nothing.
"""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.base import programs
from exporter.base.units import format_duration
from exporter.findings.finding import Severity
from remediator.security.finding import Found, Risk

SOURCE = "vulnerabilities"
MAX_OUTPUT_BYTES = 64 * 1024 * 1024
NAMED = 40
"""Vulnerabilities of one image that are findings of their own, the worst that can be mended; the rest are counted."""


@dataclass(frozen=True)
class Vulnerability:
    """fixed: the version that mends it; empty where there is none yet. severity: as both programs have it, in lower
    case.
    """

    id: str
    package: str
    installed: str
    fixed: str
    severity: str
    title: str = ""


class NotUnderstood(ValueError):
    """The answer is none of the shapes that are known."""


def read_trivy(document: Any) -> Sequence[Vulnerability]:
    """Pure. Raises NotUnderstood."""
    if not isinstance(document, dict) or document.get("SchemaVersion") != 2:
        raise NotUnderstood("no report of schema version 2")
    return [
        Vulnerability(
            str(one["VulnerabilityID"]),
            str(one.get("PkgName", "")),
            str(one.get("InstalledVersion", "")),
            str(one.get("FixedVersion") or ""),
            str(one.get("Severity", "unknown")).lower(),
            str(one.get("Title") or ""),
        )
        for result in document.get("Results") or ()
        for one in result.get("Vulnerabilities") or ()
    ]


def read_grype(document: Any) -> Sequence[Vulnerability]:
    """Pure. Raises NotUnderstood."""
    if not isinstance(document, dict) or not isinstance(document.get("matches"), list):
        raise NotUnderstood("no list of matches")
    found = []
    for match in document["matches"]:
        known, artefact = match["vulnerability"], match["artifact"]
        fix = known.get("fix") or {}
        found.append(
            Vulnerability(
                str(known["id"]),
                str(artefact.get("name", "")),
                str(artefact.get("version", "")),
                ", ".join(map(str, fix.get("versions") or ())),
                str(known.get("severity", "unknown")).lower(),
                str(known.get("description") or "").partition("\n")[0][:200],
            )
        )
    return found


_SEVERITIES: Mapping[str, Severity] = {"critical": "critical", "high": "warning"}
_ORDER = ("critical", "high", "medium", "low")


def judge(image: str, vulnerabilities: Sequence[Vulnerability]) -> Iterator[Risk]:
    """Those that are grave and can be mended, each by itself; the rest counted in one. Pure."""
    grave = {
        (one.id, one.package): one
        for one in sorted(vulnerabilities, key=_rank)
        if one.severity in _SEVERITIES and one.fixed
    }
    named = list(grave.values())[:NAMED]
    for one in named:
        title = f": {one.title}" if one.title else ""
        yield Risk(
            f"vulnerability:{one.id}:{image}:{one.package}",
            _SEVERITIES[one.severity],
            SOURCE,
            f"{one.id} ({one.severity}) in {one.package} {one.installed} of image {image}{title}",
            f"take an image that has {one.package} {one.fixed}",
        )
    chosen = {(one.id, one.package) for one in named}
    rest = Counter(one.severity for one in vulnerabilities if (one.id, one.package) not in chosen)
    if rest:
        words = ", ".join(f"{rest[word]} {word}" for word in sorted(rest, key=_rank_of))
        yield Risk(
            f"vulnerabilities:{image}",
            "info",
            SOURCE,
            f"image {image} has {sum(rest.values())} further known vulnerabilities: {words}",
            "see whether a newer image has fewer",
        )


def _rank(one: Vulnerability) -> tuple[int, str, str]:
    return _rank_of(one.severity), one.id, one.package


def _rank_of(word: str) -> int:
    return _ORDER.index(word) if word in _ORDER else len(_ORDER)


@dataclass(frozen=True)
class Scanner:
    """command: with the image's name behind it. read: what it writes."""

    name: str
    command: Sequence[str]
    read: Callable[[Any], Sequence[Vulnerability]]


SCANNERS = (
    Scanner("trivy", ("trivy", "image", "--quiet", "--format", "json", "--scanners", "vuln"), read_trivy),
    Scanner("grype", ("grype", "--quiet", "--output", "json"), read_grype),
)


def installed() -> Scanner | None:
    """The first of them that is on PATH."""
    return next((one for one in SCANNERS if shutil.which(one.name)), None)


async def look(images: Sequence[str], seconds: float) -> Found:
    """Scans the images one after the other, for so many seconds in all."""
    scanner = installed()
    if scanner is None:
        return Found(unknown=["vulnerabilities of images are not known: neither trivy nor grype is installed"])
    risks: list[Risk] = []
    unknown: list[str] = []
    end = asyncio.get_running_loop().time() + seconds
    for image in images:
        try:
            async with asyncio.timeout_at(end):
                risks += judge(image, await scan(scanner, image))
        except TimeoutError:
            unknown.append(
                f"{scanner.name} has not scanned {image}: {format_duration(seconds)} were not enough for all"
            )
        except (programs.CommandFailed, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            unknown.append(f"{scanner.name} could not scan {image}: {' '.join(str(error).split())[:200]}")
    return Found(risks, unknown, [f"{len(images) - len(unknown)} images ({scanner.name})"])


async def scan(scanner: Scanner, image: str, host: str | None = None) -> Sequence[Vulnerability]:
    """host: the engine that has it, as DOCKER_HOST names it; None: as our own environment does.

    Raises CommandFailed, OSError, and what reading raises of an answer that is not understood.
    """
    if image.startswith("-"):
        raise programs.CommandFailed("its name would be an option")
    environment = {} if host is None else {"DOCKER_HOST": host}
    ended = await programs.run(
        [*scanner.command, image], environment=environment, passed_on=("DOCKER_HOST", "XDG_CACHE_HOME")
    )
    if ended.status:
        raise programs.CommandFailed(ended.complaint)
    return scanner.read(json.loads(ended.output))
