"""A case, and the stack in which it is shown: what Prometheus and the mailbox say."""

import asyncio
import inspect
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from tests.alertmanager.mailbox import Mailbox, part
from tests.upkeeper.up.running import Up

PATIENCE = 600.0
MAIL_PATIENCE = 90.0
"""Seconds for a mail after its alert: the waits of the routes are half a minute."""
Act = Callable[[], object]
"""What it returns is waited for, where it can be."""


@dataclass
class Case:
    """An alert, what brings it about and what mends that. mailed: whether people are told, as far as is meant."""

    alert: str
    cause: str
    begin: Act
    mend: Act
    mailed: bool = True
    seconds: dict[str, float] = field(default_factory=dict)
    problem: str = ""


class Stack:
    """The parts, and what Prometheus and the mailbox say."""

    def __init__(self, up: Up, mailbox: Mailbox, http: httpx.AsyncClient) -> None:
        self.up, self.mailbox, self._http = up, mailbox, http

    async def fires(self, alert: str) -> bool:
        url = f"http://127.0.0.1:{self.up.ports.prometheus}/api/v1/alerts"
        found = (await self._http.get(url, timeout=10)).json()["data"]["alerts"]
        return any(one["labels"]["alertname"] == alert and one["state"] == "firing" for one in found)

    def told(self, alert: str, *, resolved: bool, since: int) -> bool:
        return any(
            str(message["Subject"]).startswith("[resolved") == resolved and f"Alert: {alert}" in part(message, "plain")
            for _, message in self.mailbox.mails[since:]
        )

    def process(self, name: str) -> int:
        """By the port that it listens on."""
        pid = self.up.pid_of(f"127.0.0.1:{getattr(self.up.ports, name)}")
        if pid is None:
            raise RuntimeError(f"{name} does not run")
        return pid

    async def show(self, case: Case) -> None:
        """Begins, waits for the alert and its mail, mends, and waits for the end and its mail."""
        mails = len(self.mailbox.mails)
        try:
            if await self.fires(case.alert):
                raise RuntimeError("fires before its cause")
            await self._do(case, case.begin, "fires", lambda: self.fires(case.alert), PATIENCE)
            if case.mailed:
                await self._mail(case, "mailed", mails, resolved=False)
            say(f"{case.alert} fires")
            await self._do(case, case.mend, "ends", lambda: self._ended(case.alert), PATIENCE)
            if case.mailed:
                await self._mail(case, "end mailed", mails, resolved=True)
        except (RuntimeError, OSError, httpx.HTTPError) as error:
            case.problem = str(error) or type(error).__name__
        say(f"{case.alert}: {case.problem or 'has ended'}")

    async def _ended(self, alert: str) -> bool:
        return not await self.fires(alert)

    async def _do(self, case: Case, act: Act, what: str, reached: Callable[[], Awaitable[bool]], limit: float) -> None:
        case.seconds[f"at {what}"] = time.monotonic()
        done = act()
        if inspect.isawaitable(done):
            await done
        await self._until(case, what, f"at {what}", reached, limit)

    async def _mail(self, case: Case, what: str, since: int, *, resolved: bool) -> None:
        async def told() -> bool:
            return self.told(case.alert, resolved=resolved, since=since)

        await self._until(case, what, "at ends" if resolved else "at fires", told, MAIL_PATIENCE)

    async def _until(
        self, case: Case, what: str, since: str, reached: Callable[[], Awaitable[bool]], limit: float
    ) -> None:
        deadline = time.monotonic() + limit
        while not await reached():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not within {limit:g} s")
            await asyncio.sleep(0.5)
        case.seconds[what] = time.monotonic() - case.seconds[since]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
