"""A real SMTP server that keeps what is mailed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_port

USER, PASSWORD = "up: 'keeper'", "s3cret {{ word }}"


class Mailbox:
    """Keeps what arrives: (recipients, message), and when on the monotonic clock."""

    def __init__(self) -> None:
        self.address = ""
        """host:port of the server."""
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.arrived: list[float] = []
        self.logins: list[tuple[bytes, bytes]] = []

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for _, message in self.mails]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.arrived.append(time.monotonic())
        self.mails.append((list(envelope.rcpt_tos), message))
        return "250 kept"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)  # the server says no


@contextmanager
def served(mailbox: Mailbox, *, login: bool) -> Iterator[Mailbox]:
    """The mailbox behind an SMTP server on loopback. login: whether it wants USER and PASSWORD."""
    port = free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=mailbox.authenticate,
        auth_required=login,
        auth_require_tls=False,
        auth_exclude_mechanism=["LOGIN"],  # its prompts here are not the ones that Alertmanager knows
    )
    controller.start()
    mailbox.address = f"127.0.0.1:{port}"
    try:
        yield mailbox
    finally:
        controller.stop()


def part(message: EmailMessage, kind: str) -> str:
    """The text of a mail's part: ``plain`` or ``html``."""
    body = message.get_body((kind,))
    assert body is not None, f"no {kind} part"
    content = body.get_content()
    assert isinstance(content, str)
    return content
