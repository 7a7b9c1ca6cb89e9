"""Probes that ask for TLS: of real servers of each protocol, and of a made one that misbehaves."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from exporter.inventory.services import StartTls
from tests.exporter.probing.tls_servers import SERVERS, listening
from tests.exporter.serving import Raw, detailed, result, speaking
from tests.exporter.tls import Authority

DAY = 86400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("starttls") / "ca", name="root of the tests")


def test_each_protocol_of_the_config_has_its_real_server() -> None:
    assert set(SERVERS) == set(get_args(StartTls))


@pytest.mark.servers
@pytest.mark.parametrize("protocol", SERVERS)
async def test_a_real_server_of_each_protocol(protocol: str, authority: Authority, tmp_path: Path) -> None:
    """Its certificate is read, judged and refused as over https; what is sent along does not count."""
    former = authority.issue(f"former-{protocol}", -30)
    served = authority.issue(f"good-{protocol}", 25, through_days=28).beside(former.certificate)
    with SERVERS[protocol](served, tmp_path) as port:
        await listening(port)
        url, timeout = f"tcp://127.0.0.1:{port}", "10s"
        verified, recorder = await detailed(
            url, starttls=protocol, tls_ca_file=str(authority.certificate), timeout=timeout
        )
        refused = await result(url, starttls=protocol, timeout=timeout)
        plain = await result(url, tls=True, timeout="2s")
    assert verified.success, verified.detail
    assert verified.tls_not_after == served.not_after
    assert verified.tls_min_validity == 14 * DAY
    assert set(verified.phases) == {"resolve", "connect", "tls"}
    sent = [step.facts for step in recorder.steps if step.what == "certificate"]
    of_chain = [each["of_chain"] for each in sent]
    # GnuTLS, which slapd has, leaves out by itself what does not belong to the chain.
    assert of_chain == ([True, True] if protocol == "ldap" else [True, True, False])
    assert not refused.success
    assert refused.detail.startswith("certificate verify failed")
    assert refused.tls_not_after == served.not_after
    assert not plain.success  # it does begin without TLS


@pytest.mark.servers
@pytest.mark.parametrize("protocol", SERVERS)
async def test_an_expired_one_is_refused_with_its_expiry(protocol: str, authority: Authority, tmp_path: Path) -> None:
    expired = authority.issue(f"expired-{protocol}", -3)
    settings = {"starttls": protocol, "tls_ca_file": str(authority.certificate), "timeout": "10s"}
    with SERVERS[protocol](expired, tmp_path) as port:
        await listening(port)
        found = await result(f"tcp://127.0.0.1:{port}", **settings)
    assert (found.success, found.detail) == (False, "certificate verify failed: certificate has expired")
    assert found.tls_not_after == expired.not_after


@pytest.mark.servers
async def test_the_conversation_goes_on_behind_tls(authority: Authority, tmp_path: Path) -> None:
    served = authority.issue("talks", 25)
    settings = {"starttls": "smtp", "tls_ca_file": str(authority.certificate)}
    with SERVERS["smtp"](served, tmp_path) as port:
        found = await result(f"tcp://127.0.0.1:{port}", send="EHLO [127.0.0.1]", expect="^250 ", **settings)
    assert found.success, found.detail


def answers(*chunks: bytes) -> Raw:
    """A made server: says the first chunk at once, and each other when something came. Then it only listens."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, chunk in enumerate(chunks):
            if number:
                await reader.read(1000)
            writer.write(chunk)
        await reader.read()

    return speak


EHLO = b"250-here\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
LDAP_OK = bytes.fromhex("300c02010178070a010004000400")
LDAP_NO = bytes.fromhex("300c02010178070a010204000400")
REFUSES = "the server refuses TLS"
GOES_ON = "the server continues without TLS after agreeing to it"


@pytest.mark.parametrize(
    ("protocol", "chunks", "why"),
    [
        ("smtp", [b"554 go away\r\n"], "the server does not greet: it answers 554"),
        ("smtp", [b"SSH-2.0-OpenSSH\r\n"], "the server does not greet: this is not SMTP"),
        ("smtp", [b"220-one\r\n220 two\r\n", b"502 what\r\n"], "the server does not take EHLO: it answers 502"),
        ("smtp", [b"220 hi\r\n", b"250-x\r\n250 SIZE\r\n"], "the server does not offer STARTTLS"),
        ("smtp", [b"220 hi\r\n", EHLO, b"454 later\r\n"], "the server does not take STARTTLS: it answers 454"),
        ("smtp", [b"220 hi\r\n", EHLO, b"220 go\r\n250 more\r\n"], GOES_ON),
        ("smtp", [b"x" * 70_000], "more than 65536 bytes came before TLS began"),
        ("imap", [b"* BYE full\r\n"], "the server's greeting is not that of IMAP"),
        ("imap", [b"* PREAUTH hi\r\n"], "the server's greeting is not that of IMAP"),
        ("imap", [b"* OK hi\r\n", b"* CAPABILITY x\r\na1 BAD what\r\n"], REFUSES),
        ("imap", [b"* OK hi\r\n", b"a1 OK go\r\na2 OK evil\r\n"], GOES_ON),
        ("imap", [b"* OK"], "no TLS handshake"),
        ("pop3", [b"-ERR full\r\n"], "the server's greeting is not that of POP3"),
        ("pop3", [b"+OK hi\r\n", b"-ERR no\r\n"], REFUSES),
        ("postgres", [b"", b"N"], REFUSES),
        ("postgres", [b"", b"E\0\0\0\x10FATAL"], REFUSES),
        ("postgres", [b"", b"Sx"], GOES_ON),
        ("ldap", [b"", LDAP_NO], REFUSES),
        ("ldap", [b"", LDAP_OK + b"0"], GOES_ON),
        ("ldap", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(60)], "the server's answer is not that of LDAP"),
        ("ldap", [b"", b"\x30\x84\xff\xff\xff\xff"], "no TLS handshake"),
    ],
)
async def test_what_does_not_agree_to_tls_is_a_failure_with_its_reason(
    protocol: str, chunks: list[bytes], why: str
) -> None:
    async with speaking(answers(*chunks)) as port:
        found = await result(f"tcp://127.0.0.1:{port}", starttls=protocol, timeout="500ms")
    assert not found.success
    assert found.reason.startswith(why)
    assert found.tls_not_after is None


@pytest.mark.parametrize("protocol", SERVERS)
async def test_a_server_that_ends_the_connection(protocol: str) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with speaking(end) as port:
        found = await result(f"tcp://127.0.0.1:{port}", starttls=protocol)
    assert not found.success
    assert found.reason in ("the connection ended before TLS began", "Connection reset by peer", "Broken pipe")


async def test_an_answer_in_single_bytes_is_read() -> None:
    """As over a slow line; up to the handshake, which this server does not know."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        for number in range(len(LDAP_OK)):
            writer.write(LDAP_OK[number : number + 1])
            await writer.drain()
            await asyncio.sleep(0.01)  # so that each is a packet of its own
        assert (await reader.read(1))[0] == 22  # the handshake begins
        writer.write(b"no TLS at all")

    async with speaking(drip) as port:
        found = await result(f"tcp://127.0.0.1:{port}", starttls="ldap")
    assert found.reason.startswith("TLS failed")
