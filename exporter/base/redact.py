"""Text of other programs, such as their logs, without what is secret in it. Pure.

It goes by names, by the forms that secrets have, and by values that are known to be secret. What is none of these
cannot be told from other text.
"""

import re
from collections.abc import Callable, Collection

from exporter.base.commandsecrets import without_command_secrets
from exporter.base.masking import HIDDEN, SHOWN, is_reference, secret_name
from exporter.base.urlsecrets import secret_parameter, without_url_secrets

_LEAST_KNOWN = 4
"""Characters of a known secret below which it may be any word."""

_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\"']?\s*[:=]\s*)([\"']?)[^\"'\r\n]+")
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate|token)(\s+)[a-z0-9._~+/=-]{6,}")
# What is looked for begins at the beginning of a word and keeps all of it: else one long word is gone through anew from
# each of its characters.
_USER = re.compile(r"((?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://[^\s:/@\"']*+:)([^\s\"']*)@")
# Of these only what stands before the value: where the name is none of a secret, the value may hold one itself.
_QUOTED = re.compile(r"(?<!\\)(\\*+[\"'])([\w.-]++)\1(\s*+[:=]\s*+)(\\*+[\"'])")
_PAIR = re.compile(r"(?<![\w.-])([\w.-]++)(\s*+=\s*+)")
_COLON = re.compile(r"(?<![\w.-])([\w.-]++)(\s*+:\s++|:(?=\"))")
_PAIR_VALUE = re.compile(rf"{SHOWN}(?=#)|\"(?:\\.|[^\"\\])*+\"?|'(?:\\.|[^'\\])*+'?|(?:{SHOWN}|[^\s,;&])++", re.DOTALL)
_COLON_VALUE = re.compile(r"\"(?:\\.|[^\"\\])*+\"?|'(?:\\.|[^'\\])*+'?|[^\r\n,;]+", re.DOTALL)
_ENCODED = re.compile(rf"(?:{SHOWN}|[^\s\"'<>])++")
_ENCODED_MARK = re.compile(r"(?i)(%(?:25)*(?:3d|3f|26|23|3b)|[=?&#;])")
"""What stands between the parts of a query, also where it was encoded, once or more, to be the value of another."""
_SHAPE = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|xox[abeprs]-[\w-]{8,}"
    r"|xapp-[\w-]{16,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|[srw]k_(?:live|test)_\w{16,}|whsec_\w{16,}"
    r"|SG\.[\w-]{20,}\.[\w-]{20,}|AIza[\w-]{35}|AGE-SECRET-KEY-1[0-9A-Z]{50,}|\d{8,12}:AA[\w-]{30,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
_KEY_LINE = re.compile(r"(?m)^((?:\d{4}-\d\d-\d\dT\S+ )?)\s*[A-Za-z0-9+/]{40,}={0,2}\s*$")
"""A line of a key or certificate, also where its beginning is not there; Docker puts the time before each."""


def redacted(text: str, known: Collection[str] = ()) -> str:
    """The text without its secrets. known: values that are secret wherever they stand."""
    for value in sorted((value for value in known if len(value) >= _LEAST_KNOWN), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _KEY_LINE.sub(rf"\1{HIDDEN}", without_marked(text))


def without_marked(text: str) -> str:
    """The text without what is secret by what stands around it, or by a form that nothing else has."""
    text = _HEADER.sub(rf"\1\2\3{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1\2{HIDDEN}", text)
    text = _USER.sub(lambda url: url[0] if is_reference(url[2]) else f"{url[1]}{HIDDEN}@", text)
    text = without_command_secrets(without_url_secrets(text))
    if "%" in text:
        text = _ENCODED.sub(lambda word: _without_encoded(word[0]), text)
    text = _without_values(_QUOTED, _quoted, text)
    text = _without_values(_PAIR, lambda text, pair: _PAIR_VALUE.match(text, pair.end()), text)
    text = _without_values(_COLON, lambda text, pair: _COLON_VALUE.match(text, pair.end()), text)
    return _SHAPE.sub(HIDDEN, text)


def secrets_of(environment: Collection[str]) -> set[str]:
    """The values of ``NAME=VALUE`` that are secret by their names, and the passwords in URLs."""
    found: set[str] = set()
    for entry in environment:
        name, _, value = entry.partition("=")
        if secret_name(name):
            found.add(value)
        for url in _USER.finditer(value):
            found.add(url[2])
    return {value for value in found if value}


def _without_encoded(word: str) -> str:
    """Of a word in which a query was encoded, as in ``next=%2Fcb%3Ftoken%3Dx``, the values that are secret."""
    if "%3d" not in (low := word.lower()) and "%253d" not in low:
        return word
    parts = _ENCODED_MARK.split(word)
    for at in range(2, len(parts), 2):
        mark, name = parts[at - 1].lower(), parts[at - 2]
        if (mark == "=" or mark.endswith("3d")) and parts[at] and secret_parameter(name) and parts[at] != HIDDEN:
            parts[at] = HIDDEN
    return "".join(parts)


_Value = Callable[[str, re.Match[str]], re.Match[str] | None]


def _without_values(names: re.Pattern[str], value: _Value, text: str) -> str:
    """names: what stands before a value, with its name. Only the value of a secret is looked at as one."""
    parts, at, kept = [], 0, 0
    while (pair := names.search(text, at)) is not None:
        at = pair.end()
        name = pair[1] if names is not _QUOTED else pair[2]
        found = value(text, pair) if secret_name(name) else None
        if found is not None and not is_reference(found[0]):
            parts += [text[kept : found.start()], HIDDEN]
            at = kept = found.end()
    return "".join([*parts, text[kept:]])


def _quoted(text: str, pair: re.Match[str]) -> re.Match[str] | None:
    """What stands in the quotes, which may be escaped themselves, up to those that end it."""
    quote = re.escape(pair[4])
    return re.compile(rf"(?:(?!{quote})(?:\\.|[^\\]))*+", re.DOTALL).match(text, pair.end())
