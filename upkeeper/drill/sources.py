"""Asks the four services for the facts of the drill. All the drill's network traffic is here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.base.text import parse_time
from remediator.api.operations import Operations
from remediator.model.errors import ClientError
from remediator.model.shapes.alerts import AlertView, DecisionView
from upkeeper.drill.facts import (
    ALERT,
    LABEL,
    Alertmanager,
    DrillFacts,
    Exporter,
    Prometheus,
    Remediator,
    ServiceName,
    Wiring,
)

T = TypeVar("T")
PAGE = 100
"""Latest alerts and decisions that are looked through for the drill's own."""
_EXPORTER_JOB = "upkeeper-exporter"
"""The name that the alert rules know the exporter's scrape job by."""


class NoAnswer(Exception):
    """A service gave no usable answer. The message says why, for people."""


@dataclass(frozen=True)
class _Counters:
    """Counters when the drill began, to tell what happened since."""

    sent: float = 0.0
    failed: float = 0.0
    rejected: Mapping[str, float] | None = None


class Sources:
    """The running stack, as the drill sees it.

    http: used for exporter, Prometheus and Alertmanager, and for /metrics of the remediator; client: its API.
    """

    def __init__(
        self, http: httpx.AsyncClient, client: Operations, urls: Mapping[ServiceName, str], target: str, state_dir: Path
    ) -> None:
        self._http = http
        self._client = client
        self._urls = urls
        self._target = target
        self._nothing = DrillFacts(target, state_dir, urls)
        self._last_alert = 0
        self._counters = _Counters()

    async def begin(self) -> None:
        """Remembers what is there already, so that only what this drill causes counts. Unreachable services count 0."""
        async with asyncio.TaskGroup() as group:
            sent = group.create_task(_or(0.0, self._webhooks("alertmanager_notifications_total")))
            failed = group.create_task(_or(0.0, self._webhooks("alertmanager_notifications_failed_total")))
            rejected = group.create_task(_or({}, self._rejected()))
            alert = group.create_task(_or(None, self._alert()))
        self._counters = _Counters(sent.result(), failed.result(), rejected.result())
        found = alert.result()
        self._last_alert = found["id"] if found is not None else 0

    async def look(self) -> DrillFacts:
        """The facts now, without the wiring."""
        answers: dict[ServiceName, Callable[[], Awaitable[Any]]] = {
            "exporter": self._exporter,
            "prometheus": self._prometheus,
            "alertmanager": self._alertmanager,
            "remediator": self._remediator,
        }
        results = await asyncio.gather(*(_outcome(ask) for ask in answers.values()))
        found = dict(zip(answers, results, strict=True))
        unreachable = {name: str(answer) for name, answer in found.items() if isinstance(answer, NoAnswer)}
        seen = {name: answer for name, answer in found.items() if name not in unreachable}
        return replace(self._nothing, unreachable=unreachable, **seen)

    async def examine(self) -> DrillFacts:
        """The facts now, with the wiring as far as the services tell it."""
        facts = await self.look()
        return replace(facts, wiring=await self._wiring(facts))

    async def _exporter(self) -> Exporter:
        samples = await self._metrics("exporter", {"collect[]": "logs"})
        own = {sample.name: sample.value for sample in samples if sample.labels.get(LABEL) == self._target}
        works = [
            sample.value == 1
            for sample in samples
            if sample.name == "upkeeper_collector_success" and sample.labels.get("collector") == "logs"
        ]
        return Exporter(
            own.get("upkeeper_log_allocated_bytes"),
            own.get("upkeeper_log_max_bytes"),
            all(works) if works else None,
        )

    async def _prometheus(self) -> Prometheus:
        document = await self._json("prometheus", "/api/v1/alerts")
        for alert in document["data"]["alerts"]:
            if self._is_ours(alert["labels"]):
                return Prometheus(alert["state"], parse_time(alert["activeAt"]).timestamp())
        return Prometheus()

    async def _alertmanager(self) -> Alertmanager:
        matchers = [f'alertname="{ALERT}"', f'{LABEL}="{self._target}"']
        for alert in await self._json("alertmanager", "/api/v2/alerts", {"filter": matchers}):
            status = alert["status"]
            silences, inhibitors = status["silencedBy"], status["inhibitedBy"]
            suppressed = f"silence {silences[0]}" if silences else "an inhibiting alert" if inhibitors else None
            return Alertmanager(alert=True, suppressed_by=suppressed)
        return Alertmanager()

    async def _remediator(self) -> Remediator:
        alert = await self._alert()
        if alert is None or alert["id"] <= self._last_alert:
            return Remediator()
        decision = await self._decision(alert["id"])
        number = decision["run_id"] if decision is not None else None
        return Remediator(alert, decision, await self._client.run(number) if number is not None else None)

    async def _alert(self) -> AlertView | None:
        page = await self._client.alerts(limit=PAGE)
        return next((alert for alert in page["items"] if self._is_ours(alert["labels"])), None)

    async def _decision(self, alert_id: int) -> DecisionView | None:
        page = await self._client.decisions(limit=PAGE)
        return next((decision for decision in page["items"] if decision["alert_id"] == alert_id), None)

    async def _wiring(self, facts: DrillFacts) -> Wiring:
        wiring = Wiring()
        if "prometheus" not in facts.unreachable:
            wiring = await _or(wiring, self._prometheus_wiring(wiring))
        if "alertmanager" not in facts.unreachable:
            wiring = await _or(wiring, self._alertmanager_wiring(wiring))
        if "remediator" not in facts.unreachable:
            wiring = await _or(wiring, self._remediator_wiring(wiring))
        return wiring

    async def _prometheus_wiring(self, wiring: Wiring) -> Wiring:
        rules = await self._json("prometheus", "/api/v1/rules", {"type": "alert"})
        targets = await self._json("prometheus", "/api/v1/targets", {"state": "active"})
        receivers = await self._json("prometheus", "/api/v1/alertmanagers")
        names = {rule["name"] for group in rules["data"]["groups"] for rule in group["rules"]}
        ours = [target for target in targets["data"]["activeTargets"] if self._scrapes_exporter(target)]
        best = next((target for target in ours if target["health"] == "up"), ours[0] if ours else None)
        return replace(
            wiring,
            rule_loaded=ALERT in names,
            target=best["health"] if best else "missing",
            target_error=best["lastError"] if best else "",
            alertmanagers=[one["url"] for one in receivers["data"]["activeAlertmanagers"]],
        )

    def _scrapes_exporter(self, target: Mapping[str, Any]) -> bool:
        return target["labels"].get("job") == _EXPORTER_JOB or str(target["scrapeUrl"]).startswith(
            self._urls["exporter"]
        )

    async def _alertmanager_wiring(self, wiring: Wiring) -> Wiring:
        sent = await self._webhooks("alertmanager_notifications_total")
        failed = await self._webhooks("alertmanager_notifications_failed_total")
        return replace(wiring, webhooks_sent=sent - self._counters.sent, webhooks_failed=failed - self._counters.failed)

    async def _remediator_wiring(self, wiring: Wiring) -> Wiring:
        status = await self._client.status()
        remedies = await self._client.remedies()
        before = self._counters.rejected or {}
        since = {reason: count - before.get(reason, 0.0) for reason, count in (await self._rejected()).items()}
        return replace(
            wiring,
            webhooks_rejected={reason: count for reason, count in since.items() if count > 0},
            pauses=status["paused"],
            breakers=status["open_breakers"],
            remedies=remedies["items"],
        )

    async def _webhooks(self, counter: str) -> float:
        return sum(
            sample.value
            for sample in await self._metrics("alertmanager")
            if sample.name == counter and sample.labels.get("integration") == "webhook"
        )

    async def _rejected(self) -> dict[str, float]:
        return {
            sample.labels.get("reason", ""): sample.value
            for sample in await self._metrics("remediator")
            if sample.name == "upkeeper_webhook_rejected_total"
        }

    def _is_ours(self, labels: Mapping[str, str]) -> bool:
        return labels.get("alertname") == ALERT and labels.get(LABEL) == self._target

    async def _metrics(self, name: ServiceName, params: Mapping[str, Any] | None = None) -> list[Sample]:
        text = (await self._get(name, "/metrics", params)).text
        try:
            return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        except ValueError as error:
            raise NoAnswer(f"/metrics is not in Prometheus's text format: {error}") from error

    async def _json(self, name: ServiceName, path: str, params: Mapping[str, Any] | None = None) -> Any:
        try:
            return (await self._get(name, path, params)).json()
        except ValueError as error:
            raise NoAnswer(f"{path} is not JSON") from error

    async def _get(self, name: ServiceName, path: str, params: Mapping[str, Any] | None) -> httpx.Response:
        try:
            response = await self._http.get(self._urls[name] + path, params=params)
        except httpx.HTTPError as error:
            raise NoAnswer(str(error) or type(error).__name__) from error
        if not response.is_success:
            raise NoAnswer(f"{path} answers HTTP {response.status_code}")
        return response


async def _outcome(ask: Callable[[], Awaitable[T]]) -> T | NoAnswer:
    """The answer, or why there is none. A service of another kind than expected counts as giving none."""
    try:
        return await ask()
    except NoAnswer as error:
        return error
    except ClientError as error:
        return NoAnswer(str(error))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        return NoAnswer(f"an unexpected answer: {type(error).__name__}: {error}")


async def _or(default: T, answer: Awaitable[T]) -> T:
    async def ask() -> T:
        return await answer

    outcome = await _outcome(ask)
    return default if isinstance(outcome, NoAnswer) else outcome
