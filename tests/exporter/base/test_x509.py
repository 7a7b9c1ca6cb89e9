"""The expiry of a certificate."""

from pathlib import Path

import pytest

from exporter.base.x509 import not_after, read_certificate, validity
from tests.exporter.tls import make_certificate


@pytest.mark.parametrize("days", [1, 30, 20_000])
def test_expiry_as_openssl_reads_it(tmp_path: Path, days: int) -> None:
    """20,000 days reach beyond 2049, where certificates write the year with four digits."""
    made = make_certificate(tmp_path, days)
    assert not_after(made.der()) == made.not_after


def test_a_certificate_in_words(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, 30)
    found = read_certificate(made.der())
    assert (found.subject, found.issuer) == ("CN=localhost", "CN=localhost")
    assert (found.not_before, found.not_after) == validity(made.der())
    assert found.not_after - found.not_before == 30 * 86400


def test_two_digit_years_from_50_on_are_of_the_last_century(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, 30)
    der = made.der()
    start = der.index(b"\x17\x0d", der.index(b"\x17\x0d") + 1) + 2
    assert not_after(der[:start] + b"500102030405Z" + der[start + 13 :]) == -631054555  # 1950-01-02 03:04:05


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x80", b"not a certificate", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_a_value_error(der: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        not_after(der)
    with pytest.raises(ValueError, match="not a certificate"):
        read_certificate(der)


def test_a_certificate_cut_off_anywhere_before_its_expiry_is_a_value_error(tmp_path: Path) -> None:
    der = make_certificate(tmp_path).der()
    for length in range(len(der)):
        with pytest.raises(ValueError, match="not a certificate"):
            not_after(der[:length])
