"""A real Chromium, in a network of its own: other tests make and remove interfaces, at which it drops connections.

What it asks of 127.0.0.1 there reaches a server that listens on a Unix socket here. Run as a program, this file is what
stands in for Chromium: it enters nothing itself, and is run by ``unshare --net``.
"""

import asyncio
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

PORT = 8080
URL = f"http://127.0.0.1:{PORT}"
"""Where the browser finds the server."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def chromium(socket: Path, scratch: Path) -> "AsyncIterator[Browser]":
    """A browser whose ``URL`` is the server on that Unix socket. Skips the test where there is no Chromium.

    scratch: a directory for the program that stands in for it.
    """
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=_stand_in(socket, scratch), args=list(QUIET))
        try:
            yield browser
        finally:
            await browser.close()


def _stand_in(socket: Path, scratch: Path) -> Path:
    from tests.helpers import require_program

    command = [
        require_program("unshare", "util-linux"), "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--",
        sys.executable, "-S", __file__, str(socket), require_program("setpriv", "util-linux"), program(),
    ]  # fmt: skip
    path = scratch / "chromium"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def program() -> str:
    """The browser. Skips the test where there is none."""
    from tests.helpers import missing

    named = os.environ.get("UPKEEPER_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("no Chromium (Debian package chromium), and UPKEEPER_CHROMIUM names none")
    assert found is not None
    return found


async def _relay(socket: str, command: list[str]) -> int:
    """Runs the browser, and hands on what it asks of this network's port."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass  # one of the two has left
        finally:
            sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(socket)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    async with await asyncio.start_server(connected, "127.0.0.1", PORT):
        # The driver talks to the browser through the descriptors 3 and 4.
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(3, 4))
        return await process.wait()


if __name__ == "__main__":
    socket, setpriv, *command = sys.argv[1:]
    sys.exit(asyncio.run(_relay(socket, [setpriv, "--pdeathsig=KILL", "--", *command])))
