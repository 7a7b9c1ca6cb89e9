"""When people hear of what: a real Alertmanager with the shipped intervals, all of them shorter by one factor.

Alerts are posted as Prometheus posts them: again and again while they fire, and for 15 minutes after their end.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from remediator.config.notify import Notify
from tests import servers
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.helpers import LONG, wait_until
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]

RESEND, STALE = 30.0, 900.0
"""Seconds: how often `upkeeper up` lets Prometheus post what fires; for how long it goes on posting what has ended."""
FACTOR = 10.0
WITHIN = 60.0
"""Seconds in which a new outage must be mailed."""


class Sender:
    """What Prometheus does with alerts, ``factor`` times as fast."""

    def __init__(self, url: str, factor: float) -> None:
        self.base = url
        self._url = f"{url}/api/v2/alerts"
        self._factor = factor
        self._alerts: dict[str, tuple[datetime, datetime | None]] = {}
        self._severities: dict[str, str] = {}
        self.fired: dict[str, list[float]] = {}
        """When each alert began to fire, on the monotonic clock."""

    async def fire(self, target: str, severity: str = "warning") -> None:
        self._severities[target] = severity
        self._alerts[target] = datetime.now(UTC), None
        self.fired.setdefault(target, []).append(time.monotonic())
        await self.post([target])

    async def resolve(self, target: str) -> None:
        self._alerts[target] = self._alerts[target][0], datetime.now(UTC)
        await self.post([target])

    async def post(self, targets: Sequence[str]) -> None:
        now = datetime.now(UTC)
        stale = timedelta(seconds=STALE / self._factor)
        alerts = [
            {
                "labels": {
                    "alertname": "UpkeeperServiceDown",
                    "severity": self._severities[target],
                    "instance": "127.0.0.1:10746",
                    "target": target,
                },
                "annotations": {"summary": f"{target}: does not answer"},
                "startsAt": started.isoformat(),
                # As Prometheus does: what it posts no more ends after four times that. At least 30 s, so that a slow
                # machine does not make another outage of it.
                "endsAt": (ended or now + timedelta(seconds=max(30, 4 * RESEND / self._factor))).isoformat(),
            }
            for target, (started, ended) in self._alerts.items()
            if target in targets and (ended is None or now - ended < stale)
        ]
        async with httpx.AsyncClient(verify=False) as client:
            (await client.post(self._url, json=alerts)).raise_for_status()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(max(0.2, RESEND / self._factor))
            await self.post(list(self._alerts))


def hurried(config: Any, factor: float) -> Any:
    """The config with each of its intervals shorter by the factor."""
    if isinstance(config, dict):
        return {
            key: shorter(value, factor) if re.search("group_wait|_interval$", key) else hurried(value, factor)
            for key, value in config.items()
        }
    return [hurried(value, factor) for value in config] if isinstance(config, list) else config


def shorter(interval: str, factor: float) -> str:
    number, unit = re.fullmatch(r"(\d+)([smh])", interval).groups()  # type: ignore[union-attr]
    return f"{int(number) * {'s': 1, 'm': 60, 'h': 3600}[unit] * 1000 / factor:.0f}ms"


@asynccontextmanager
async def mailing(layout: Layout, mailbox: Mailbox, factor: float) -> AsyncIterator[Sender]:
    email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
    write_configs(layout, Ports.from_base(free_port()), Notify.model_validate({"email": email}), share_path())
    path: Path = layout.alertmanager_config
    path.write_text(yaml.safe_dump(hurried(yaml.safe_load(path.read_bytes()), factor)))
    async with servers.alertmanager(layout.alertmanager, path) as server:
        sender = Sender(server.url, factor)
        posting = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            posting.cancel()


def firing(mailbox: Mailbox, target: str) -> list[float]:
    """When a mail came whose subject says that the target's alert fires."""
    subjects = zip(mailbox.subjects, mailbox.arrived, strict=True)
    return [at for subject, at in subjects if target in subject and "resolved" not in subject.lower()]


@pytest.mark.parametrize("factor", [FACTOR, pytest.param(1.0, marks=[pytest.mark.slow, LONG])])
async def test_each_outage_is_mailed_within_a_minute_whatever_went_before(layout: Layout, factor: float) -> None:
    """Databases of n8n, then of Letta; a short outage of Open WebUI and of PostgreSQL; n8n once more."""

    async def at(second: float) -> None:
        await asyncio.sleep(max(0.0, start + second / factor - time.monotonic()))

    mailbox = Mailbox()
    with served(mailbox, login=False):
        async with mailing(layout, mailbox, factor) as sender:
            start = time.monotonic()
            await sender.fire("n8n")
            await at(60)
            await sender.fire("letta")
            await at(110)
            await sender.fire("open-webui")
            await at(120)
            await sender.resolve("n8n")
            await at(140)
            await sender.fire("postgres")
            await at(150)
            await sender.fire("blip")
            await sender.fire("short", "critical")  # such as an outage of 90 s whose rule waits for a minute
            await at(165)
            await sender.resolve("blip")
            await at(180)
            await sender.resolve("short")
            await at(200)
            await sender.resolve("open-webui")
            await at(230)
            await sender.resolve("postgres")
            await at(240)
            await sender.fire("n8n")
            await wait_until(lambda: len(firing(mailbox, "n8n")) == 2, timeout=600 / factor, what="the second mail")
            ended = [s for s in mailbox.subjects if "resolved" in s.lower()]
            await at(330)

    for target, moments in sender.fired.items():
        if target == "blip":
            continue
        mailed = firing(mailbox, target)
        assert len(mailed) == len(moments), (target, mailbox.subjects)
        late = [(there - since) * factor for there, since in zip(mailed, moments, strict=True)]
        # Three seconds for the machine, however short the scale.
        assert max(late) <= WITHIN + 3 * factor, (target, late)
    assert len([s for s in ended if "n8n" in s]) == 1
    if factor == 1.0:  # else a slow machine makes an outage of it
        # Over before anybody was told: not a word of it.
        assert not [subject for subject in mailbox.subjects if "blip" in subject]
    assert_heard_of_first(mailbox, ["blip", *sender.fired])


async def test_the_end_is_told_only_to_those_who_heard_of_the_beginning(layout: Layout) -> None:
    """Beside an outage of which people know, another comes and goes between two looks of Alertmanager."""
    mailbox = Mailbox()
    with served(mailbox, login=False):
        async with mailing(layout, mailbox, FACTOR) as sender:
            await sender.fire("n8n")
            await wait_until(lambda: firing(mailbox, "n8n"), what="the mail of n8n")
            for target in ("letta", "open-webui", "postgres"):
                await sender.fire(target)
                await sender.resolve(target)
            await sender.fire("neo4j")
            await wait_until(lambda: firing(mailbox, "neo4j"), what="the mail of neo4j")
            await sender.resolve("n8n")
            await wait_until(
                lambda: [s for s in mailbox.subjects if "n8n" in s and "resolved" in s.lower()], what="the end of n8n"
            )
    assert_heard_of_first(mailbox, list(sender.fired))


async def test_what_ended_under_a_silence_is_mailed_when_it_begins_again(layout: Layout) -> None:
    """Of a silence of two hours, as the runbooks make it, here of fourteen seconds."""
    factor = 500.0
    mailbox = Mailbox()
    with served(mailbox, login=False):
        async with (
            mailing(layout, mailbox, factor) as sender,
            httpx.AsyncClient(base_url=sender.base) as client,
        ):
            await sender.fire("n8n", "critical")
            await wait_until(lambda: firing(mailbox, "n8n"), what="the mail")
            start, matcher = datetime.now(UTC), {"name": "target", "value": "n8n", "isRegex": False}
            silence = {
                "matchers": [matcher],
                "startsAt": start.isoformat(),
                "endsAt": (start + timedelta(hours=2) / factor).isoformat(),
                "createdBy": "ann",
                "comment": "looking at it",
            }
            (await client.post("/api/v2/silences", json=silence)).raise_for_status()
            await sender.resolve("n8n")

            async def over() -> bool:
                silences = (await client.get("/api/v2/silences")).raise_for_status().json()
                return all(one["status"]["state"] == "expired" for one in silences)

            await wait_until(over, what="the end of the silence")
            before = len(firing(mailbox, "n8n"))
            await sender.fire("n8n", "critical")
            # Well before the repetition after four hours, as all else has it: that would be 14 s later.
            second = "the mail of the second outage"
            await wait_until(lambda: len(firing(mailbox, "n8n")) > before, timeout=10, what=second)


def assert_heard_of_first(mailbox: Mailbox, targets: Sequence[str]) -> None:
    """The first mail that speaks of an alert says that it fires."""
    texts = [part(message, "plain") for _, message in mailbox.mails]
    for target in targets:
        first = next((text for text in texts if target in text), None)
        assert first is None or re.search(f"^(WARNING|CRITICAL): {target}", first, re.MULTILINE), first
