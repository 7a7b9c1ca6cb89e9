"""A real Alertmanager mails through a real SMTP server, with our template."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml

from tests.alertmanager.alerts import ENDED, post
from tests.alertmanager.conftest import Start
from tests.alertmanager.mailbox import PASSWORD, USER, Mailbox, part, served
from tests.helpers import wait_until
from upkeeper.share import share_path

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Behind a server that wants a login."""
    with served(Mailbox(), login=True) as mailbox:
        yield mailbox


async def test_firing_and_resolved_are_mailed(start: Start, mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    email = {
        "to": "Ann <ann@example.org>, ops@example.org",
        "from": "Upkeeper <upkeeper@example.org>",
        "smarthost": mailbox.address,
        "username": USER,
        "password_file": str(tmp_path / "password"),
        "require_tls": False,
    }
    async with start({"email": email}) as server:
        await post(server.url)
        recipients, firing = (await wait_until(lambda: mailbox.mails, what="a mail"))[0]
        await post(server.url, ended=ENDED)
        await wait_until(lambda: len(mailbox.mails) == 2, what="the mail of the end")

    assert recipients == ["ann@example.org", "ops@example.org"]
    assert firing["From"] == email["from"]
    assert firing["Subject"] == "[warning] Log directory letta: 3MiB, over its limit of 2MiB <b> on pa-host"
    assert part(firing, "plain").replace("\r\n", "\n") == (
        "WARNING: Log directory letta: 3MiB, over its limit of 2MiB <b>\n\n"
        "It holds 3MiB & more\nthan it may.\n\n"
        "Host: pa-host\n"
        "Since: 2026-03-01 12:29:45 UTC\n"
        "Alert: UpkeeperLogDirectoryOverLimit, directory letta, note <!channel> <b>&amp;</b>\n"
        "The remedy rotate-logs matches. It runs log-rotation: see `upkeeper history`.\n\n"
        f"To silence, on pa-host: {silence_link(firing)}\n"
    )
    html = part(firing, "html")
    assert "Log directory letta: 3MiB, over its limit of 2MiB &lt;b&gt;" in html
    assert "&lt;!channel&gt;" in html
    assert "<!channel>" not in html
    assert "The remedy rotate-logs matches" in html

    _, resolved = mailbox.mails[1]
    assert resolved["Subject"] == (
        "[resolved, was warning] Log directory letta: 3MiB, over its limit of 2MiB <b> on pa-host"
    )
    plain, html = part(resolved, "plain"), part(resolved, "html")
    for text in (
        "RESOLVED: Log directory letta",
        "What was wrong: It holds 3MiB",
        "Why it ended: The log directory letta is within its max_bytes. (An alert also ends when its",
        "Since: 2026-03-01 12:29:45 UTC",
        "Until: 2026-03-01 12:45:30 UTC, 15m30s after the alert began",
    ):
        assert text in plain
        assert text in html
    # Nothing is left to silence, and no remedy does anything now.
    assert not [word for word in ("To silence", "remedy") if word in plain + html]
    # No address that means something only on the machine itself, but for the link to the Alertmanager on it.
    texts = [*map(str, (firing["Subject"], resolved["Subject"])), plain, part(firing, "plain").split("To silence")[0]]
    assert not [text for text in texts if "127.0.0.1" in text]


def shipped(alert: str, annotation: str) -> str:
    """An annotation without variables, as the rule that ships has it."""
    rules = [
        rule
        for file in share_path().glob("prometheus/rules/*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    text: str = next(rule["annotations"][annotation] for rule in rules if rule.get("alert") == alert)
    assert "{{" not in text
    return text


def silence_link(message: EmailMessage) -> str:
    found = re.search("To silence.*: (http://.*)", part(message, "plain"))
    assert found is not None
    return found[1].strip()


@pytest.mark.parametrize(
    ("labels", "annotations", "subject", "texts", "nowhere"),
    [
        (  # what no remedy matches: not a word of what Upkeeper does
            {"alertname": "UpkeeperBackupOverdue", "severity": "critical", "instance": "nas:10746", "backup": "pa"},
            {"summary": "Backup pa: no backup exists", "runbook_url": "docs/runbooks/UpkeeperBackupOverdue.md"},
            "[critical] Backup pa: no backup exists on nas",
            ["Host: nas\n", "Since: 2026-03-01 12:30:00 UTC\n"],
            ["remedy", "upkeeper history", "docs/runbooks", "What to do"],
        ),
        (  # of another rule pack
            {"alertname": "NodeFilesystemFull", "instance": "localhost:9100", "mountpoint": "/srv"},
            {"runbook_url": "https://runbooks.example.org/node/full"},
            "[firing] NodeFilesystemFull on pa-host",
            [
                "FIRING: NodeFilesystemFull\n",
                "mountpoint /srv\n",
                "What to do: https://runbooks.example.org/node/full\n",
            ],
            ["remedy"],
        ),
        (  # of a whole stack, without an instance
            {"alertname": "Everything", "severity": "page"},
            {"summary": "Nothing works"},
            "[page] Nothing works",
            ["PAGE: Nothing works\n"],
            ["Host:"],
        ),
        (
            {"alertname": "UpkeeperServiceDown", "severity": "critical", "instance": "[::1]:10746", "target": "n8n"},
            {"summary": "n8n: database not reachable (probe ready)"},
            "[critical] n8n: database not reachable (probe ready) on pa-host",
            ["The remedy restart-down matches. It only records what service-restart would do: see `upkeeper history`."],
            [],
        ),
        (  # a plan that waits, by what its rule says
            {"alertname": "UpkeeperApprovalWaiting", "severity": "warning", "instance": "nas:10747", "remedy": "tidy"},
            {
                "summary": "tidy: 1 plan waits for your approval",
                "description": shipped("UpkeeperApprovalWaiting", "description"),
            },
            "[warning] tidy: 1 plan waits for your approval on nas",
            ["Look at it with `upkeeper approvals`, then answer: `upkeeper approve ID`, or `upkeeper deny ID"],
            [],
        ),
    ],
)
async def test_the_message_says_what_is_known_and_no_more(
    start: Start,
    labels: dict[str, str],
    annotations: dict[str, str],
    subject: str,
    texts: list[str],
    nowhere: list[str],
) -> None:
    with served(Mailbox(), login=False) as mailbox:
        email = {"to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False}
        async with start({"email": email}) as server:
            await post(server.url, labels=labels, annotations=annotations)
            _, message = (await wait_until(lambda: mailbox.mails, what="a mail"))[0]
    assert message["Subject"] == subject
    plain = part(message, "plain").replace("\r\n", "\n")
    for text in texts:
        assert text in plain
    for text in nowhere:
        assert text not in plain + part(message, "html")
