"""JSON files that notice a changed byte in themselves: their last key is the SHA-256 of everything before it. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

_SEAL = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n}\n\Z')


class SealBroken(ValueError):
    """The file is not what was written. The message continues what the file is called."""


def sealed(document: Mapping[str, object]) -> bytes:
    """The document as text, with its own sum in the end. It must not have a key ``sha256``, nor be empty."""
    body = json.dumps(document, indent=1).encode("ascii").removesuffix(b"\n}")
    return body + b',\n "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def unsealed(data: bytes, *, must: bool = False) -> Mapping[str, Any]:
    """The document in a text. Raises SealBroken where it is not what was written.

    One without a sum, as a script of a user's may write it, is taken as it is unless ``must`` says otherwise.
    """
    seal = _SEAL.search(data)
    if seal is not None and hashlib.sha256(data[: seal.start()]).hexdigest().encode() != seal[1]:
        raise SealBroken("does not match its own checksum")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise SealBroken(f"is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise SealBroken("holds no object")
    if seal is None and (must or "sha256" in document):
        raise SealBroken("does not end with its own checksum")
    document.pop("sha256", None)
    return document
