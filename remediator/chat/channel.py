"""What a chat is to us: messages that ask and are changed later, and answers that are fetched."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from exporter.base.errors import UpkeeperError

Verdict = Literal["approve", "deny"]


class ChatError(UpkeeperError):
    """A chat cannot be reached, or refuses. The message holds no secret. wait: seconds for which it wants none."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Question:
    """What is asked. secret: names this question to one recipient in an answer; nobody can guess it."""

    text: str
    secret: str
    link: str | None = None
    """The page that shows it whole, where people reach one."""


@dataclass(frozen=True)
class Answer:
    """What somebody answered. who: the name of an approver; None for a stranger. user: what the service calls him.

    say: tells him what came of it. recipient: whose secret it must be, where the secret alone tells who answers. ref:
    the message that he answered, where the service says so. It may come twice, and late.
    """

    secret: str
    verdict: Verdict
    who: str | None
    user: str
    say: Callable[[str], Awaitable[None]]
    recipient: str | None = None
    ref: str | None = None


class Channel(Protocol):
    """One service. Whatever it does raises ChatError when that is not possible now."""

    @property
    def name(self) -> str:
        """Its word in the record."""

    @property
    def recipients(self) -> Sequence[str]:
        """Who is asked, each with a message."""

    async def post(self, recipient: str, question: Question) -> str:
        """Asks. Returns what finds the message again."""

    async def show(self, recipient: str, ref: str, text: str) -> None:
        """Changes the message into this text, without anything to answer by."""

    def answers(self) -> AsyncGenerator[Answer | None]:
        """Answers as they come, also those from before it was called, and None as a sign of life. The next one is asked
        for once this one is dealt with, so that none is lost. Ends only by raising.
        """

    async def close(self) -> None:
        """Ends its connections."""
