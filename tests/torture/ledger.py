"""What is counted outside of the processes that are killed: things that are bumped, each from one state to the next."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Ledger:
    """Bumping a thing is no idempotent effect: who does it twice has done it twice. As with a container's restart, it
    can be told from which state it was meant, and then does nothing in another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, int] = {}

    def state(self, name: str) -> int:
        """How often it was bumped."""
        with self._lock:
            return self._states.get(name, 0)

    def bump(self, name: str, state: int) -> bool:
        with self._lock:
            if self._states.get(name, 0) != state:
                return False
            self._states[name] = state + 1
            return True

    @contextmanager
    def served(self) -> Iterator[int]:
        """Serves it on a port of 127.0.0.1: ``state NAME`` and ``bump NAME STATE``, a line each."""
        ledger = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                words = self.rfile.readline().decode().split()
                if not words:
                    return  # killed before it had asked
                answer = ledger.state(words[1]) if words[0] == "state" else int(ledger.bump(words[1], int(words[2])))
                self.wfile.write(f"{answer}\n".encode())

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                thread.join()


def ask(port: int, *words: str | int) -> int:
    """Asks a ledger on this machine. Blocks."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{' '.join(map(str, words))}\n".encode())
        with connection.makefile() as answer:
            return int(answer.readline())
