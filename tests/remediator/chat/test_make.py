"""Which chats there are is what the config says."""

from pathlib import Path

from remediator.chat.make import channels
from remediator.config.config import Config


def test_each_is_off_until_it_is_configured(tmp_path: Path) -> None:
    assert not channels(Config())
    (tmp_path / "token").write_text("123:token")
    telegram = {"bot_token_file": f"{tmp_path}/token", "chat_id": -1001, "approvers": {"7": "anna"}}
    [only] = channels(Config.model_validate({"chats": {"telegram": telegram}}))
    assert type(only).__name__ == "Telegram"
