"""A review as documents for other programs: our own, and SARIF 2.1.0. Pure.

SARIF: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. One run of one tool; a rule for each source; a
result for each finding, the accepted ones with a suppression. ``partialFingerprints`` holds the id, by which a reader
knows it again. What stands in no file is at a logical location.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from exporter import __version__
from exporter.findings.finding import Severity
from remediator.security.finding import Accepted, Review, Risk

SARIF_MEDIA_TYPE = "application/sarif+json"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Mapping[Severity, str] = {"critical": "error", "warning": "warning", "info": "note"}
SOURCES: Mapping[str, str] = {
    "logins": "Failed logins",
    "ports": "Ports that are open",
    "containers": "What containers may do to the host",
    "configuration": "Files of the configuration",
    "updates": "Security updates that wait",
    "images": "Age of images",
    "vulnerabilities": "Known vulnerabilities in images",
}
"""What each source looks for."""


def document(review: Review, host: str, at: str) -> dict[str, Any]:
    """at: when, as RFC 3339 has it."""
    return {
        "host": host,
        "at": at,
        "version": __version__,
        "findings": [asdict(risk) for risk in review.risks],
        "accepted": [{**asdict(one.risk), "reason": one.reason, "until": one.until} for one in review.accepted],
        "expired": [{"id": id, "until": until} for id, until in review.expired],
        "unknown": list(review.unknown),
        "looked_at": list(review.looked),
    }


def sarif(review: Review, host: str, at: str) -> dict[str, Any]:
    """The review as a SARIF log. at: when, as RFC 3339 has it."""
    results = [_result(risk, host) for risk in review.risks]
    results += [_result(one.risk, host, one) for one in review.accepted]
    driver = {
        "name": "Upkeeper security-review",
        "semanticVersion": __version__,
        "rules": [
            {"id": source, "shortDescription": {"text": text}, "defaultConfiguration": {"level": "warning"}}
            for source, text in SOURCES.items()
        ],
    }
    notifications = [{"level": "warning", "message": {"text": text}} for text in review.unknown]
    invocation = {"executionSuccessful": True, "endTimeUtc": at, "toolExecutionNotifications": notifications}
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(risk: Risk, host: str, accepted: Accepted | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": risk.source,
        "ruleIndex": list(SOURCES).index(risk.source),
        "level": _LEVELS[risk.severity],
        "message": {"text": f"{risk.message}. To do: {risk.remedy}."},
        "locations": [_location(risk, host)],
        "partialFingerprints": {"upkeeperId/v1": risk.id},
    }
    if accepted is not None:
        why = f"{accepted.reason} (until {accepted.until})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return found


def _location(risk: Risk, host: str) -> dict[str, Any]:
    logical: Sequence[Mapping[str, str]] = [{"name": risk.id, "fullyQualifiedName": f"{host}/{risk.id}"}]
    if not risk.file:
        return {"logicalLocations": logical}
    from pathlib import PurePosixPath

    path = PurePosixPath(risk.file)
    physical: dict[str, Any] = {"artifactLocation": {"uri": path.as_uri() if path.is_absolute() else str(path)}}
    if risk.line is not None:
        physical["region"] = {"startLine": risk.line}
    return {"physicalLocation": physical, "logicalLocations": logical}
