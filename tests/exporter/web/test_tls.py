"""TLS as real clients see it: curl's library, openssl's own client, and Python's."""

import asyncio
import errno
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from exporter.web import site
from tests.exporter.web import pki
from tests.exporter.web.served import TLS, Served, client_context, served
from tests.helpers import require_program, wait_until

MUTUAL = TLS % ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem%s"
SUCCESSFUL = "config_last_reload_successful"


@pytest.fixture
def directory(certificates: Path, tmp_path: Path) -> Path:
    """A copy of the certificates that a test may change."""
    return Path(shutil.copytree(certificates, tmp_path / "web"))


async def s_client(web: Served, *options: str) -> str:
    """What openssl's client says of a connection; empty when there was none."""
    process = await asyncio.create_subprocess_exec(
        require_program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{web.port}", "-CAfile", "ca.pem",
        "-servername", "localhost", "-verify_return_error", *options, cwd=web.directory,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode() if process.returncode == 0 else ""


async def serial(web: Served) -> int:
    """Of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=str(web.directory / "ca.pem"))
    _, writer = await asyncio.open_connection("127.0.0.1", web.port, ssl=context, server_hostname="localhost")
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return int(certificate["serialNumber"], 16)


def serial_of(path: Path) -> int:
    decoded = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
    return int(decoded["serialNumber"], 16)


async def refused(attempt: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises((httpx.TransportError, ssl.SSLError, ConnectionError)):
        await attempt()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "spoken"),
    [("", ["1_2", "1_3"]), (", min_version: TLS13", ["1_3"]), (", max_version: TLS12", ["1_2"])],
)
async def test_versions(directory: Path, limits: str, spoken: list[str]) -> None:
    async with served(directory, TLS % limits) as web:
        for version in ("1_1", "1_2", "1_3"):
            seen = await s_client(web, f"-tls{version}", *(["-cipher", "ALL:@SECLEVEL=0"] if version == "1_1" else []))
            assert (f"TLSv{version.replace('_', '.')}" in seen) == (version in spoken), version


async def test_only_the_ciphers_that_are_named_and_in_whose_order(directory: Path) -> None:
    suites = "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"
    small, large = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    for prefer, chosen in (("true", large), ("false", small)):
        config = TLS % f", max_version: TLS12, cipher_suites: {suites}, prefer_server_cipher_suites: {prefer}"
        async with served(directory, config) as web:
            assert f"Cipher is {chosen}" in await s_client(web, "-cipher", f"{small}:{large}")
            assert f"Cipher is {small}" in await s_client(web, "-cipher", small)
            assert not await s_client(web, "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")


async def test_the_curve_that_is_named(directory: Path) -> None:
    async with served(directory, TLS % ", curve_preferences: [CurveP384]") as web:
        assert "secp384r1" in await s_client(web, "-curves", "P-384")
        assert not await s_client(web, "-curves", "X25519")
    async with served(directory, TLS % "") as web:
        assert "X25519" in await s_client(web)
        assert "secp521r1" in await s_client(web, "-curves", "P-521")


async def test_http2_is_not_spoken_to_who_asks_for_it(directory: Path) -> None:
    async with served(directory, TLS % "" + "http_server_config: {http2: true}") as web:
        assert "ALPN protocol: http/1.1" in await s_client(web, "-alpn", "h2,http/1.1")


async def test_curl(directory: Path) -> None:
    curl = require_program("curl", "curl")
    async with served(directory, TLS % "") as web:
        for options, status in ((["--cacert", "ca.pem"], 0), (["--cacert", "other-ca.pem"], 60)):
            process = await asyncio.create_subprocess_exec(
                curl, "-sS", "--noproxy", "*", *options, web.url, cwd=directory,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
            assert (process.returncode, out) == (status, b"" if status else b"hello")


async def test_a_client_needs_a_certificate_of_the_ca(directory: Path) -> None:
    async with served(directory, MUTUAL % "") as web:
        assert (await web.get(certificate="client")).text == "hello"
        for certificate in (None, "stranger", "expired-client"):
            await refused(lambda certificate=certificate: web.get(certificate=certificate))  # type: ignore[misc]
        await wait_until(lambda: web.values()["tls_handshake_errors_total"], equals=3)
        assert (await web.get(certificate="client")).text == "hello"


async def test_a_client_is_told_what_is_wrong_with_its_certificate(directory: Path) -> None:
    async with served(directory, MUTUAL % "") as web:
        for certificate, alert in (
            (None, "certificate required"),
            ("stranger", "unknown ca"),
            ("expired-client", "certificate expired"),
        ):
            with pytest.raises((httpx.TransportError, ssl.SSLError), match=f"(?i)alert {alert}"):
                await web.get(certificate=certificate)


async def test_a_certificate_that_may_be_left_out_must_be_right_when_it_is_shown(directory: Path) -> None:
    async with served(directory, MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven") % "") as web:
        assert (await web.get()).text == "hello"
        assert (await web.get(certificate="client")).text == "hello"
        await refused(lambda: web.get(certificate="stranger"))


@pytest.mark.parametrize(
    "name", ["scraper.example", "10.1.2.3", "2001:DB8:0:0::7", "spiffe://example/scraper", "ops@example"]
)
async def test_any_kind_of_name_of_the_certificate_lets_it_in(directory: Path, name: str) -> None:
    async with served(directory, MUTUAL % f", client_allowed_sans: [other.example, '{name}']") as web:
        assert (await web.get(certificate="client")).text == "hello"
        await refused(lambda: web.get(certificate="server"))  # by the same CA, and with no such name
        assert web.values()["tls_handshake_errors_total"] == 1


async def test_names_that_only_look_alike_do_not(directory: Path) -> None:
    for name in ("SCRAPER.example", "scraper.example.", "*.example", "example", "10.1.2.30", "client"):
        async with served(directory, MUTUAL % f", client_allowed_sans: ['{name}']") as web:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                async with web.client("client") as client:
                    client._transport._pool._ssl_context.maximum_version = version  # type: ignore[attr-defined]
                    await refused(lambda client=client: client.get("/"))  # type: ignore[misc]


async def test_a_renewed_certificate_is_served_to_new_connections(directory: Path) -> None:
    async with served(directory, TLS % "") as web, web.client() as kept:
        assert (await kept.get("/")).headers.get("Connection") is None
        before = await serial(web)
        assert before == serial_of(directory / "server.pem")
        not_after = web.values()["tls_not_after_timestamp_seconds"]
        web.copy("renewed.pem", "server.pem")
        web.copy("renewed.key", "server.key")
        await web.front.look()
        assert await serial(web) == serial_of(directory / "renewed.pem") != before
        assert web.values()["tls_not_after_timestamp_seconds"] > not_after
        old = await kept.get("/")
        assert (old.text, old.headers["Connection"]) == ("hello", "close")
        assert "Connection" not in (await kept.get("/")).headers


@pytest.mark.parametrize("first", ["pem", "key"])
async def test_in_the_middle_of_a_renewal_the_old_pair_is_served(directory: Path, first: str) -> None:
    second = {"pem": "key", "key": "pem"}[first]
    async with served(directory, TLS % "") as web:
        before = await serial(web)
        with capture_logs() as logs:
            web.copy(f"renewed.{first}", f"server.{first}")
            await web.front.look()
            await web.front.look()
        [line] = logs
        assert "is not the key of the certificate" in line["error"]
        assert await serial(web) == before
        assert web.values()[SUCCESSFUL] == 0
        web.copy(f"renewed.{second}", f"server.{second}")
        await web.front.look()
        assert await serial(web) == serial_of(directory / "renewed.pem")
        assert web.values()[SUCCESSFUL] == 1


async def test_a_certificate_behind_a_symlink_as_certbot_and_kubernetes_have_it(directory: Path) -> None:
    for version in ("server", "renewed"):
        (directory / f"live-{version}").mkdir()
        for suffix in ("pem", "key"):
            shutil.copy(directory / f"{version}.{suffix}", directory / f"live-{version}" / f"tls.{suffix}")
    (directory / "live").symlink_to("live-server")
    async with served(directory, "tls_server_config: {cert_file: live/tls.pem, key_file: live/tls.key}") as web:
        (directory / "new").symlink_to("live-renewed")
        (directory / "new").replace(directory / "live")
        await web.front.look()
        assert await serial(web) == serial_of(directory / "renewed.pem")


@pytest.mark.parametrize("broken", ["", "junk", "-----BEGIN CERTIFICATE-----\nMIIB"])
async def test_a_broken_certificate_file_is_never_served(directory: Path, broken: str) -> None:
    async with served(directory, TLS % "") as web:
        before = await serial(web)
        (directory / "server.pem").write_text(broken)
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 0
        assert await serial(web) == before


async def test_versions_and_policy_change_without_a_restart_too(directory: Path) -> None:
    async with served(directory, TLS % "") as web:
        assert await s_client(web, "-tls1_2")
        web.write(MUTUAL % ", min_version: TLS13")
        await web.front.look()
        assert not await s_client(web, "-tls1_2")
        await refused(web.get)
        assert (await web.get(certificate="client")).text == "hello"


async def test_connections_from_before_a_new_rule_for_clients_are_ended(directory: Path) -> None:
    async with served(directory, TLS % "") as web, web.client() as kept:
        assert (await kept.get("/")).text == "hello"
        web.write(MUTUAL % "")
        await web.front.look()
        answer = await kept.get("/")
        assert (answer.status_code, answer.headers["Connection"]) == (403, "close")
        assert web.values()["denied_total/client_certificate"] == 1
        await refused(lambda: kept.get("/"))


async def test_a_session_from_before_does_not_get_in_by_its_ticket(directory: Path) -> None:
    async with served(directory, MUTUAL % ", max_version: TLS12") as web:
        session = str(directory / "session")
        options = ("-cert", "client.pem", "-key", "client.key")
        assert "New, TLSv1.2" in await s_client(web, *options, "-sess_out", session)
        assert "Reused, TLSv1.2" in await s_client(web, *options, "-sess_in", session)
        web.write((MUTUAL % ", max_version: TLS12").replace("ca.pem", "other-ca.pem"))
        await web.front.look()
        assert "Reused" not in await s_client(web, *options, "-sess_in", session)
        assert "Verify return code: 0" not in await s_client(web, *options, "-sess_in", session)


@pytest.mark.parametrize("start", ["", TLS % ""])
async def test_tls_is_not_switched_while_it_runs(directory: Path, start: str) -> None:
    async with served(directory, start) as web:
        web.write("" if start else TLS % "")
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 0
        assert web.front._error.endswith(f"TLS is switched {'off' if start else 'on'}, which needs a restart")
        assert (await web.get()).text == "hello"


async def test_who_speaks_plain_http_to_a_tls_port_is_told_so(directory: Path) -> None:
    async with served(directory, TLS % "") as web, httpx.AsyncClient(trust_env=False) as plain:
        for _ in range(3):
            answer = await plain.get(f"http://127.0.0.1:{web.port}/")
            assert (answer.status_code, answer.json()["detail"]) == (400, "this port uses TLS: use https")
        assert web.values()["tls_handshake_errors_total"] == 3
        assert (await web.get()).text == "hello"


@pytest.mark.slow
async def test_handshakes_that_never_end_stop_nobody_and_are_given_up(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "HANDSHAKE_SECONDS", 3.0)
    process = psutil.Process()
    async with served(directory, TLS % "") as web:
        before = process.num_fds()
        stuck = [(await asyncio.open_connection("127.0.0.1", web.port))[1] for _ in range(300)]
        try:
            for one in stuck[::2]:
                one.write(b"\x16\x03\x01")  # the begin of a ClientHello
            assert process.num_fds() > before + len(stuck), "they are stuck"
            assert (await web.get()).text == "hello"
            await wait_until(lambda: process.num_fds() <= before + len(stuck), what="the stuck to be given up")
        finally:
            for one in stuck:
                one.transport.abort()
        assert (await web.get()).text == "hello"


async def test_for_one_stuck_handshake_more_the_oldest_is_given_up(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "HANDSHAKE_SECONDS", 3600.0)
    process = psutil.Process()
    async with served(directory, TLS % "") as web:
        before = process.num_fds()
        stuck = []
        for _ in range(3 * site.MAX_HANDSHAKES):
            stuck.append(await asyncio.open_connection("127.0.0.1", web.port))
            stuck[-1][1].write(b"\x16\x03\x01")
        assert (await web.get()).text == "hello"
        gone = [reader.read() for reader, _ in stuck[: 2 * site.MAX_HANDSHAKES]]
        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*gone, return_exceptions=True)) == {b""}
        assert process.num_fds() <= before + len(stuck) + site.MAX_HANDSHAKES
        for _, writer in stuck:
            writer.transport.abort()
        await wait_until(lambda: process.num_fds() <= before, what="the connections to be closed")


async def test_no_file_descriptor_left_costs_the_stuck_and_it_goes_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [errno.EMFILE, errno.ECONNABORTED]

    async def fail(listener: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise OSError(failures.pop(0), "")
        return await accept(listener)

    async with served(directory, TLS % "") as web:
        monkeypatch.setattr(loop, "sock_accept", fail)
        for _ in range(4):
            assert (await web.get()).text == "hello"
        assert not failures


async def test_it_ends_in_the_middle_of_handshakes(directory: Path) -> None:
    process = psutil.Process()
    before = process.num_fds()
    async with served(directory, TLS % "") as web:
        stuck = [(await asyncio.open_connection("127.0.0.1", web.port))[1] for _ in range(20)]
    for one in stuck:
        one.transport.abort()
    await wait_until(lambda: process.num_fds() <= before, what="the connections to be closed")


@pytest.mark.slow
async def test_garbage_at_any_moment_of_a_handshake_is_no_error_of_ours(directory: Path) -> None:
    """A good ClientHello with a byte changed, cut off or followed by more."""
    random = Random(5)
    outgoing = ssl.MemoryBIO()
    client = client_context(directory).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    async with served(directory, TLS % "") as web:
        for _ in range(200):
            data = bytearray(hello)
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            data = data[: random.randrange(1, len(data))] + random.randbytes(random.choice((0, 5, 500)))
            _, writer = await asyncio.open_connection("127.0.0.1", web.port)
            writer.write(bytes(data))
            await writer.drain()
            writer.transport.abort() if random.random() < 0.5 else writer.close()
        assert (await web.get()).text == "hello"


@pytest.mark.slow
async def test_a_thousand_rounds_leak_nothing(directory: Path) -> None:
    """Good and bad handshakes, good and bad passwords, and certificates renewed in between."""
    process = psutil.Process()
    async with served(directory, MUTUAL % "") as web:
        raw = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        good = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        good.load_cert_chain(directory / "client.pem", directory / "client.key")

        async def connect(context: ssl.SSLContext | None) -> bytes:
            options = {} if context is None else {"ssl": context, "server_hostname": "localhost"}
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", web.port, **options)  # type: ignore[arg-type]
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = await reader.readuntil(b"\r\n\r\n") + await reader.read(5)
                writer.transport.abort()
            except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
                return b""
            return answer

        async def rounds(count: int) -> None:
            for number in range(count):
                answer = await connect((None, raw, good)[number % 3])
                assert (b"hello" in answer) == (number % 3 == 2)
                if number % 50 == 0:
                    name = ("renewed", "server-0")[number // 50 % 2]
                    web.copy(f"{name}.pem", "server.pem")
                    web.copy(f"{name}.key", "server.key")
                    await web.front.look()

        for suffix in ("pem", "key"):
            web.copy(f"server.{suffix}", f"server-0.{suffix}")
        await rounds(200)
        fds, threads, memory = process.num_fds(), process.num_threads(), process.memory_info().rss
        await rounds(800)
        await wait_until(lambda: process.num_fds() <= fds + 2, what="the connections to be closed")
        assert process.num_threads() <= threads + 1
        assert process.memory_info().rss - memory < 8 * 1024**2
        assert web.values()[SUCCESSFUL] == 1


@pytest.mark.slow
def test_certificates_can_be_made_again(tmp_path: Path) -> None:
    """Of the same directory, as a renewal does."""
    pki.make(tmp_path)
    before = serial_of(tmp_path / "server.pem")
    pki.issue(tmp_path, "server")
    assert serial_of(tmp_path / "server.pem") != before
