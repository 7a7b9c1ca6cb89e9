"""Probes of databases: the server itself has to answer, with no user or password of it.

An open port is the kernel's answer, which it gives as well for a server that is frozen. So each is asked the first
thing that its clients ask: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP and
https://neo4j.com/docs/bolt/current/bolt/handshake/
"""

import struct
from urllib.parse import urlsplit

from exporter.inventory.services import Probe
from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.resolve import resolve
from exporter.probing.result import Answer
from exporter.probing.stream import Stream, connect

_PROTOCOL_3 = 196608
# A name that mostly exists: a server that asks for no password would note each time that it knows no such user.
_STARTUP = b"user\0postgres\0database\0postgres\0application_name\0upkeeper\0\0"
_TERMINATE = b"X\0\0\0\4"
_CANNOT_CONNECT_NOW = "57P03"
_MAX_MESSAGE = 64 * 1024
_SHOWN = 300

_BOLT_MAGIC = b"\x60\x60\xb0\x17"
_BOLT_VERSIONS = b"\x00\x08\x08\x05\x00\x02\x04\x04\x00\x00\x01\x04\x00\x00\x00\x03"
"""5.0 to 5.8, 4.2 to 4.4, 4.1, 3. The answer is one of them, or 0 for none of them."""


async def probe_postgres(probe: Probe, recorder: Recorder, deadline: float) -> Answer:
    """Whether the server takes connections, as pg_isready tells it: it asks who we are, or refuses us by name.

    One that starts, recovers or shuts down is not ready. Raises ProbeFailure, OSError and TimeoutError.
    """
    stream = await _connected(probe, recorder, deadline)
    try:
        await stream.write(struct.pack("!ii", len(_STARTUP) + 8, _PROTOCOL_3) + _STARTUP)
        kind, length = struct.unpack("!ci", await _read(stream, 5, "PostgreSQL"))
        if kind not in (b"R", b"E", b"v") or not 8 <= length <= _MAX_MESSAGE:
            raise ProbeFailure("the answer is not that of a PostgreSQL server, or it cannot accept connections")
        body = await _read(stream, length - 4, "PostgreSQL")
        if kind == b"R" and not any(body):  # it let us in, asking for nothing: so say goodbye
            await stream.write(_TERMINATE)
            while await stream.read(_MAX_MESSAGE):
                pass
        if kind != b"E":
            recorder.note("received", line="a request to log in")
            return Answer(found="takes connections")
        fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
        code, message = fields.get(b"C", ""), _line(fields.get(b"M", ""))
        recorder.note("received", line=f"{code} {message}")
        if code == _CANNOT_CONNECT_NOW:
            return Answer(failure=message, starting=True)
        return Answer(found=f"answers: {message}")
    finally:
        stream.close()


async def probe_bolt(probe: Probe, recorder: Recorder, deadline: float) -> Answer:
    """Whether a Neo4j server agrees on a version of Bolt. Raises ProbeFailure, OSError and TimeoutError."""
    stream = await _connected(probe, recorder, deadline)
    try:
        await stream.write(_BOLT_MAGIC + _BOLT_VERSIONS)
        answer = await _read(stream, 4, "Bolt")
        if answer[:2] != b"\0\0":
            raise ProbeFailure("the answer is not Bolt")
        version = f"{answer[3]}.{answer[2]}" if any(answer) else "none that was offered"
        recorder.note("received", line=f"Bolt {version}")
        return Answer(found=f"speaks Bolt {version}")
    finally:
        stream.close()


async def _connected(probe: Probe, recorder: Recorder, deadline: float) -> Stream:
    parts = urlsplit(probe.url)
    host, port = parts.hostname or "", parts.port or 0
    addresses = await resolve(host, port, probe.ip_protocol, probe.ip_protocol_fallback, recorder)
    stream = await connect(addresses, recorder, deadline)
    recorder.enter("processing")
    return stream


def _line(text: str) -> str:
    """A server's words on one line, of at most _SHOWN characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


async def _read(stream: Stream, count: int, protocol: str) -> bytes:
    read = b""
    while len(read) < count:
        data = await stream.read(count - len(read))
        if not data:
            raise ProbeFailure(f"the connection ended without a {protocol} answer")
        read += data
    return read
