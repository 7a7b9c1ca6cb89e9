"""Approvals from chats in the running service: stand-ins for Telegram, ntfy and Slack, and a real SMTP server."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.alertmanager.mailbox import Mailbox, served
from tests.e2e.processes import firing
from tests.e2e.test_crash import Host
from tests.helpers import LONG, wait_until
from tests.ports import free_port
from tests.remediator.chat import ntfy_stand_in, slack_stand_in, telegram_stand_in
from tests.remediator.chat.ntfy_stand_in import Ntfy, ntfy
from tests.remediator.chat.slack_stand_in import Slack, slack
from tests.remediator.chat.telegram_stand_in import Bot, telegram

pytestmark = pytest.mark.servers

ANNA = {"telegram": 111, "slack": "U0000000001", "ntfy": "up-anna", "mail": "anna@example.org"}


@dataclass
class Chats:
    """What each chat shows now, by its name."""

    bot: Bot
    ntfy: Ntfy
    slack: Slack
    mailbox: Mailbox

    def shown(self, chat: str) -> str:
        """The question, as it reads now; of a mail, what its link leads to."""
        if chat == "mail":
            link = self.link()
            return "" if link is None else httpx.get(link, timeout=30).text
        texts = {number: str(each["text"]) for number, each in self.bot.messages.items()}
        of = {"telegram": texts, "ntfy": self.ntfy.texts(), "slack": self.slack.texts()}[chat]
        return of[1] if of else ""

    def link(self) -> str | None:
        for _, mail in self.mailbox.mails:
            found = re.search(r"^http\S+/console/once/\S+", mail.get_content(), re.MULTILINE)
            if found:
                return found[0]
        return None

    async def approve(self, chat: str) -> None:
        async def by_mail() -> None:
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(str(self.link()), data={"verdict": "approve"})
            assert answer.status_code == 200

        async def in_telegram() -> None:
            self.bot.press(1, "Approve", 111)

        async def in_slack() -> None:
            self.slack.press(1, "Approve", "U0000000001")

        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "telegram": in_telegram, "slack": in_slack, "ntfy": lambda: self.ntfy.press(1, "Approve"), "mail": by_mail,
        }  # fmt: skip
        await ways[chat]()


class AskingHost(Host):
    """One whose logs of app are rotated once a person has approved it, and those of web at once."""

    def __init__(self, root: Path, chats: Chats, *, ntfy_url: str | None = None) -> None:
        super().__init__(root, 2000)
        config = yaml.safe_load(self.config.read_text())
        self.web = root / "web"
        self.web.mkdir()
        (self.web / "web.log").write_text((self.logs / "app.log").read_text())
        config["logs"].append({**config["logs"][0], "name": "web", "path": str(self.web)})
        config["remedies"] = [
            {"name": name, "match": [f'directory="{directory}"'], "task": "log-rotation", "target_label": "directory",
             "autonomy": autonomy}
            for name, directory, autonomy in (("asks", "app", "approve"), ("acts", "web", "auto"))
        ]  # fmt: skip
        tokens = {"telegram": telegram_stand_in.TOKEN, "ntfy": ntfy_stand_in.TOKEN, "app": slack_stand_in.APP,
                  "bot": slack_stand_in.BOT}  # fmt: skip
        for name, text in tokens.items():
            (root / name).write_text(text)
            (root / name).chmod(0o600)
        config["console"] = {"url": self.api.url}
        config["notify"] = {"email": {
            "to": "all@example.org", "from": "up@example.org", "smarthost": chats.mailbox.address, "require_tls": False,
        }}  # fmt: skip
        config["chats"] = {
            "telegram": {"bot_token_file": str(root / "telegram"), "chat_id": -1001, "approvers": {111: "anna"},
                         "api": chats.bot.url},
            "ntfy": {"server": ntfy_url or chats.ntfy.url, "token_file": str(root / "ntfy"), "answers": "up-answers",
                     "approvers": {"up-anna": "anna"}},
            "slack": {"app_token_file": str(root / "app"), "bot_token_file": str(root / "bot"),
                      "channel": slack_stand_in.CHANNEL, "approvers": {"U0000000001": "anna"}, "api": chats.slack.url},
            "mail": {"approvers": {"anna@example.org": "anna"}},
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(config))

    def alert(self, directory: str) -> None:
        fingerprint = f"{sum(directory.encode()):016x}"
        answer = self.api.post_alerts(
            firing(fingerprint, alertname="UpkeeperLogDirectoryOverLimit", directory=directory)
        )
        assert answer.status_code == 202

    def run_of(self, directory: str) -> dict[str, Any]:
        found = [run for run in self.runs() if run["target"] == directory]
        return found[0] if found else {}


@pytest.fixture
async def chats() -> Any:
    async with AsyncExitStack() as stack:
        bot, topics, workspace = [
            await stack.enter_async_context(each)
            for each in (telegram(), ntfy(), slack())  # type: ignore[attr-defined]
        ]
        mailbox = stack.enter_context(served(Mailbox(), login=False))
        yield Chats(bot, topics, workspace, mailbox)


async def answered(host: AskingHost, chats: Chats, by: str, asked: tuple[str, ...]) -> None:
    """An alert asks in these chats, somebody approves in one, and all of them end up with what came of it."""
    await wait_until(host.api.ready, what="the remediator to be ready")
    host.alert("app")
    for chat in asked:
        await wait_until(lambda chat=chat: "log-rotation on app" in chats.shown(chat), what=f"the question in {chat}")
    assert host.run_of("app")["state"] == "waiting"
    await chats.approve(by)
    await wait_until(lambda: host.run_of("app")["outcome"], equals="effective", what="the outcome of the run")
    for chat in asked:
        parts = ("approved by", "anna") if chat == "mail" else ("approved by anna (chat)", "effective: ")

        def told(chat: str = chat, parts: tuple[str, ...] = parts) -> bool:
            return all(part in chats.shown(chat) for part in parts)

        await wait_until(told, what=f"{chat} to say {parts}")
    [approval] = host.api.get("approvals")["items"]
    assert (approval["state"], approval["by"]) == ("approved", {"trigger": "chat", "name": "anna"})
    kinds = [each["kind"] for each in host.api.get("audit?limit=100")["items"]]
    assert (kinds.count("approval.asked"), kinds.count("approval.approved")) == (1, 1)
    assert len(host.runs()) == len({run["target"] for run in host.runs()}), "something ran twice"


async def test_a_chat_that_is_down_holds_up_nothing_and_another_approves(tmp_path: Path, chats: Chats) -> None:
    host = AskingHost(tmp_path, chats, ntfy_url=f"http://127.0.0.1:{free_port()}")
    with host.remediator():  # type: ignore[attr-defined]
        await wait_until(host.api.ready, what="the remediator to be ready")
        host.alert("web")
        await wait_until(
            lambda: host.run_of("web").get("outcome"), equals="effective", what="the run that needs nobody"
        )
        await answered(host, chats, "telegram", ("telegram", "mail", "slack"))
        await wait_until(lambda: "cannot reach ntfy" in host.log.read_text(), what="the outage in the log")
    assert "geheim" not in host.log.read_text()


@LONG
@pytest.mark.torture
@pytest.mark.parametrize("by", ANNA)
async def test_an_answer_in_any_of_them_ends_all(tmp_path: Path, chats: Chats, by: str) -> None:
    host = AskingHost(tmp_path, chats)
    with host.remediator():  # type: ignore[attr-defined]
        await answered(host, chats, by, tuple(ANNA))
