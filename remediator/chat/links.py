"""Answers by the links of mails: who has a link is whom the mail was sent to."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from remediator.chat.chats import Approvals
from remediator.config.config import Config
from remediator.model.caller import ASKING, Caller
from remediator.model.errors import not_found
from remediator.model.shapes.approvals import ApprovalDetail, ApprovalView
from remediator.model.shapes.runs import RunView
from remediator.store import chats, pages
from remediator.store.database import Database

NAME = "mail"
"""Of the channel, in the record."""
GONE = "This link is of nothing that waits. It may have been replaced by a newer mail."


@dataclass(frozen=True)
class Linked:
    """What a link shows, to whom."""

    who: str
    approval: ApprovalDetail
    run: RunView


class Links:
    """Knows links again as long as the config names whom they were sent to."""

    def __init__(self, database: Database, approvals: Callable[[], Approvals], config: Callable[[], Config]) -> None:
        self._database = database
        self._approvals = approvals
        self._config = config

    async def shown(self, secret: str) -> Linked:
        """Raises RequestError."""
        id, _, who = await self._found(secret)
        approval = await self._approvals().approval(id)
        return Linked(who, approval, await self._database.read(partial(pages.one_run, run_id=approval["run"])))

    async def answer(self, secret: str, verdict: Literal["approve", "deny"], reason: str) -> ApprovalView:
        """Decides, once, about the plan that the mail was about. Raises RequestError."""
        id, plan_hash, who = await self._found(secret)
        asking = ASKING.set(Caller("chat", who))
        try:
            return await self._approvals().decide_approval(id, verdict, plan_hash, reason or "by mail")
        finally:
            ASKING.reset(asking)

    async def _found(self, secret: str) -> tuple[int, str, str]:
        """The approval, its plan, and who was asked. Raises RequestError."""
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        settings = self._config().chats.mail
        find = partial(chats.named, host=self._database.host, channel=NAME, secret=digest)
        found = await self._database.read(find)
        who = None if found is None or settings is None else settings.approvers.get(found.recipient)
        if found is None or who is None:
            raise not_found(GONE)
        return found.approval_id, found.plan_hash, who
