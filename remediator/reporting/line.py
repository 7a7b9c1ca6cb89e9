"""A connection to an SMTP server that another thread can end, at whatever point of it."""

import contextlib
import smtplib
import socket
import ssl
import threading

CONNECT_SECONDS = 10.0
"""For each address of the server's name: one that does not answer leaves time for the next."""


class Line:
    """The connection of one mail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._copy: socket.socket | None = None

    def hold(self, connection: socket.socket) -> None:
        """Takes it for this line. Raises TimeoutError when the line was ended before."""
        with self._lock:
            if self._ended:
                connection.close()
                raise TimeoutError("it was too late to connect")
            # TLS takes a socket's descriptor away from the object; what its copy shuts is the connection itself.
            self._copy = connection.dup()

    def close(self) -> None:
        """Whoever reads from it or writes to it fails at once, and nobody connects any more. May be called again."""
        with self._lock:
            self._ended, copy, self._copy = True, self._copy, None
            if copy is not None:
                with contextlib.suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)
                copy.close()


class Server(smtplib.SMTP):
    """smtplib's client, whose connection is held from the first moment, before a greeting and before TLS.

    tls: whether it speaks TLS from the beginning. seconds: for each answer.
    """

    def __init__(self, host: str, port: int, line: Line, seconds: float, tls: ssl.SSLContext | None) -> None:
        self._line = line
        self._tls = tls
        super().__init__(host, port, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """As smtplib.SMTP_SSL has it in its place."""
        try:
            connection = socket.create_connection((host, port), CONNECT_SECONDS)
        except TimeoutError:  # which would look like the whole mail's
            raise OSError(f"no connection within {CONNECT_SECONDS:g} s") from None
        connection.settimeout(timeout)
        self._line.hold(connection)
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_hostname=host)
