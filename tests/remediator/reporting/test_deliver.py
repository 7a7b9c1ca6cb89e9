"""A report by mail, to a real SMTP server, and to an endpoint that speaks Slack's webhook."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from pydantic import ValidationError

from remediator.config.notify import Email, Slack
from remediator.reporting import deliver
from remediator.reporting.deliver import NotDelivered, in_short, message, post, send_mail
from remediator.reporting.line import Line, Server
from tests.alertmanager.mailbox import PASSWORD, USER, Mailbox, part, served
from tests.exporter.tls import make_certificate
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.reporting.reports import full
from tests.upkeeper.served import listening


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox(), login=True) as box:
        yield box


def email(address: str, tmp_path: Path, **more: Any) -> Email:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    return Email.model_validate(
        {
            "to": "Anna <anna@example.org>, ops@example.org",
            "from": "upkeeper@example.org",
            "smarthost": address,
            "username": USER,
            "password_file": str(secret),
            "require_tls": False,
            **more,
        }
    )


async def test_the_mail_arrives_with_text_page_and_file(mailbox: Mailbox, tmp_path: Path) -> None:
    settings = email(mailbox.address, tmp_path)
    report = full("kettle\r\nBcc: eve@example.org")
    await send_mail(message(report, settings, "report-1"), settings)
    ((to, mail),) = mailbox.mails
    assert to == ["anna@example.org", "ops@example.org"]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith(
        "Maintenance report of kettle Bcc: eve@example.org: 13 runs (1 only planned), 2 without success, 3 GiB"
    )
    assert mail["Message-ID"] == "<report-1@upkeeper.invalid>"
    assert "## Open" in part(mail, "plain")
    assert "<svg" in part(mail, "html")
    (file,) = mail.iter_attachments()
    assert isinstance(file, EmailMessage)
    assert file.get_filename() == "maintenance-report-2026-11-28.html"
    assert mailbox.logins == [(USER.encode(), PASSWORD.encode())]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"require_tls": True}, "offers no STARTTLS"),
        ({"username": "somebody"}, "refuses the login (535)"),
        ({"password_file": "/nonexistent/password"}, "notify.email.password_file cannot be read"),
    ],
)
async def test_why_a_mail_is_not_taken_without_the_password(
    mailbox: Mailbox, tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    settings = email(mailbox.address, tmp_path, **more)
    with pytest.raises(NotDelivered) as caught:
        await send_mail(message(full(), settings, "1"), settings)
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("password", "more", "said"),
    [
        ("\u20acgeheim", {}, "notify.email.username and the password must be in ASCII"),
        ("geheim", {"username": "\u20acuser"}, "notify.email.username and the password must be in ASCII"),
    ],
)
async def test_what_a_login_cannot_carry_is_said_without_it(
    mailbox: Mailbox, tmp_path: Path, password: str, more: dict[str, Any], said: str
) -> None:
    settings = email(mailbox.address, tmp_path, **more)
    (tmp_path / "password").write_text(password)
    with pytest.raises(NotDelivered) as caught:
        await send_mail(message(full(), settings, "1"), settings)
    assert str(caught.value) == said
    # The config takes no such name; whoever makes the settings otherwise hears the same kind of error.
    nameless = settings.model_copy(update={"smarthost": f"{'a' * 64}.example:25"})
    with pytest.raises(NotDelivered, match="letters that mail cannot carry"):
        await send_mail(message(full(), settings, "1"), nameless)


@pytest.mark.parametrize(
    ("smarthost", "taken"),
    [
        ("smtp.example.org:587", True),
        ("smtp.example.org.:587", True),
        ("[::1]:25", True),
        ("b\u00fccher.example:25", True),
        (f"{'a' * 63}.example:25", True),
        (f"{'a' * 64}.example:25", False),
        ("smtp..example:25", False),
        (".example.org:25", False),
        ("\u00fc" * 60 + ".example:25", False),
        (f"{'a.' * 200}example:25", False),
        ("smtp.example.org:0", False),
        ("smtp.example.org:65536", False),
    ],
)
def test_a_server_that_nobody_can_look_up_is_refused(tmp_path: Path, smarthost: str, *, taken: bool) -> None:
    if taken:
        assert email(smarthost, tmp_path).smarthost == smarthost
    else:
        with pytest.raises(ValidationError, match=r"names no server|a port from 1 to 65535") as caught:
            email(smarthost, tmp_path)
        assert caught.value.error_count() == 1


@dataclass
class Drips:
    """A server that never finishes what it says: a byte now and then. open: connections that it has now."""

    tls: ssl.SSLContext | None
    open: int = 0
    most: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.tls is not None:
                for answer in (b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n"):
                    writer.write(answer)
                    await reader.readline()
                writer.write(b"220 go\r\n")
                await writer.start_tls(self.tls)
                await reader.readline()
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.02)
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.mark.parametrize("tls", [False, True], ids=["greeting", "within-tls"])
async def test_of_a_server_that_drips_nothing_is_left_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    monkeypatch.setattr(deliver, "SECONDS", 1.0)
    certificate = make_certificate(tmp_path) if tls else None
    if certificate is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    drips = Drips(certificate.server_context() if certificate is not None else None)
    server = await asyncio.start_server(drips.serve, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = email(address, tmp_path)
        sends = [send_mail(message(full(), settings, "1"), settings) for _ in range(3)]
        errors = await asyncio.gather(*sends, return_exceptions=True)
        assert [str(error) for error in errors] == [f"{address} did not take the mail within 1 s"] * 3
        assert drips.most == 1, "one mail at a time to each server"

        async def left() -> bool:
            return not drips.open and not [one for one in threading.enumerate() if address in one.name]

        await wait_until(left, what="thread and connection to end")


@pytest.mark.parametrize("from_the_beginning", [False, True])
async def test_a_connection_that_is_held_speaks_tls(tmp_path: Path, *, from_the_beginning: bool) -> None:
    certificate, port = make_certificate(tmp_path), free_port()
    there = certificate.server_context()
    how = {"ssl_context": there} if from_the_beginning else {"tls_context": there}
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=port, **how)
    controller.start()
    ours = ssl.create_default_context(cafile=certificate.certificate)

    def said() -> tuple[int, bytes]:
        line = Line()
        with closing(line), Server("127.0.0.1", port, line, 20.0, ours if from_the_beginning else None) as server:
            if not from_the_beginning:
                server.starttls(context=ours)
            assert isinstance(server.sock, ssl.SSLSocket)
            return server.noop()

    try:
        assert (await asyncio.to_thread(said))[0] == 250
    finally:
        controller.stop()


async def test_mails_at_the_same_time_wait_for_their_turn(mailbox: Mailbox, tmp_path: Path) -> None:
    settings = email(mailbox.address, tmp_path)
    await asyncio.gather(*(send_mail(message(full(), settings, f"{one}"), settings) for one in range(3)))
    assert sorted(mail["Message-ID"] for _, mail in mailbox.mails) == [f"<{one}@upkeeper.invalid>" for one in range(3)]


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    settings = email(f"127.0.0.1:{free_port()}", tmp_path)
    with pytest.raises(NotDelivered, match=r"does not take the mail: .*refused"):
        await send_mail(message(full(), settings, "1"), settings)


async def test_slack_gets_it_in_short_and_no_error_holds_the_address(tmp_path: Path) -> None:
    got: list[Any] = []
    status = 200

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=status, text="ok")

    app = web.Application()
    app.router.add_post("/services/T0/B0/secret", hook)
    file = tmp_path / "url"
    slack = Slack.model_validate({"webhook_url_file": str(file), "channel": "#ops"})
    async with listening(app) as url:
        file.write_text(f"{url}/services/T0/B0/secret\n")
        await asyncio.gather(*[post(in_short(full("<!channel> & *all*"), slack.channel), slack) for _ in range(2)])
        assert len(got) == 2, "two at once read the one file"
        status = 404
        with pytest.raises(NotDelivered, match="Slack answers 404"):
            await post({}, slack)
    assert got[0]["channel"] == "#ops"
    text = got[0]["text"]
    assert "&lt;!channel&gt; &amp; ∗all∗" in text
    assert "<!" not in text
    assert "3 things open" in text
    for wrong in (f"{url}/services/T0/B0/secret", "http://[secret", "ftp://secret/"):
        file.write_text(wrong)
        with pytest.raises(NotDelivered) as caught:
            await post({}, slack)
        assert "secret" not in str(caught.value)
    file.unlink()
    with pytest.raises(NotDelivered, match=r"notify\.slack\.webhook_url_file cannot be read"):
        await post({}, slack)
