"""A token in a file, read each time anew, so that it can be replaced."""

import asyncio

from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads
from remediator.chat.channel import ChatError

SECONDS = 10.0


class SecretInFile:
    """key: of the config, for people."""

    def __init__(self, key: str, path: str) -> None:
        self._key = key
        self._path = path
        self._threads = KeyedThreads()
        self._reading: asyncio.Future[str] | None = None

    async def read(self) -> str:
        """Who asks while it is being read gets what that finds. Raises ChatError."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._threads.run("token", lambda: read_secret(self._path)))
            self._reading.add_done_callback(self._over)
        try:
            async with asyncio.timeout(SECONDS):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            raise ChatError(f"the file of {self._key} does not answer") from None
        except SecretUnreadable as error:
            raise ChatError(f"{self._key} {error}") from None

    def _over(self, reading: asyncio.Future[str]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # fetched: nobody may have waited for so long
