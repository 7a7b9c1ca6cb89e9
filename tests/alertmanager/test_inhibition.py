"""What mutes what, by a real Alertmanager with the config that `upkeeper up` writes: people hear of the cause alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from remediator.config.config import Config
from remediator.config.notify import Notify
from tests import servers
from tests.alertmanager.conftest import without_waits
from tests.alertmanager.mailbox import Mailbox, served
from tests.helpers import wait_until
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.inhibition import inhibit_rules
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

PROBES = [{"url": "http://127.0.0.1:1/"}]
CONFIG = Config.model_validate(
    {
        "services": [
            {"name": "n8n", "container": "n8n-1", "probes": PROBES, "needs": ["db", "supabase"]},
            {"name": "letta", "probes": PROBES, "needs": ["n8n", "graph"]},
            {"name": "db", "probes": PROBES},
            {"name": "web", "probes": PROBES},
        ],
        "postgres": [{"name": "supabase"}],
        "neo4j": [{"name": "graph", "uri": "bolt://127.0.0.1:7687"}],
    }
)


def down(target: str, **more: str) -> dict[str, str]:
    return {
        "alertname": "UpkeeperServiceDown",
        "target": target,
        "instance": "127.0.0.1:1",
        "severity": "critical",
    } | more


N8N_UNHEALTHY = {"alertname": "UpkeeperContainerUnhealthy", "container": "n8n-1", "instance": "127.0.0.1:1"}
CASES = [
    ("a service", [down("db")], [down("n8n"), N8N_UNHEALTHY], [down("web"), down("n8n", instance="other:1")]),
    (
        "a server",
        [{"alertname": "UpkeeperPostgresDown", "server": "supabase", "instance": "127.0.0.1:1"}],
        [down("n8n")],
        [down("db")],
    ),
    (
        "Neo4j",
        [{"alertname": "UpkeeperNeo4jDown", "server": "graph", "instance": "127.0.0.1:1"}],
        [down("letta")],
        [down("n8n")],
    ),
    ("what is itself muted", [down("db"), down("n8n")], [down("letta")], []),
    (
        "Docker",
        [{"alertname": "UpkeeperDockerDown", "instance": "127.0.0.1:1"}],
        [{"alertname": "UpkeeperCollectorFailing", "collector": "docker_usage", "instance": "127.0.0.1:1"}],
        [{"alertname": "UpkeeperCollectorFailing", "collector": "logs", "instance": "127.0.0.1:1"}],
    ),
    (
        "a full file system",
        [{"alertname": "UpkeeperFilesystemFull", "mountpoint": "/", "instance": "127.0.0.1:1"}],
        [{"alertname": "UpkeeperFilesystemFilling", "mountpoint": "/", "instance": "127.0.0.1:1"}],
        [{"alertname": "UpkeeperFilesystemFilling", "mountpoint": "/srv", "instance": "127.0.0.1:1"}],
    ),
]


def test_what_is_not_needed_mutes_nothing() -> None:
    assert inhibit_rules(Config.model_validate({"services": [{"name": "web", "probes": PROBES}]})) == []


@pytest.mark.servers
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # it is on loopback
async def test_the_cause_is_told_and_what_follows_is_not_until_the_cause_is_gone(
    layout: Layout, tmp_path: Path
) -> None:
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        notify = Notify.model_validate({"email": email})
        rules = inhibit_rules(CONFIG)
        write_configs(layout, Ports.from_base(free_port()), notify, share_path(), inhibit=rules)
        without_waits(layout.alertmanager_config)
        async with (
            servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server,
            httpx.AsyncClient(verify=False) as client,
        ):

            async def post(alerts: list[dict[str, str]], *, ended: bool = False) -> None:
                end = {"endsAt": datetime.now(UTC).isoformat()} if ended else {}
                body = [{"labels": labels, "annotations": {"summary": str(labels)}, **end} for labels in alerts]
                (await client.post(f"{server.url}/api/v2/alerts", json=body)).raise_for_status()

            async def states(alerts: list[dict[str, str]]) -> list[str]:
                known: Any = (await client.get(f"{server.url}/api/v2/alerts")).json()
                by_labels = {tuple(sorted(one["labels"].items())): one["status"]["state"] for one in known}
                return [by_labels.get(tuple(sorted(labels.items())), "gone") for labels in alerts]

            for what, *alerts in CASES:
                # What ended while it was muted is to Alertmanager a repetition when it begins again: so each is new.
                causes, muted, told = ([one | {"case": what} for one in each] for each in alerts)
                await post(causes)
                await post([*muted, *told])

                async def settled(alerts: list[dict[str, str]]) -> bool:
                    return "unprocessed" not in await states(alerts)

                await wait_until(lambda alerts=[*causes, *muted, *told]: settled(alerts), what="alerts to be routed")
                assert await states(muted) == ["suppressed"] * len(muted), what
                assert "suppressed" not in await states(told), what
                await wait_until(lambda subjects=told: heard(mailbox, subjects), what=f"mail of {what}")
                assert not [labels for labels in muted if heard(mailbox, [labels])], what
                if what == "a service":
                    # It is well again, and what followed is not: now that is told.
                    await post(causes, ended=True)
                    await wait_until(lambda subjects=muted: heard(mailbox, subjects), what="mail of what followed")
                await post([*causes, *muted, *told], ended=True)
                await wait_until(lambda alerts=[*causes, *muted, *told]: gone(states, alerts), what="the end")
                mailbox.mails.clear()


async def gone(states: Any, alerts: list[dict[str, str]]) -> bool:
    return set(await states(alerts)) == {"gone"}


def heard(mailbox: Mailbox, alerts: list[dict[str, str]]) -> bool:
    return all(
        any(str(labels) in subject and "resolved" not in subject for subject in mailbox.subjects) for labels in alerts
    )


def test_a_loop_of_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="neither would be told"):
        Config.model_validate(
            {"services": [{"name": a, "probes": PROBES, "needs": [b]} for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]}
        )
