"""Passwords and tokens in files."""

from pathlib import Path

import pytest

from exporter.base.secretfile import SecretUnreadable, read_secret


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"hunter2", "hunter2"), (b" a b \r\n", " a b "), ("größe\n\n".encode(), "größe")],
)
def test_the_text_without_its_line_end(content: bytes, secret: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(content)
    assert read_secret(str(tmp_path / "password")) == secret


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"\r\n", "is empty"), (b"hunter2\xff", "is not text in UTF-8")]
)
def test_what_holds_none(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(SecretUnreadable) as caught:
        read_secret(str(tmp_path / "password"))
    assert str(caught.value) == reason
    assert caught.value.__cause__ is None


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match=r"^cannot be read: No such file or directory$"):
        read_secret(str(tmp_path / "password"))
    with pytest.raises(SecretUnreadable, match=r"^cannot be read: Is a directory$"):
        read_secret(str(tmp_path))


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    assert len(read_secret("/dev/zero")) == 64 * 1024
