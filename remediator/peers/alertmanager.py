"""What Alertmanager knows, by its HTTP API, version 2: alerts, silences, and since when it runs.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, tried with 0.25 and 0.28. It gives times to
the millisecond. A label or comment that it holds is shown or compared, and never becomes part of a path.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from remediator.model.alert import unix_seconds
from remediator.model.silence import Matcher, Silence
from remediator.peers.http import PeerClient, PeerError

SECONDS = 5.0
"""For a whole answer."""
MAX_BYTES = 64 * 1024**2
"""Of an answer: some 50,000 alerts."""


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """An alert that fires, as one Alertmanager has it. Times are Unix seconds.

    updated_at: when Prometheus last told it, for as long as it fires. receivers: those that its labels are routed to.
    silenced_by: ids of silences. inhibited: by another alert.
    """

    fingerprint: str
    starts_at: float
    labels: Mapping[str, str]
    receivers: frozenset[str]
    updated_at: float = 0.0
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""
    silenced_by: Sequence[str] = ()
    inhibited: bool = False
    processed: bool = True
    """False in the first moments, before it was routed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when an Alertmanager runs (Unix seconds), its version, and its config as YAML."""

    started_at: float
    version: str
    config: str


class Alertmanager(PeerClient):
    """An Alertmanager. Every question raises PeerError where it has no answer."""

    def __init__(self, url: str, seconds: float = SECONDS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__("Alertmanager", url, seconds, max_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def standing(self) -> Standing:
        document = await self._good("GET", "/api/v2/status")
        try:
            return Standing(
                unix_seconds(document["uptime"]),
                str(document["versionInfo"]["version"]),
                str(document["config"]["original"]),
            )
        except _STRANGE as error:
            raise self._strange() from error

    async def alerts(self) -> Sequence[KnownAlert]:
        """All that fire, muted ones too."""
        document = await self._good("GET", "/api/v2/alerts")
        try:
            return [_alert(each) for each in document]
        except _STRANGE as error:
            raise self._strange() from error

    async def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Tells it of alerts, as Prometheus does."""
        await self._good("POST", "/api/v2/alerts", json=list(alerts))

    async def sent(self) -> Mapping[str, tuple[int, int]]:
        """By way of notifying, as in ``email``: how often it was tried since its start, and how often that failed."""
        status, body = await self.fetch("GET", "/metrics")
        if status != 200:
            raise self._refused(status, "/metrics", None)
        tried, failed = (_counts(_SENT[kind].findall(body.decode(errors="replace"))) for kind in ("tried", "failed"))
        return {way: (count, failed.get(way, 0)) for way, count in tried.items()}

    async def silences(self) -> Sequence[Silence]:
        """All that it remembers: those that have expired are among them for five days."""
        document = await self._good("GET", "/api/v2/silences")
        try:
            return [_silence(each) for each in document]
        except _STRANGE as error:
            raise self._strange() from error

    async def silence(self, id: str) -> Silence | None:
        """One of them; None where it does not know it."""
        path = f"/api/v2/silence/{quote(id, safe='')}"
        status, document = await self.ask("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise self._refused(status, path, document)
        try:
            return _silence(document)
        except _STRANGE as error:
            raise self._strange() from error

    async def put(self, silence: Silence) -> str:
        """Makes a silence, or changes the one of that id; the id that it has afterwards.

        It stays the same only where matchers and ``starts_text`` are as they were read back.
        """
        body: dict[str, Any] = {
            "matchers": [
                {"name": one.name, "value": one.value, "isRegex": one.regex, "isEqual": one.equal}
                for one in silence.matchers
            ],
            "startsAt": silence.starts_text or _text(silence.starts_at),
            "endsAt": _text(silence.ends_at),
            "createdBy": silence.created_by,
            "comment": silence.comment,
        }
        if silence.id:
            body["id"] = silence.id
        document = await self._good("POST", "/api/v2/silences", json=body)
        try:
            return str(document["silenceID"])
        except _STRANGE as error:
            raise self._strange() from error

    async def expire(self, id: str) -> None:
        """Ends a silence. One that has ended, or that it does not know, is none any more either."""
        path = f"/api/v2/silence/{quote(id, safe='')}"
        status, document = await self.ask("DELETE", path)
        if status == 200:
            return
        # It answers 500 to the end of what has ended.
        left = await self.silence(id)
        if left is not None and left.state != "expired":
            raise self._refused(status, path, document)

    async def _good(self, method: str, path: str, **request: Any) -> Any:
        status, document = await self.ask(method, path, **request)
        if status != 200:
            raise self._refused(status, path, document)
        return document

    def _refused(self, status: int, path: str, document: Any) -> PeerError:
        said = f": {' '.join(str(document).split())[:200]}" if document else ""
        return PeerError(f"{self._at} answers {status} to {path}{said}", status)

    def _strange(self) -> PeerError:
        return PeerError(f"{self._at} answers in a form that is not understood; is it Alertmanager?")


_STRANGE = (AttributeError, KeyError, TypeError, ValueError)
_SENT = {
    kind: re.compile(
        rf"^alertmanager_notification_requests_{name}\{{[^}}]*integration=\"(\w+)\"[^}}]*\}} (\S+)$", re.MULTILINE
    )
    for kind, name in (("tried", "total"), ("failed", "failed_total"))
}
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


def _counts(found: Sequence[tuple[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for way, value in found:
        counts[way] = counts.get(way, 0) + int(float(value))
    return counts


def _alert(document: Mapping[str, Any]) -> KnownAlert:
    status = document["status"]
    fingerprint = str(document["fingerprint"])
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError("no fingerprint")
    return KnownAlert(
        fingerprint=fingerprint,
        starts_at=unix_seconds(document["startsAt"]),
        labels=_texts(document["labels"]),
        receivers=frozenset(str(one["name"]) for one in document["receivers"]),
        updated_at=unix_seconds(document["updatedAt"]),
        annotations=_texts(document.get("annotations") or {}),
        generator_url=str(document.get("generatorURL") or ""),
        silenced_by=tuple(str(one) for one in status.get("silencedBy") or ()),
        inhibited=bool(status.get("inhibitedBy")),
        processed=status["state"] != "unprocessed",
    )


def _texts(document: Mapping[str, Any]) -> dict[str, str]:
    """Names and values, with NUL as the webhook has it."""
    return {str(key).replace("\0", "\ufffd"): str(value).replace("\0", "\ufffd") for key, value in document.items()}


def _silence(document: Mapping[str, Any]) -> Silence:
    return Silence(
        id=str(document["id"]),
        state=str(document["status"]["state"]),
        matchers=tuple(
            Matcher(str(one["name"]), str(one["value"]), bool(one["isRegex"]), bool(one.get("isEqual", True)))
            for one in document["matchers"]
        ),
        starts_at=unix_seconds(document["startsAt"]),
        starts_text=str(document["startsAt"]),
        ends_at=unix_seconds(document["endsAt"]),
        created_by=str(document["createdBy"]),
        comment=str(document["comment"]),
    )


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
