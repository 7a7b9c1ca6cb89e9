"""What is wrong with the configuration of a stack: its Compose files, its .env files, its scripts and secrets.

Reading is in ``gather``; every check is a pure function of what was read. No finding holds a value that was read, only
names, places and numbers, since a value may be a secret.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from exporter.base.text import printable

if TYPE_CHECKING:
    from exporter.findings.inputs import Material

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""info: could be better; warning: will hurt one day; critical: hurts now, or lets others in."""

Kind = Literal["project", "env", "text", "mode"]
"""What a check looks at: Compose projects, .env files, lines of text, or the modes of files."""

CheckName = Literal[
    "placeholders",
    "file-modes",
    "env-files",
    "compose-valid",
    "compose-config",
    "unset-variables",
    "plain-secrets",
    "published-ports",
    "privileges",
    "images",
    "limits",
    "health-checks",
    "restart-policies",
    "log-limits",
    "volumes",
    "prometheus-config",
    "prometheus-rules",
    "alertmanager-config",
]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)
"""Every check, in the order of the output."""

VALID: tuple[CheckName, ...] = (
    "placeholders",
    "env-files",
    "compose-valid",
    "compose-config",
    "unset-variables",
    "prometheus-config",
    "prometheus-rules",
    "alertmanager-config",
)
"""The checks of validate-config: whether the stack would start as it is meant to."""

_WORD = re.compile(r"[A-Za-z0-9_./@-]{1,100}")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1; a line of None means the file as a whole."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def printable(self) -> "Place":
        """The same, of a file whose name can be printed."""
        return Place(printable(self.file), self.line)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    check: str
    severity: Severity
    subject: str
    """What it is about: the name of a service or variable, or a file."""
    place: Place
    message: str
    """What is wrong, as a sentence without its full stop."""
    remedy: str
    """What to do about it, likewise."""


class Check(Protocol):
    """Looks for one kind of mistake. Pure: the same material gives the same findings."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[Kind]:
        """What it looks at. Where none of that is configured, it does not run; where some cannot be read, it fails."""
        ...

    def find(self, material: "Material") -> Iterable[Finding]: ...


def word(name: object) -> str:
    """A name out of a file as a message shows it: as it is if it is a plain word, else in quotes and not at length."""
    text = str(name)
    if _WORD.fullmatch(text):
        return text
    quoted = ascii(text)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}..."


_SECRET = re.compile(
    r"(?i)(passw(or)?d|passphrase|secret|token|api_?key|(private|access|encryption|signing|master|service_role|anon)_?key"
    r"|credential|^pwd$|_pwd$|_auth$|_salt$)"
)
_NOT_SECRET = re.compile(
    r"(?i)(_file|_path|_url|_uri|_host|_port|_name|_ttl|_expiry|_expires?(_in)?|_lifetime|_limit|_length|_type|_count"
    r"|_enabled|_required|_algorithm|_policy|max_tokens|_tokens|_min|_max|_user(name)?|_id)$"
)


def secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, going by its name. One that names a file with it does not."""
    return _SECRET.search(name) is not None and _NOT_SECRET.search(name) is None
