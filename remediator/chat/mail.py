"""Mail with a link to a page that shows the plan once and lets answer there: following the link only shows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from remediator.chat.channel import Answer, ChatError, Question
from remediator.chat.links import NAME
from remediator.config.chats import MailChat
from remediator.config.notify import Email
from remediator.reporting.deliver import NotDelivered, send_mail

_LOOKS = 3600.0


class Mail:
    """Through the server of ``notify.email``. url: where people reach the remediator."""

    def __init__(self, settings: MailChat, email: Email, url: str) -> None:
        self._settings = settings
        self._email = email
        self._url = url

    @property
    def name(self) -> str:
        return NAME

    @property
    def recipients(self) -> Sequence[str]:
        return list(self._settings.approvers)

    async def post(self, recipient: str, question: Question) -> str:
        mail = message(self._email.sender, recipient, question, link_of(self._url, question.secret))
        try:
            await send_mail(mail, self._email.model_copy(update={"to": recipient}))
        except NotDelivered as error:
            raise ChatError(str(error)) from error
        return str(mail["Message-ID"])

    async def show(self, recipient: str, ref: str, text: str) -> None:
        """A mail cannot be changed: its link shows what came of it."""

    async def answers(self) -> AsyncGenerator[Answer | None]:
        """None: they come by the link."""
        while True:
            yield None
            await asyncio.sleep(_LOOKS)

    async def close(self) -> None:
        """There is nothing open."""


def link_of(url: str, secret: str) -> str:
    return f"{url}/console/once/{secret}"


def message(sender: str, recipient: str, question: Question, link: str) -> EmailMessage:
    """Pure, but for its number."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(question.text.split("\n", 1)[0].split())
    mail["From"] = sender
    mail["To"] = recipient
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="upkeeper.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        f"{question.text}\n\nLook and answer:\n{link}\n\nThe link is for you alone and for this plan; following it only"
        " shows the plan. Once it is decided it shows what came of it.\n"
    )
    return mail
