"""Text of other programs, such as their logs, without what is secret in it. Pure.

It goes by names, by the forms that secrets have, and by values that are known to be secret. What is none of these
cannot be told from other text.
"""

import re
from collections.abc import Collection

from exporter.base.masking import HIDDEN, secret_by_name
from exporter.base.urlsecrets import without_query_secrets

_SHORT = frozenset({"pass", "pwd", "pw", "psk", "pin"})
"""Names of secrets in connection strings, beyond those of configs."""

_LEAST_KNOWN = 4
"""Characters of a known secret below which it may be any word."""

_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s*[:=]\s*)([\"']?)[^\"'\r\n]+")
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate|token)(\s+)[a-z0-9._~+/=-]{6,}")
# What is looked for begins at the beginning of a word and keeps all of it: else one long word is gone through anew from
# each of its characters.
_USER = re.compile(r"((?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://[^\s:/@\"']*+:)[^\s\"']*@")
_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://[^\s\"'<>]+")
_QUOTED = re.compile(r"([\"'])([\w.-]+)\1(\s*[:=]\s*)([\"'])((?:\\.|(?!\4).)*)(\4|$)")
_PAIR = re.compile(r"(?<![\w.-])([\w.-]++)(\s*+=\s*+)(\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[^\s,;&]+)")
_COLON = re.compile(r"(?<![\w.-])([\w.-]++)(\s*+:\s+|:(?=\"))(\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[^\r\n,;]+)")
_SHAPE = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|xox[abeprs]-[\w-]{8,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
_KEY_LINE = re.compile(r"(?m)^((?:\d{4}-\d\d-\d\dT\S+ )?)\s*[A-Za-z0-9+/]{40,}={0,2}\s*$")
"""A line of a key or certificate, also where its beginning is not there; Docker puts the time before each."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[A-Za-z_].*", re.DOTALL)


def redacted(text: str, known: Collection[str] = ()) -> str:
    """The text without its secrets. known: values that are secret wherever they stand."""
    for value in sorted((value for value in known if len(value) >= _LEAST_KNOWN), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _HEADER.sub(rf"\1\2\3{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", text)
    text = _USER.sub(rf"\1{HIDDEN}@", text)
    text = _URL.sub(lambda url: without_query_secrets(url[0]), text)
    text = _QUOTED.sub(_without_quoted, text)
    text = _PAIR.sub(_without_value, text)
    text = _COLON.sub(_without_value, text)
    text = _SHAPE.sub(HIDDEN, text)
    return _KEY_LINE.sub(rf"\1{HIDDEN}", text)


def secrets_of(environment: Collection[str]) -> set[str]:
    """The values of ``NAME=VALUE`` that are secret by their names, and the passwords in URLs."""
    found: set[str] = set()
    for entry in environment:
        name, _, value = entry.partition("=")
        if _is_secret(name):
            found.add(value)
        for url in _USER.finditer(value):
            found.add(url[0][len(url[1]) : -1])
    return {value for value in found if value}


def _is_secret(name: str) -> bool:
    found = _NAME.search(name)
    if found is None:
        return False
    words = _CAMEL.sub("_", found[0])
    return secret_by_name((words,)) or words.lower().rpartition("_")[2] in _SHORT


def _without_quoted(pair: re.Match[str]) -> str:
    quote, name, between, opening, _, closing = pair.groups()
    return f"{quote}{name}{quote}{between}{opening}{HIDDEN}{closing}" if _is_secret(name) else pair[0]


def _without_value(pair: re.Match[str]) -> str:
    name, between, _ = pair.groups()
    return f"{name}{between}{HIDDEN}" if _is_secret(name) else pair[0]
