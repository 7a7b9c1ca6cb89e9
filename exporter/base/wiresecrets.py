"""Passwords in what is sent to a server line by line, as the `send:` of a probe. Pure.

Redis (AUTH, HELLO 3 AUTH), SMTP (AUTH PLAIN), POP3, FTP and IRC (PASS, OPER), IMAP (LOGIN, AUTHENTICATE), NNTP
(AUTHINFO).
"""

import re
from collections.abc import Iterator

from exporter.base.masking import HIDDEN, is_reference

_VERB = re.compile(
    r"(?i)(?<![\w/.?&=-])((?:AUTHINFO\s+PASS|AUTHENTICATE|AUTH|PASS|LOGIN|OPER)"
    r"(?:\s+(?:PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|EXTERNAL|XOAUTH2|OAUTHBEARER|SCRAM-SHA-\S+)(?!\S))?)(\s+)(\S.*)",
    re.DOTALL,
)
"""A command that lets one in, with the mechanism that it may name; all that follows may be, or tell, the password."""


def without_wire_secrets(line: str) -> str:
    """The line with nothing after such a command. What only refers to the environment stays."""
    return _VERB.sub(lambda found: found[0] if _only_references(found[3]) else f"{found[1]}{found[2]}{HIDDEN}", line)


def wire_secrets(line: str) -> Iterator[str]:
    """What follows such a command, whole and its last word, which is the password where a name stands before it."""
    found = _VERB.search(line)
    if found is not None:
        said = found[3].strip()
        yield from dict.fromkeys((said, said.split()[-1]))


def _only_references(text: str) -> bool:
    return is_reference(text.split()[-1])
