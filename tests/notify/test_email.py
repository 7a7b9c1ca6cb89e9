"""A real Alertmanager mails through a real SMTP server, with our template."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.notify.alerts import ENDED, post
from tests.notify.conftest import Start
from tests.notify.mailbox import PASSWORD, USER, Mailbox, part, served

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
    assert firing["Subject"] == (
        "[1 firing] UpkeeperLogDirectoryOverLimit on 127.0.0.1:10746: Log directory letta is over its limit <b>"
    )
    plain, html = part(firing, "plain"), part(firing, "html")
    assert "FIRING: Log directory letta is over its limit <b>" in plain
    assert "Since 2026-03-01 12:30:00 UTC" in plain
    assert "  directory: letta" in plain
    assert "What to do: docs/runbooks/UpkeeperLogDirectoryOverLimit.md" in plain
    assert "Log directory letta is over its limit &lt;b&gt;" in html
    assert "&lt;!channel&gt;" in html
    assert "<!channel>" not in html

    _, resolved = mailbox.mails[1]
    assert resolved["Subject"].startswith("[resolved] UpkeeperLogDirectoryOverLimit")
    assert "RESOLVED: " in part(resolved, "plain")
    assert "until 2026-03-01 12:45:30 UTC" in part(resolved, "plain")
    assert "until 2026-03-01 12:45:30 UTC" in part(resolved, "html")
