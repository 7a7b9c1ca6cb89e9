"""What is never shown, going by its name. Pure."""

import re

_SECRET_KEY = re.compile(r"(^|[-_.])(key|auth)$|(passwd|password|passphrase|secret|token|credentials?|apikey)$"
                        r"|(authorization|cookie)$|^basic_auth_users$", re.IGNORECASE)  # fmt: skip
"""Keys and HTTP headers whose values are never shown."""

HIDDEN = "(not shown)"
"""What stands in its place."""


def secret_by_name(path: tuple[str | int, ...]) -> bool:
    """Whether the name of a value's key, or of one above it, says that it is secret."""
    return any(isinstance(part, str) and part != "basic_auth" and _SECRET_KEY.search(part) for part in path)
