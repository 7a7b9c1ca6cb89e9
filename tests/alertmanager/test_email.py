"""A real Alertmanager mails through a real SMTP server, with our template."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.alertmanager.alerts import ENDED, post
from tests.alertmanager.conftest import Start
from tests.helpers import free_port, wait_until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]

USER, PASSWORD = "up: 'keeper'", "s3cret {{ word }}"


class Mailbox:
    """Keeps what arrives: (recipients, message)."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), message))
        return "250 kept"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox) -> Iterator[str]:
    """An SMTP server that wants a login. Gives host:port."""
    port = free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=mailbox.authenticate,
        auth_required=True,
        auth_require_tls=False,
        auth_exclude_mechanism=["LOGIN"],  # its prompts here are not the ones that Alertmanager knows
    )
    controller.start()
    yield f"127.0.0.1:{port}"
    controller.stop()


async def test_firing_and_resolved_are_mailed(start: Start, smtp: str, mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    email = {
        "to": "Ann <ann@example.org>, ops@example.org",
        "from": "Upkeeper <upkeeper@example.org>",
        "smarthost": smtp,
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


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None, f"no {kind} part"
    content = body.get_content()
    assert isinstance(content, str)
    return content
