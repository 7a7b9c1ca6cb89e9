"""What is said on a connection so that TLS begins on it: STARTTLS and its kin.

Nothing is read beyond the server's consent. What it sends along with that came without protection, and a client that
takes it for a part of what follows can be fooled (CVE-2011-0411): it is a failure.
"""

from collections.abc import Awaitable, Callable, Mapping

from exporter import der
from exporter.inventory.services import StartTls
from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.stream import Stream

_READ_BYTES = 4096
_MAX_BYTES = 64 * 1024
"""How much a server may say before TLS begins."""
_SHOWN = 200

_POSTGRES_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html"""

_LDAP_OID = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _LDAP_OID
"""An ExtendedRequest with message ID 1: RFC 4511, sections 4.12 and 4.14.1."""
_LDAP_RESPONSE, _LDAP_SUCCESS = 0x78, b"\0"


async def ask_for_tls(protocol: StartTls, stream: Stream, recorder: Recorder) -> None:
    """Asks in the protocol's words; then the handshake can begin. Raises ProbeFailure and OSError."""
    talk = _Talk(stream, recorder)
    await _WAYS[protocol](talk)
    if talk.rest:
        raise ProbeFailure("the server continues without TLS after agreeing to it")


class _Talk:
    """Both sides of the conversation before TLS."""

    def __init__(self, stream: Stream, recorder: Recorder) -> None:
        self.rest = b""
        """What came and was not taken yet."""
        self._stream = stream
        self._recorder = recorder
        self._received = 0

    async def say(self, line: str) -> None:
        self._recorder.note("sent", line=line)
        await self._stream.write(f"{line}\r\n".encode())

    async def ask(self, request: bytes) -> None:
        self._recorder.note("sent", line="the request for TLS")
        await self._stream.write(request)

    async def more(self) -> None:
        """Reads on. Raises ProbeFailure at the end of the connection, and when it is too much."""
        data = await self._stream.read(_READ_BYTES)
        self._received += len(data)
        if not data:
            raise ProbeFailure("the connection ended before TLS began")
        if self._received > _MAX_BYTES:
            raise ProbeFailure(f"more than {_MAX_BYTES} bytes came before TLS began")
        self.rest += data

    async def line(self) -> str:
        """The next line, without its end."""
        while b"\n" not in self.rest:
            await self.more()
        line, _, self.rest = self.rest.partition(b"\n")
        text = line.decode("ascii", "replace").rstrip("\r")
        self._recorder.note("received", line=self._recorder.hide(text, _SHOWN))
        return text


async def _smtp(talk: _Talk) -> None:
    """RFC 3207; replies of several lines: RFC 5321, section 4.2.1."""
    await _smtp_reply(talk, "220", "greet")
    await talk.say("EHLO [127.0.0.1]")
    offered = await _smtp_reply(talk, "250", "take EHLO")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offered):
        raise ProbeFailure("the server does not offer STARTTLS")
    await talk.say("STARTTLS")
    await _smtp_reply(talk, "220", "take STARTTLS")


async def _smtp_reply(talk: _Talk, wanted: str, what: str) -> list[str]:
    lines = [await talk.line()]
    while lines[-1][:3] == wanted and lines[-1][3:4] == "-":
        lines.append(await talk.line())
    code = lines[-1][:3]
    if code != wanted:
        shown = f"it answers {code}" if code.isascii() and code.isdigit() else "this is not SMTP"
        raise ProbeFailure(f"the server does not {what}: {shown}")
    return lines


async def _imap(talk: _Talk) -> None:
    """RFC 9051, sections 6.2.1 and 7.1. Lines without our tag are about something else."""
    if not (await talk.line()).upper().startswith("* OK"):
        raise ProbeFailure("the server's greeting is not that of IMAP")
    await talk.say("a1 STARTTLS")
    while not (answer := await talk.line()).startswith("a1 "):
        pass
    _agreed(answer.upper().startswith("A1 OK"))


async def _pop3(talk: _Talk) -> None:
    """RFC 2595, section 4."""
    if not (await talk.line()).startswith("+OK"):
        raise ProbeFailure("the server's greeting is not that of POP3")
    await talk.say("STLS")
    _agreed((await talk.line()).startswith("+OK"))


async def _postgres(talk: _Talk) -> None:
    await talk.ask(_POSTGRES_REQUEST)
    await talk.more()
    answer, talk.rest = talk.rest[:1], talk.rest[1:]
    _agreed(answer == b"S")


async def _ldap(talk: _Talk) -> None:
    await talk.ask(_LDAP_REQUEST)
    while True:
        await talk.more()
        try:
            end = der.skip(talk.rest, 0)
        except IndexError:
            continue
        break
    answer, talk.rest = talk.rest[:end], talk.rest[end:]
    try:
        message, _ = der.enter(answer, 0)
        response, _ = der.enter(answer, der.skip(answer, message), _LDAP_RESPONSE)
        start, stop = der.content(answer, response)
    except (IndexError, ValueError):
        raise ProbeFailure("the server's answer is not that of LDAP") from None
    _agreed(answer[start:stop] == _LDAP_SUCCESS)


def _agreed(yes: bool) -> None:
    if not yes:
        raise ProbeFailure("the server refuses TLS")


_WAYS: Mapping[StartTls, Callable[[_Talk], Awaitable[None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
    "ldap": _ldap,
}
