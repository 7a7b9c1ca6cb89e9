"""A report by mail, to a real SMTP server, and to an endpoint that speaks Slack's webhook."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remediator.config.notify import Email, Slack
from remediator.reporting.deliver import NotDelivered, in_short, message, post, send_mail
from tests.alertmanager.mailbox import PASSWORD, USER, Mailbox, part, served
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
        "Maintenance report of kettle Bcc: eve@example.org: 12 runs, 2 without success, 3 GiB"
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
        await post(in_short(full("<!channel> & *all*"), slack.channel), slack)
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
