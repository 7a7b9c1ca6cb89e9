"""Probes of TLS servers: certificates that are well, soon not, not any more, and never were."""

import asyncio
import ssl
from pathlib import Path

import pytest

from exporter.probing import tls as probing_tls
from tests.exporter.serving import answering, detailed, result, says, speaking
from tests.exporter.tls import Authority, Certificate, make_certificate

DAY = 86400.0
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def good(authority: Authority) -> Certificate:
    return authority.issue("good", 20)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_certificate_of_a_trusted_authority(authority: Authority, good: Certificate, version: int) -> None:
    server = good.server_context()
    server.minimum_version = server.maximum_version = ssl.TLSVersion(version)
    async with answering(says("hello"), server) as url:
        found = await result(url, tls_ca_file=str(authority.certificate))
    assert (found.success, found.status, found.tls_not_after) == (True, 200, good.not_after)
    assert set(found.phases) == {"resolve", "connect", "tls", "processing", "transfer"}
    assert found.tls_min_validity == 14 * DAY


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_that_has_expired_fails_and_its_expiry_is_told_of_the_same_handshake(
    authority: Authority, version: int
) -> None:
    expired = authority.issue(f"expired-{version}", -3)
    server = expired.server_context()
    server.minimum_version = server.maximum_version = ssl.TLSVersion(version)
    async with answering(says("hello"), server) as url:
        found = await result(url, tls_ca_file=str(authority.certificate))
    assert server.session_stats()["accept"] == 1
    assert (found.success, found.status) == (False, None)
    assert found.detail == "certificate verify failed: certificate has expired"
    assert found.tls_not_after == expired.not_after
    assert set(found.phases) == {"resolve", "connect", "tls"}


async def test_one_that_expires_soon_succeeds_with_its_expiry_and_its_limit(authority: Authority) -> None:
    soon = authority.issue("soon", 2)
    async with answering(says("hello"), soon.server_context()) as url:
        found = await result(url, tls_ca_file=str(authority.certificate), tls_min_validity="3d")
    assert (found.success, found.tls_not_after, found.tls_min_validity) == (True, soon.not_after, 3 * DAY)


async def test_a_self_signed_one_is_refused_or_let_pass_and_its_expiry_read_in_any_case(tmp_path: Path) -> None:
    own = make_certificate(tmp_path)
    async with answering(says("hello"), own.server_context()) as url:
        strict = await result(url)
        lax = await result(url, tls_verify=False)
    assert (strict.success, strict.tls_not_after) == (False, own.not_after)
    assert strict.detail == "certificate verify failed: self-signed certificate"
    assert (lax.success, lax.tls_not_after) == (True, own.not_after)


async def test_the_first_of_the_chain_to_expire_counts(authority: Authority) -> None:
    served = authority.issue("behind", 25, through_days=5)
    async with answering(says("hello"), served.server_context()) as url:
        found = await result(url, tls_ca_file=str(authority.certificate))
    assert found.success
    assert found.tls_not_after is not None
    assert abs(served.not_after - found.tls_not_after - 20 * DAY) < 60


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scheme", ["https", "tcp"])
async def test_what_is_sent_along_and_is_not_of_the_chain_that_verifies_does_not_count(
    authority: Authority, tmp_path: Path, version: int, scheme: str
) -> None:
    """A root that an older one signed, whose certificate has expired, as of Let's Encrypt in 2021; last year's leaf."""
    older = Authority(tmp_path / "older", name="older root")
    newer = Authority(tmp_path / "newer", name="newer root")
    crossed = older.cross_sign(newer, -10)
    leaf, former = newer.issue("leaf", 25), newer.issue("former", -30)
    behind = newer.issue("behind", 20, through_days=40)
    for served in (leaf.beside(crossed), leaf.beside(former.certificate), behind.beside(crossed, former.certificate)):
        server = served.server_context()
        server.minimum_version = server.maximum_version = ssl.TLSVersion(version)
        async with answering(says("hello"), server) as url:
            settings: dict[str, object] = {} if scheme == "https" else {"tls": True}
            url = url.replace("https", scheme)
            verified = await result(url, tls_ca_file=str(newer.certificate), **settings)
            stranger = await result(url, tls_ca_file=str(authority.certificate), **settings)
        assert (verified.success, verified.tls_not_after) == (True, served.not_after)
        # Of a refused one, what would be of the chain: the expired root is what the client would have to trust.
        assert not stranger.success
        assert stranger.tls_not_after is not None


async def test_the_steps_tell_what_is_sent_beside_the_chain(authority: Authority, good: Certificate) -> None:
    former = authority.issue("former one", -30)
    async with answering(says("hello"), good.beside(former.certificate).server_context()) as url:
        _, recorder = await detailed(url, tls_ca_file=str(authority.certificate))
    certificates = [step.facts for step in recorder.steps if step.what == "certificate"]
    assert [(each["subject"], each["of_chain"]) for each in certificates] == [
        ("CN=good", True),
        ("CN=former one", False),
    ]


async def test_one_that_need_not_verify_is_judged_by_the_chain_that_it_has(tmp_path: Path) -> None:
    own = Authority(tmp_path / "own", name="own root")
    leaf, former = own.issue("leaf", 25), own.issue("former", -30)
    expired = own.issue("expired", 25, through_days=-3)
    async with answering(says("hello"), leaf.beside(former.certificate).server_context()) as url:
        beside = await result(url, tls_verify=False)
    async with answering(says("hello"), expired.server_context()) as url:
        between = await result(url, tls_verify=False)
    assert (beside.success, beside.tls_not_after) == (True, leaf.not_after)
    assert between.success
    assert between.tls_not_after is not None
    assert abs(expired.not_after - between.tls_not_after - 28 * DAY) < 60


async def test_the_name_to_verify_may_be_another_than_the_hosts(authority: Authority, good: Certificate) -> None:
    settings = {"tls_ca_file": str(authority.certificate)}
    async with answering(says("hello"), good.server_context()) as url:
        assert (await result(url, tls_server_name="localhost", **settings)).success
        found = await result(url, tls_server_name="inner.example.org", **settings)
    assert not found.success
    assert "inner.example.org" in found.detail


async def test_a_client_certificate_is_shown_to_a_server_that_asks(authority: Authority, good: Certificate) -> None:
    server = good.server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(authority.certificate)
    mine = authority.issue("client", 20)
    settings = {"tls_ca_file": str(authority.certificate)}
    async with answering(says("hello"), server) as url:
        found = await result(url, tls_cert_file=str(mine.certificate), tls_key_file=str(mine.key), **settings)
        assert found.success, found.detail
        assert not (await result(url, **settings)).success


async def test_files_of_certificates_are_read_anew_when_they_change(
    authority: Authority, good: Certificate, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    other = make_certificate(tmp_path, 12)
    async with answering(says("hello"), good.server_context()) as url:
        missing = await result(url, tls_ca_file=str(trusted))
        trusted.write_text("no certificate")
        wrong = await result(url, tls_ca_file=str(trusted))
        trusted.write_text(other.certificate.read_text())
        stranger = await result(url, tls_ca_file=str(trusted))
        trusted.write_text(authority.certificate.read_text())
        right = await result(url, tls_ca_file=str(trusted))
    assert missing.detail == "tls_ca_file cannot be read: No such file or directory"
    assert wrong.detail.startswith("tls_ca_file does not hold what it should")
    assert stranger.detail.startswith("certificate verify failed")
    assert right.success


async def test_a_context_is_made_once_and_no_session_is_taken_over(authority: Authority, good: Certificate) -> None:
    before = dict(probing_tls._contexts)
    server = good.server_context()
    settings = {"tls_ca_file": str(authority.certificate), "tls_cert_file": str(good.certificate)}
    settings["tls_key_file"] = str(good.key)
    async with answering(says("hello"), server) as url:
        for _ in range(5):
            assert (await result(url, **settings)).success
    assert len(probing_tls._contexts) == len(before) + 1
    assert server.session_stats()["hits"] == 0


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03\xff\xff", b""])
async def test_what_is_no_tls_is_a_failure(greeting: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)

    async with speaking(speak) as port:
        found = await result(f"https://127.0.0.1:{port}", timeout="2s")
    assert not found.success
    assert found.detail
    assert "_ssl.c" not in found.detail


async def test_tcp_with_tls(authority: Authority, good: Certificate) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b"PING\r\n":
            writer.write(b"+PONG\r\n")

    settings = {"tls": True, "tls_ca_file": str(authority.certificate)}
    async with speaking(greet, good.server_context()) as port:
        found = await result(f"tcp://127.0.0.1:{port}", send="PING", expect=r"^\+PONG$", **settings)
        plain = await result(f"tcp://127.0.0.1:{port}", send="PING", expect="PONG", timeout="1s")
    assert (found.success, found.tls_not_after) == (True, good.not_after)
    assert not plain.success


async def test_the_steps_tell_what_was_agreed_on_and_each_certificate(authority: Authority) -> None:
    served = authority.issue("shown", 25, through_days=5)
    async with answering(says("hello"), served.server_context()) as url:
        _, recorder = await detailed(url, tls_ca_file=str(authority.certificate))
        _, refused = await detailed(url)
    steps = {step.what: step.facts for step in recorder.steps if step.what != "certificate"}
    assert (steps["tls"]["version"], steps["tls"]["verification"]) == ("TLSv1.3", "passed")
    certificates = [step.facts for step in recorder.steps if step.what == "certificate"]
    assert [(each["subject"], each["issuer"]) for each in certificates] == [
        ("CN=shown", "CN=shown-between"),
        ("CN=shown-between", "CN=localhost"),
    ]
    assert all(each["of_chain"] for each in certificates)
    assert "verify failed" in str(next(step.facts["verification"] for step in refused.steps if step.what == "tls"))
    assert [step.facts for step in refused.steps if step.what == "certificate"] == certificates
