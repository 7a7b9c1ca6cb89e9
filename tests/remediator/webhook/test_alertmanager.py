"""The webhook against the real Alertmanager: it understands what is sent, and its answers do what they should."""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from remediator.model.alert import Notification, ReceivedAlert
from remediator.webhook.fingerprint import fingerprint
from tests.helpers import wait_until
from tests.remediator.webhook.webhook_server import TOKEN, Webhook, running_webhook
from tests.servers import alertmanager

pytestmark = pytest.mark.servers

STARTED = "2026-03-01T12:20:30.123456789+02:00"
STARTED_SECONDS = 1772360430.123


@dataclass
class Pair:
    """An Alertmanager, and the webhook that it calls with the credential in a file."""

    alertmanager: str
    webhook: Webhook
    credential: Path

    async def post(self, *alerts: dict[str, Any]) -> None:
        async with httpx.AsyncClient(verify=False) as client:
            (await client.post(f"{self.alertmanager}/api/v2/alerts", json=list(alerts))).raise_for_status()

    def received(self) -> list[ReceivedAlert]:
        return [alert for notification in self.webhook.accepted for alert in notification.alerts]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with running_webhook() as webhook:
        credential = tmp_path / "token"
        credential.write_text(TOKEN)
        # JSON is YAML.
        config = tmp_path / "alertmanager.yml"
        http = {"authorization": {"credentials_file": str(credential)}}
        config.write_text(
            json.dumps(
                {
                    "route": {
                        "receiver": "upkeeper",
                        "group_by": ["alertname"],
                        "group_wait": "0s",
                        "group_interval": "200ms",
                    },
                    "receivers": [
                        {"name": "upkeeper", "webhook_configs": [{"url": webhook.url, "http_config": http}]},
                    ],
                }
            )
        )
        async with alertmanager(tmp_path / "alertmanager", config) as server:
            yield Pair(server.url, webhook, credential)


def labelled(directory: str, **more: Any) -> dict[str, Any]:
    return {"labels": {"alertname": "Full", "directory": directory}, "startsAt": STARTED} | more


async def test_what_alertmanager_sends_is_understood(pair: Pair) -> None:
    odd = 'a"b\\c\nd é 🙂 \u0430рр ../../etc <&> ' + "x" * 10_000
    annotations = {"summary": "over its limit", "description": "100 %"}
    await pair.post(labelled(odd, annotations=annotations, generatorURL="http://prometheus.example/graph"))
    await wait_until(pair.received, what="the alert")
    notification, alert = pair.webhook.accepted[0], pair.received()[0]
    assert notification.receiver == "upkeeper"
    assert notification.group_key == '{}:{alertname="Full"}'
    assert notification.external_url.startswith("http://")
    assert notification.truncated_alerts == 0
    assert alert.labels == {"alertname": "Full", "directory": odd}
    assert alert.annotations == annotations
    assert (alert.status, alert.starts_at, alert.ends_at) == ("firing", STARTED_SECONDS, None)
    assert alert.generator_url == "http://prometheus.example/graph"
    async with httpx.AsyncClient(verify=False) as client:
        (known,) = (await client.get(f"{pair.alertmanager}/api/v2/alerts")).json()
    assert alert.fingerprint == known["fingerprint"]
    assert pair.webhook.rejected() == {}


async def test_a_computed_fingerprint_is_alertmanagers_own(pair: Pair) -> None:
    source = random.Random(13)
    alphabet = 'az_AZ09 é🙂\u0430\x7f\t"\\=,{}\ufffd\U0010ffff'
    sets = [
        {"alertname": "Full"}
        | {
            source.choice("aAzZ_") + str(n): "".join(source.choices(alphabet, k=source.randint(1, 40)))
            for n in range(source.randint(0, 12))
        }
        for _ in range(200)
    ]
    await pair.post(*({"labels": labels, "startsAt": STARTED} for labels in sets))
    async with httpx.AsyncClient(verify=False) as client:
        known = (await client.get(f"{pair.alertmanager}/api/v2/alerts")).json()
    assert len(known) == len({tuple(sorted(labels.items())) for labels in sets})
    assert {fingerprint(one["labels"]): one["fingerprint"] for one in known} == {
        one["fingerprint"]: one["fingerprint"] for one in known
    }


async def test_an_alert_that_resolves_in_a_firing_group(pair: Pair) -> None:
    await pair.post(labelled("app"), labelled("web"))
    await wait_until(lambda: len(pair.received()) >= 2, what="both alerts")
    await pair.post(labelled("app", endsAt="2026-03-01T10:25:30.5Z"))

    def resolved() -> Notification | None:
        found = [one for one in pair.webhook.accepted if any(alert.status == "resolved" for alert in one.alerts)]
        return found[0] if found else None

    notification = await wait_until(resolved, what="the resolved alert")
    assert notification is not None
    by_directory = {alert.labels["directory"]: alert for alert in notification.alerts}
    assert (by_directory["web"].status, by_directory["web"].ends_at) == ("firing", None)
    assert (by_directory["app"].status, by_directory["app"].ends_at) == ("resolved", 1772360730.5)
    episodes = {(alert.fingerprint, alert.starts_at) for alert in pair.received()}
    assert len(episodes) == 2


async def test_nul_in_a_label_costs_no_alert(pair: Pair) -> None:
    await pair.post(labelled("app\0"), labelled("web"))
    await wait_until(lambda: len({alert.fingerprint for alert in pair.received()}) == 2, what="both alerts")
    assert {alert.labels["directory"] for alert in pair.received()} == {"app\ufffd", "web"}
    assert pair.webhook.rejected() == {}


async def test_with_a_wrong_credential_nothing_comes_in_until_it_is_mended(pair: Pair) -> None:
    pair.credential.write_text("wrong")
    await pair.post(labelled("app"))
    await wait_until(lambda: pair.webhook.rejected().get("unauthorized"), what="a rejection")
    assert pair.webhook.accepted == []
    pair.credential.write_text(TOKEN)
    await wait_until(pair.received, what="the alert")
    assert pair.webhook.rejected().keys() == {"unauthorized"}


async def test_an_alert_that_could_not_be_stored_comes_again(pair: Pair) -> None:
    failures = [OSError(28, "No space left on device"), OSError(5, "Input/output error")]

    async def accept(notification: Notification) -> int:
        if failures:
            raise failures.pop()
        return len(notification.alerts)

    pair.webhook.accept = accept
    await pair.post(labelled("app"))
    await wait_until(pair.received, what="the alert")
    assert pair.webhook.rejected() == {"store": 2}
    assert [alert.labels["directory"] for alert in pair.received()] == ["app"]
