"""TLS on the connection of a probe."""

import contextlib
import ssl
from collections.abc import Callable
from typing import TypeVar

from exporter.inventory.services import Probe
from exporter.probing.failure import ProbeFailure, brief_of_tls, tls_reason
from exporter.probing.recorder import Recorder
from exporter.probing.stream import Stream
from exporter.probing.tls import TlsSettings, chain_of, note_chain, sent_by, tls_context

T = TypeVar("T")

_READ_BYTES = 64 * 1024


class TlsStream(Stream):
    """A connection with TLS. Its methods raise OSError, of which ssl.SSLError is one."""

    def __init__(self, plain: Stream, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(plain.socket)
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._received, self._to_send, server_hostname=server_name)

    async def handshake(self) -> None:
        try:
            await self._run(self.tls.do_handshake)
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # tells the server why, if that can be done without waiting
                self.socket.send(self._to_send.read())
            raise

    def close(self) -> None:
        """Says goodbye as far as that needs no waiting: without it, servers log each probe as a broken connection."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed already, or no handshake took place
            with contextlib.suppress(ssl.SSLWantReadError):  # its own goodbye is not waited for
                self.tls.unwrap()
            self.socket.send(self._to_send.read())
            # What lies there unread, such as session tickets, would make the kernel reset the connection. Once: who
            # sends more than that does not care.
            self.socket.recv(_READ_BYTES)
        super().close()

    async def read(self, limit: int) -> bytes:
        try:
            return await self._run(lambda: self.tls.read(limit))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def write(self, data: bytes) -> None:
        await self._run(lambda: self.tls.write(data))

    async def _run(self, call: Callable[[], T]) -> T:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await super().read(_READ_BYTES)
                if data:
                    self._received.write(data)
                else:
                    self._received.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._to_send.pending:
            await super().write(self._to_send.read())


async def start_tls(
    plain: Stream, probe: Probe, server_name: str, recorder: Recorder, protocol: str | None = None
) -> TlsStream:
    """TLS on a connection, by the settings of the probe. The recorder has the certificates, also of a refused one.

    protocol: to offer by ALPN. Raises ProbeFailure and OSError.
    """
    recorder.enter("tls")
    context = await tls_context(
        TlsSettings(probe.tls_verify, probe.tls_ca_file, probe.tls_cert_file, probe.tls_key_file, protocol)
    )
    try:
        stream = TlsStream(plain, context, server_name)
    except ValueError as error:  # a name that TLS cannot ask for
        raise ProbeFailure(f"TLS failed: {error}", brief="TLS failed: no name to ask for") from None
    verification = "passed" if probe.tls_verify else "not asked for"
    try:
        await stream.handshake()
    except ssl.SSLError as error:
        verification = tls_reason(error)
        raise ProbeFailure(verification, brief=brief_of_tls(verification)) from None
    finally:
        recorder.sent, recorder.chain = sent_by(stream.tls), chain_of(stream.tls)
        note_chain(recorder, stream.tls, verification)
    return stream
