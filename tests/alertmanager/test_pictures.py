"""Mails as people see them, in a real Chromium on a phone: what a real Alertmanager sends through a real SMTP server,
and what the remediator sends after it. `make pictures` keeps them for the docs.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from remediator.config.notify import Email, Notify
from remediator.config.shipped import default_remedies
from remediator.model.evidence import Section
from remediator.model.story import Done, Ran, Story
from remediator.telling.news import news
from remediator.telling.ways import ByMail
from remediator.telling.words import Message, Place, message
from tests import servers
from tests.alertmanager.alerts import STARTED, post
from tests.alertmanager.conftest import without_waits
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.chromium import QUIET, program
from tests.helpers import long_form, wait_until
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.messages import Local
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

WANTED = os.environ.get("UPKEEPER_PICTURES")
CONSOLE = "https://ops.example.org/upkeeper"
LABELS = {"alertname": "UpkeeperServiceDown", "severity": "critical", "instance": "127.0.0.1:10746", "target": "n8n"}
ENDED = datetime(2026, 3, 1, 12, 31, 15, tzinfo=UTC)
LOG = [
    "2026-03-01T12:29:31Z n8n  | connecting to the database at supabase-db:5432",
    "2026-03-01T12:29:36Z n8n  | could not connect to server: Connection refused",
    "2026-03-01T12:29:44Z n8n  | giving up after 5 attempts",
]


def annotations() -> dict[str, str]:
    """As promtool has them of the rule that ships, with the links that `notify:` brings."""
    path = Path(__file__).parents[2] / "prometheus" / "tests" / "services.yml"
    cases = [case for test in yaml.safe_load(path.read_bytes())["tests"] for case in test["alert_rule_test"]]
    [found, *_] = [one["exp_annotations"] for case in cases if case["alertname"] == LABELS["alertname"]
                   for one in case["exp_alerts"] if one["exp_labels"].get("target") == "n8n"]  # fmt: skip
    return found | {
        "since": "2026-03-01 12:29:45 +0000 UTC",
        "ended": "Every probe of n8n succeeds.",
        "runbook_url": "https://wiki.example.org/runbooks/UpkeeperServiceDown.md",
        "dashboard_url": "https://grafana.example.org/d/upkeeper-services",
    }


async def mails(layout: Layout) -> dict[str, str]:
    """The HTML of each, by the name of its picture."""
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        notify = Notify.model_validate({"email": email})
        local = Local("pa-host", default_remedies(), CONSOLE)
        write_configs(layout, Ports.from_base(free_port()), notify, share_path(), local=local)
        without_waits(layout.alertmanager_config)
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
            await post(server.url, labels=LABELS, annotations=annotations())
            await wait_until(lambda: mailbox.mails, what="the mail")
            await post(server.url, ended=ENDED, labels=LABELS, annotations=annotations())
            await wait_until(lambda: len(mailbox.mails) == 2, what="the mail of the end")
        await ByMail(Email.model_validate(email)).tell(outcome(), "1")
        return {
            name: part(mail, "html")
            for name, (_, mail) in zip(("firing", "resolved", "outcome"), mailbox.mails, strict=True)
        }


def outcome() -> Message:
    begun = STARTED.timestamp() + 8
    ran = Ran(
        id=12, task="service-restart", target="n8n", remedy="restart-down", state="finished", outcome="effective",
        reason="both probes succeed", requested_at=begun, started_at=begun, finished_at=begun + 14,
    )  # fmt: skip
    story = Story(
        alert_id=1, fingerprint="5c1f0f6f2d9d1b7a", labels=LABELS, annotations=annotations(),
        starts_at=STARTED.timestamp(), ends_at=ENDED.timestamp(), first_received_at=begun,
    )  # fmt: skip
    told = news(replace(story, run=ran), "email", ENDED.timestamp() + 60)
    assert told is not None
    return message(told, Done([("restart n8n", "done")], 1, 0, [Section("log of n8n", LOG)]), Place("pa-host", CONSOLE))


@pytest.mark.servers
@pytest.mark.torture
@pytest.mark.skipif(not long_form() and not WANTED, reason="for `make pictures` and `make torture`")
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # it is on loopback
async def test_mails_read_well_on_a_phone(layout: Layout, tmp_path: Path) -> None:
    from playwright.async_api import async_playwright

    found = await mails(layout)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program(), args=list(QUIET))
        page = await browser.new_page(viewport={"width": 390, "height": 300}, color_scheme="light")
        for name, html in found.items():
            await page.set_content(html)
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} is {wide} pixels too wide"
            assert await page.locator("section").count() == 1
            await page.screenshot(path=Path(WANTED or tmp_path) / f"mail-{name}.png", full_page=True)
        await browser.close()
