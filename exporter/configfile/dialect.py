"""The YAML of configs: what scalars mean, how the environment is referred to, and how a document is written.

Scalars mean what they mean in YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so that ``on`` and ``no`` are
words, ``1:30`` is no number of minutes and a date is text.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
"""What the tags of YAML's own types begin with."""

REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|\{[^}]*\}?)")
"""``${NAME}``, the name being the group; ``$$``; or an attempt at the former."""


class Loader(yaml.SafeLoader):
    """Scalars of YAML 1.2. Numbers of more digits than a config can mean stay text, and are refused as such."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class declares it


class _Dumper(yaml.SafeDumper):
    """Puts into quotes what either version of YAML would take for something else than text."""


for _kind, _pattern, _first in (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    for _class in (Loader, _Dumper):
        _class.add_implicit_resolver(TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def scalar(text: str) -> object:
    """What a number means where it stands without quotes in a config: ``2`` is one, ``2s`` is text. Else the text."""
    for tag, pattern in Loader.yaml_implicit_resolvers.get(text[:1], []):
        if tag in (f"{TAG}int", f"{TAG}float") and pattern.match(text):
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return text


_TIMESTAMP = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})(?:(?:[Tt]| )(\d{1,2}:\d{1,2}:\d{1,2})(\.\d+)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def is_timestamp(text: str) -> bool:
    """Whether Go's library for YAML takes this, without quotes, for a time: a day, or that with a time of day, whose
    zone must be told after a T and must not after a blank. Pure. https://github.com/yaml/go-yaml/blob/main/resolve.go
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None or (found[2] and ("t" in text.lower()) != bool(found[4])):
        return False
    try:
        datetime.strptime(f"{found[1]} {found[2] or '0:0:0'}", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only whether it is
    except ValueError:
        return False
    return True


def dump(document: Mapping[str, Any]) -> str:
    """The document as YAML that reads as the same document, in ASCII: names in it may come from anywhere."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110)


def literal(text: str) -> str:
    """The text with dollar signs doubled where ``read_source`` would take them for more than themselves."""
    return re.sub(r"\$(?=[${])", "$$", text)
