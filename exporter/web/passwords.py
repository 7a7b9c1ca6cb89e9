"""Users and passwords of HTTP basic authentication (RFC 7617), against bcrypt hashes."""

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.base.threads import KeyedThreads

MAX_PASSWORD = 72
"""Bytes of a password that count: bcrypt looks at no more, and htpasswd and Go leave the rest out as well."""

REMEMBERED = 100
"""Answers that are remembered of each kind, as many as exporter-toolkit remembers."""

MAX_WAITING = 16
"""Passwords that may wait to be hashed. One takes some 60 ms (cost 10), and one is hashed at a time."""


class TooBusy(Exception):
    """So many passwords wait to be hashed that this one is not taken."""


@dataclass(frozen=True)
class Credentials:
    """What a request sent, as bytes: nothing is said about their encoding."""

    user: bytes
    password: bytes = field(repr=False)


def parse_basic(authorization: str) -> Credentials | None:
    """The credentials of an Authorization header; None when it has none of the scheme Basic."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return Credentials(user, password) if colon else None


def check_bcrypt(password: bytes, hashed: bytes) -> bool:
    """Whether the hash is of the password. Takes what its cost says; to be called in a thread."""
    import bcrypt

    return bcrypt.checkpw(password[:MAX_PASSWORD], hashed)


class Passwords:
    """Tells whether a user has a password. A stranger costs as much as a user.

    Wrong passwords are remembered apart from right ones, so that no flood of the former makes the latter be forgotten.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = check_bcrypt) -> None:
        self._check = check
        self._threads = KeyedThreads()
        self._one_at_a_time = asyncio.Lock()
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}
        self._secret = secrets.token_bytes(32)

    async def right(self, users: Mapping[bytes, bytes], given: Credentials) -> bool:
        """Whether the credentials are those of one of the users, by name and bcrypt hash. Raises TooBusy."""
        hashed = users.get(given.user)
        known = hashed is not None
        if hashed is None:
            hashed = self._stand_in(users, given.user)
        key = self._digest(given.user, hashed, given.password)
        for answers, answer in ((self._right, True), (self._wrong, False)):
            if key in answers:
                answers.move_to_end(key)
                return answer
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= MAX_WAITING:
                raise TooBusy
            task = asyncio.create_task(self._ask(key, given.password, hashed, known=known))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # One who hangs up must not end it for others who sent the same.
        return await asyncio.shield(task)

    async def _ask(self, key: bytes, password: bytes, hashed: bytes, *, known: bool) -> bool:
        async with self._one_at_a_time:
            try:
                same = await self._threads.run("bcrypt", lambda: self._check(password, hashed))
            except RuntimeError as error:  # the system allows no more threads
                raise TooBusy from error
        answer = same and known
        answers = self._right if answer else self._wrong
        answers[key] = None
        while len(answers) > REMEMBERED:
            answers.popitem(last=False)
        return answer

    def _stand_in(self, users: Mapping[bytes, bytes], stranger: bytes) -> bytes:
        """A hash for a user that there is not, with the cost of one that there is, the same each time."""
        hashes = list(users.values())
        digest = self._digest(stranger)
        model = hashes[int.from_bytes(digest[:8]) % len(hashes)]
        return model[:7] + _as_bcrypt(digest + digest)[:22] + _as_bcrypt(digest)[:31]

    def _digest(self, *parts: bytes) -> bytes:
        """A key for what is remembered that tells nothing of the parts to who reads the memory without the secret."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        return digest.digest()


def _as_bcrypt(data: bytes) -> bytes:
    """Characters of bcrypt's alphabet. A salt's last one carries two bits only: ``.`` is always valid."""
    alphabet = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    text = bytes(alphabet[byte % 64] for byte in data)
    return text[:21] + b"." + text[22:]
