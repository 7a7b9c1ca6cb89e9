"""Passwords and tokens in files of their own."""

from pathlib import Path

from exporter.base.errors import UpkeeperError

_MAX_BYTES = 64 * 1024
"""More is not read: the path may lead to a device without end."""


class SecretUnreadable(UpkeeperError):
    """The secret cannot be read. The message continues what the file is called, and quotes nothing of it."""


def read_secret(path: str) -> str:
    """The text of a file without the line end. Blocks, for good on a mount that hangs. Raises SecretUnreadable."""
    try:
        with Path(path).open("rb") as file:
            secret = file.read(_MAX_BYTES).decode().rstrip("\r\n")
    except OSError as error:
        raise SecretUnreadable(f"cannot be read: {error.strerror}") from None
    except UnicodeError:  # whose message quotes the file
        raise SecretUnreadable("is not text in UTF-8") from None
    if not secret:
        raise SecretUnreadable("is empty")
    return secret
