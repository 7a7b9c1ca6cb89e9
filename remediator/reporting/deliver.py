"""A report to people: by mail with the page in it, and in Slack in short. Secrets come from files, each time anew."""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Callable, Hashable
from email.message import EmailMessage
from email.utils import formatdate, getaddresses
from typing import TypeVar

from exporter.base.errors import UpkeeperError
from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.base.visible import visible
from remediator.config.notify import Email, Slack
from remediator.peers.http import is_loopback, verification
from remediator.reporting import html, markdown
from remediator.reporting.line import Line, Server
from remediator.reporting.report import Report

SECONDS = 30.0
"""For the whole delivery, and for each answer of the server."""
SLACK_OPEN = 8
"""Open things that a message in Slack names."""
_TURN_SECONDS = 0.1
"""Between two looks whether a server is free for the next mail, or a file has been read."""
_threads = KeyedThreads()
T = TypeVar("T")


class NotDelivered(UpkeeperError):
    """The message says why, and holds no secret."""


def message(report: Report, email: Email, id: str) -> EmailMessage:
    """The mail: text, the page, and the page again as a file, for programs that show no picture in it. Pure.

    id: the same for the same report, so that a second copy of it is known for one.
    """
    mail = EmailMessage()
    mail["Subject"] = _one_line(f"Maintenance report of {report.host}: {html.headline(report)}")
    mail["From"] = _one_line(email.sender)
    mail["To"] = _one_line(email.to)
    mail["Date"] = formatdate(report.made_at)
    mail["Message-ID"] = f"<{id}@upkeeper.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    page = html.render(report)
    mail.set_content(markdown.render(report))
    mail.add_alternative(page, subtype="html")
    mail.add_attachment(page, subtype="html", filename=f"maintenance-report-{html.day(report.until)}.html")
    return mail


async def send_mail(mail: EmailMessage, email: Email) -> None:
    """To each server one at a time; the next waits for its turn. Nothing of it goes on after the deadline, unless the
    resolver or the password's file hangs, and then it holds up neither the process's end nor another server's mail.
    Raises NotDelivered.
    """
    line = Line()
    try:
        async with asyncio.timeout(SECONDS):
            await _in_turn(email.smarthost, lambda: _send(mail, email, line))
    except TimeoutError:
        raise NotDelivered(f"{email.smarthost} did not take the mail within {SECONDS:g} s") from None
    except SecretUnreadable as error:
        raise NotDelivered(f"notify.email.password_file {error}") from None
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(f"{email.smarthost} refuses the login ({error.smtp_code})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"{email.smarthost} does not take the mail: {_one_line(str(error))[:300]}") from None
    except UnicodeError:  # it holds the text
        raise NotDelivered(
            f"{email.smarthost}: the server's name or an address has letters that mail cannot carry"
        ) from None
    finally:
        line.close()


async def _in_turn(key: Hashable, call: Callable[[], T]) -> T:
    """As KeyedThreads.run, but waits until the earlier call for the key has returned."""
    while True:
        try:
            return await _threads.run(key, call)
        except StillStuck:
            await asyncio.sleep(_TURN_SECONDS)


def _send(mail: EmailMessage, email: Email, line: Line) -> None:
    """Over STARTTLS where that is required or offered; port 465 speaks TLS from the beginning."""
    host, _, port = email.smarthost.rpartition(":")
    host = host.strip("[]")
    # The system's certificates take a while to be read: only where they are needed.
    context = ssl.create_default_context() if int(port) == 465 else None
    with contextlib.closing(line), Server(host, int(port), line, SECONDS, context) as server:
        server.ehlo()
        if context is None:
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            elif email.require_tls:
                raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, and require_tls is true")
        if email.username is not None and email.password_file is not None:
            try:
                server.login(email.username, read_secret(email.password_file))
            except UnicodeError:  # it holds the password
                raise NotDelivered("notify.email.username and the password must be in ASCII") from None
        to = [address for _, address in getaddresses([email.to]) if address]
        server.send_message(mail, to_addrs=to)


def in_short(report: Report, channel: str) -> dict[str, object]:
    """The message for Slack's incoming webhook: https://api.slack.com/messaging/webhooks. Pure."""
    lines = [f"*Maintenance report of {_slack(report.host)}*: {_slack(html.headline(report))}"]
    lines += [f"• {one.kind}: {_slack(one.what)}" for one in report.open[:SLACK_OPEN]]
    if len(report.open) > SLACK_OPEN:
        lines.append(f"• and {len(report.open) - SLACK_OPEN} more")
    lines += [f"full {html.day(one.full_from)}: {_slack(one.name)}" for one in report.fills_up if one.full_from][:5]
    lines += [f"{_slack(one.name)} could be {_slack(one.suggestion)}" for one in report.remedies if one.suggestion][:5]
    return {"channel": channel, "text": "\n".join(lines), "unfurl_links": False}


async def post(body: dict[str, object], slack: Slack, read: Callable[[str], str] = read_secret) -> None:
    """Raises NotDelivered."""
    import httpx

    try:
        async with asyncio.timeout(SECONDS):
            url = await _in_turn(("file", slack.webhook_url_file), lambda: read(slack.webhook_url_file))
    except TimeoutError:
        raise NotDelivered("the file of notify.slack.webhook_url_file does not answer") from None
    except SecretUnreadable as error:
        raise NotDelivered(f"notify.slack.webhook_url_file {error}") from None
    try:
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(timeout=SECONDS, verify=verification([url]), trust_env=not is_loopback(url)) as client,
        ):
            answer = await client.post(url, json=body)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # The URL is the secret, and an error's message may hold it.
        raise NotDelivered(f"Slack could not be reached: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise NotDelivered(f"Slack answers {answer.status_code}")


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _slack(text: str) -> str:
    """Text that Slack shows as it is: https://api.slack.com/reference/surfaces/formatting#escaping"""
    return _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "∗")
