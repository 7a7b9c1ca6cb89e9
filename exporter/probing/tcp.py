"""Probes over TCP: a connection opens and, if asked for, TLS begins and a line comes that is the expected one."""

from urllib.parse import urlsplit

from exporter.configfile.section import shown
from exporter.inventory.services import Probe
from exporter.probing.conditions import search
from exporter.probing.recorder import Recorder
from exporter.probing.resolve import resolve
from exporter.probing.result import Answer
from exporter.probing.starttls import ask_for_tls
from exporter.probing.stream import Stream, connect
from exporter.probing.tlsstream import start_tls

MAX_LINES_BYTES = 64 * 1024
"""How much is read in search of the expected line."""

_READ_BYTES = 4096
_SHOWN = 200


async def probe_tcp(probe: Probe, recorder: Recorder, deadline: float) -> Answer:
    """Connects once. Raises ProbeFailure, OSError and TimeoutError."""
    parts = urlsplit(probe.url)
    host, port = parts.hostname or "", parts.port or 0
    addresses = await resolve(host, port, probe.ip_protocol, probe.ip_protocol_fallback, recorder)
    stream = await connect(addresses, recorder, deadline)
    try:
        if probe.starttls is not None:
            recorder.enter("tls")
            await ask_for_tls(probe.starttls, stream, recorder)
        if probe.uses_tls:
            stream = await start_tls(stream, probe, probe.tls_server_name or host, recorder)
        if probe.send is None and probe.expect is None:
            return Answer()
        recorder.enter("processing")
        return Answer(failure=await _converse(probe, stream, recorder))
    finally:
        stream.close()


async def _converse(probe: Probe, stream: Stream, recorder: Recorder) -> str:
    """Sends the line and waits for the expected one. The failure; empty for none."""
    if probe.send is not None:
        recorder.note("sent", line=probe.send.rstrip("\r\n"))
        line = probe.send if probe.send.endswith("\n") else f"{probe.send}\r\n"
        await stream.write(line.encode())
    if probe.expect is None:
        return ""
    expected = f"a line matches {shown(probe.expect)}"
    count, rest, ended = 0, b"", False
    while not ended and count + len(rest) < MAX_LINES_BYTES:
        data = await stream.read(_READ_BYTES)
        ended = not data
        *lines, rest = (rest + data).split(b"\n")
        for text in [*lines, rest] if ended and rest else lines:
            count += len(text) + 1
            text = text.removesuffix(b"\r")
            recorder.note("received", line=recorder.hide(text.decode(errors="replace"), _SHOWN))
            if search(probe.expect, text):
                recorder.note("condition", expected=expected, found="a match", met=True)
                return ""
    why = "the connection ended" if ended else f"{MAX_LINES_BYTES} bytes came"
    recorder.note("condition", expected=expected, found=f"none until {why}", met=False)
    return f"no line matches expect before {why}"
