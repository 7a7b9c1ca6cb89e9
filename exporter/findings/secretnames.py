"""What holds a secret, going by its name or its look. The one place for it."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NOUNS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "pass",
    "pwd",
    "psk",
)
_PLURALS = frozenset({"passwords", "secrets", "credentials", "apikeys"})
_WHOLE = frozenset({"salt", "pepper"})
_NO_PASSWORDS = frozenset({"bypass", "compass", "encompass", "surpass", "overpass", "underpass", "oldpwd"})
_AUTH = frozenset({"neo4j", "redis", "rediscli", "registry", "npm", "basic"})
"""What ``_AUTH`` holds a user and a password for; elsewhere it is a switch or a method."""
_PLAIN_KEYS = frozenset({
    "public", "pub", "primary", "foreign", "sort", "partition", "cache", "object", "index", "map", "lookup", "group",
    "routing", "shard", "idempotency", "host", "hot", "message", "row", "bucket", "config", "field", "property",
    "label", "tag", "event", "state", "translation", "site", "publishable",
})  # fmt: skip
_SWITCHES = frozenset({
    "enable", "enabled", "disable", "disabled", "allow", "require", "required", "use", "show", "hide", "skip", "has",
    "is", "without", "no", "random", "generate", "forgot", "max", "min",
})  # fmt: skip
_FORMS = frozenset({"base", "base64", "b64", "hex", "old", "new", "current", "previous", "value", "string", "plain"})
"""What may follow the noun: ``SECRET_KEY_BASE``, ``JWT_SECRET_OLD``."""

_IN_URL = re.compile(r"://[^/@\s:]*:[^/@\s\ufffc]+@")


def secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret: the noun that it ends with is one of a secret.

    So ``ACCESS_TOKEN`` does and ``ACCESS_TOKEN_EXPIRE_MINUTES``, ``TOKEN_ENDPOINT`` and ``PASSWORD_FILE`` do not.
    """
    words = [word for part in re.split(r"[^A-Za-z0-9]+", name) for word in _words(part)]
    while len(words) > 1 and (words[-1] in _FORMS or words[-1].isdigit()):
        words.pop()
    if not words or words == ["pwd"] or not _SWITCHES.isdisjoint(words):
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "key":
        return bool(before) and before not in _PLAIN_KEYS
    if last == "auth":
        return before in _AUTH
    return last in _PLURALS or last in _WHOLE or (last.endswith(_NOUNS) and last not in _NO_PASSWORDS)


def _words(part: str) -> list[str]:
    """The words of a part without separators, in lower case: ``dbPassword`` has two; ``neo4j`` is one."""
    if part.isupper() or part.islower():
        return [part.lower()]
    return [word.lower() for word in _WORD.findall(part)]


def secret_in_url(value: str) -> bool:
    """Whether a password is written out within a URL."""
    return _IN_URL.search(value) is not None


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable holds a secret, by its name or by what it looks like."""
    return bool(value) and (secret_name(name) or secret_in_url(value))
