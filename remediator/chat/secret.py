"""A token in a file, read each time anew, so that it can be replaced."""

import asyncio

from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads, StillStuck
from remediator.chat.channel import ChatError

SECONDS = 10.0


class SecretInFile:
    """key: of the config, for people."""

    def __init__(self, key: str, path: str) -> None:
        self._key = key
        self._path = path
        self._threads = KeyedThreads()

    async def read(self) -> str:
        """Raises ChatError."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._threads.run("token", lambda: read_secret(self._path))
        except (TimeoutError, StillStuck):
            raise ChatError(f"the file of {self._key} does not answer") from None
        except SecretUnreadable as error:
            raise ChatError(f"{self._key} {error}") from None
