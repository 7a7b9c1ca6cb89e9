"""Whether a server of this machine answers."""

import socket

SECONDS = 2.0


def answers(url: str) -> bool:
    """Whether ``http://HOST:PORT/PATH`` answers 200."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), SECONDS) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False
