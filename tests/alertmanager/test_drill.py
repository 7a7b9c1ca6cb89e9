"""The drill's alerts reach the remediator and nobody's mail."""

import httpx
import pytest

from remediator.statedir import DRILL_TARGET
from tests.alertmanager.alerts import LABELS, post
from tests.alertmanager.conftest import Start
from tests.alertmanager.mailbox import Mailbox, served
from tests.helpers import wait_until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]

OF_THE_DRILL = [
    LABELS | {"directory": DRILL_TARGET},
    {"alertname": "UpkeeperRemedyBreakerOpen", "task": "log-rotation", "target": DRILL_TARGET, "severity": "warning"},
]


async def test_the_drill_is_mailed_to_nobody(start: Start) -> None:
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        async with start({"email": email}) as server:
            for labels in (*OF_THE_DRILL, LABELS):
                await post(server.url, labels=labels)
            await wait_until(lambda: mailbox.mails, what="the mail of the real one")
            async with httpx.AsyncClient(verify=False) as client:
                listed = (await client.get(f"{server.url}/api/v2/alerts")).raise_for_status().json()
    receivers = {
        alert["labels"].get("directory", alert["labels"].get("target")): {one["name"] for one in alert["receivers"]}
        for alert in listed
    }
    assert receivers == {DRILL_TARGET: {"remediator"}, "letta": {"remediator", "people"}}
    assert not [text for text in map(str, (message for _, message in mailbox.mails)) if DRILL_TARGET in text]
