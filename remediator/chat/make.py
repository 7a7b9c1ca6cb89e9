"""The chats that a config has. Each is imported where it is configured."""

import time
from collections.abc import Sequence

from remediator.chat.channel import Channel
from remediator.config.config import Config


def channels(config: Config) -> Sequence[Channel]:
    found: list[Channel] = []
    if config.chats.telegram is not None:
        from remediator.chat.telegram import Telegram

        found.append(Telegram(config.chats.telegram))
    if config.chats.ntfy is not None:
        from remediator.chat.ntfy import Ntfy

        found.append(Ntfy(config.chats.ntfy, time.time))
    if config.chats.slack is not None:
        from remediator.chat.slack import Slack

        found.append(Slack(config.chats.slack))
    email, url = config.notify.email, config.console.url
    if config.chats.mail is not None and email is not None and url is not None:
        from remediator.chat.mail import Mail

        found.append(Mail(config.chats.mail, email, url))
    return found
