"""A fake of wollomatic/socket-proxy, which cannot be had here: it lets through what the same options allow.

As there, each ``-allowMETHOD=REGEX`` holds for the whole path of requests of that method; everything else is refused.
"""

import re
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class FilterProxy(socketserver.ThreadingTCPServer):
    """Between a port on loopback and an engine's socket. ``refused``: requests that were, as ``METHOD /path``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, engine: str, options: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.refused: list[str] = []
        self._allowed = [
            (option[len("-allow") : option.index("=")], re.compile(option.partition("=")[2]))
            for option in options
            if re.match(r"-allow[A-Z]+=", option)
        ]

    @property
    def host(self) -> str:
        return f"tcp://127.0.0.1:{self.server_address[1]}"

    def allows(self, method: str, path: str) -> bool:
        return any(method == known and pattern.fullmatch(path) for known, pattern in self._allowed)


class _Handler(socketserver.StreamRequestHandler):
    server: FilterProxy

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        method, target, _ = head.split(b" ", 2)
        path = target.decode().partition("?")[0]
        if not self.server.allows(method.decode(), path):
            self.server.refused.append(f"{method.decode()} {path}")
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        # One request a connection: what a later one asks for is looked at too.
        head = re.sub(rb"(?im)^Connection:.*\r\n", b"", head)[:-2] + b"Connection: close\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.engine)
            length = re.search(rb"(?im)^Content-Length: *(\d+)", head)
            engine.sendall(head + self.rfile.read(int(length[1]) if length else 0))
            with engine.makefile("rb", buffering=0) as answer, suppress(ConnectionError):  # the client has enough
                shutil.copyfileobj(answer, self.wfile)


@contextmanager
def filtering(engine: str, options: Sequence[str]) -> Iterator[FilterProxy]:
    """A proxy within the block. engine: the path of its socket."""
    with FilterProxy(engine, options) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
