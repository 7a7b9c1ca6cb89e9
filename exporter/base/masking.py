"""What is never shown, going by its name. Pure."""

import re

_SECRET_KEY = re.compile(r"(^|[-_.])(key|auth)$|(passwd|password|passphrase|secret|token|credentials?|apikey)$"
                        r"|(authorization|cookie)$|^basic_auth_users$", re.IGNORECASE)  # fmt: skip
"""Keys and HTTP headers whose values are never shown."""
_SHORT = frozenset({"pass", "pwd", "pw", "psk", "pin"})
"""Names of secrets in connection strings and environments, beyond those of configs."""
_ENDS = ("pass", "pwd")
"""How such a name may end without anything that sets it apart, as in SSHPASS."""
_NO_SECRETS = frozenset({"bypass", "compass", "encompass", "surpass", "trespass", "overpass", "underpass", "oldpwd"})
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[A-Za-z_].*", re.DOTALL)
_REFERENCE = re.compile(r"\$\{\w+\}|\$[A-Z_][A-Z0-9_]*")

HIDDEN = "(not shown)"
"""What stands in its place."""
SHOWN = re.escape(HIDDEN)
"""As a part of patterns: what is masked already is one piece of a value."""


def secret_by_name(path: tuple[str | int, ...]) -> bool:
    """Whether the name of a value's key, or of one above it, says that it is secret."""
    return any(isinstance(part, str) and part != "basic_auth" and _SECRET_KEY.search(part) for part in path)


def secret_name(name: str) -> bool:
    """Whether a name in another program's text, of whatever spelling, is that of a secret."""
    found = _NAME.search(name)
    if found is None:
        return False
    words = _CAMEL.sub("_", found[0])
    last = words.lower().rpartition("_")[2]
    return (
        secret_by_name((words,))
        or last in _SHORT
        or last.rpartition("-")[2] in _SHORT
        or (last.endswith(_ENDS) and last.rpartition("-")[2] not in _NO_SECRETS)
    )


def is_reference(value: str) -> bool:
    """Whether it only names a variable of the environment, and so is no secret itself."""
    return _REFERENCE.fullmatch(value.strip("\"'")) is not None
