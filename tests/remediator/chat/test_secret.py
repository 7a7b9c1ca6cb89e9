"""A token's file is read anew each time, by any number at once, and a file that does not answer is said to be one."""

import asyncio
import os
from pathlib import Path

import pytest

from remediator.chat import secret
from remediator.chat.channel import ChatError
from remediator.chat.secret import SecretInFile


async def test_it_is_read_anew_also_by_many_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = SecretInFile("chats.x.token_file", str(file))
    for content in ("first", "second"):
        file.write_text(f"{content}\n")
        assert await asyncio.gather(*(token.read() for _ in range(20))) == [content] * 20
    file.unlink()
    for error in await asyncio.gather(token.read(), token.read(), return_exceptions=True):
        assert isinstance(error, ChatError)
        assert str(error).startswith("chats.x.token_file ")


async def test_one_that_does_not_answer_is_asked_again_once_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    os.mkfifo(file)

    def reads(path: str) -> str:
        with open(path) as pipe:  # waits for somebody who writes
            return pipe.read()

    monkeypatch.setattr(secret, "read_secret", reads)
    monkeypatch.setattr(secret, "SECONDS", 0.05)
    token = SecretInFile("chats.x.token_file", str(file))
    for _ in range(2):
        with pytest.raises(ChatError, match=r"the file of chats\.x\.token_file does not answer"):
            await token.read()
    monkeypatch.setattr(secret, "SECONDS", 20.0)
    waiting = asyncio.ensure_future(token.read())
    await asyncio.to_thread(file.write_text, "late")
    assert await waiting == "late"
