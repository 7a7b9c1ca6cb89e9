"""Secrets in the query of a URL, going by the names of its parameters. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from exporter.base.masking import HIDDEN, secret_by_name

_QUERY = re.compile(r"(?<=\?)[^#]*")
_PARAMETER = re.compile(r"([^&;=]+)=([^&;]+)")
_REFERENCE = re.compile(r"\$\{\w+\}")


def query_secrets(url: str) -> Iterator[str]:
    """The values that are secret by their name, as they stand and as they are meant."""
    query = _QUERY.search(url)
    for name, value in _PARAMETER.findall(query[0]) if query else ():
        if secret_by_name((unquote_plus(name),)):
            yield from (value, unquote_plus(value))


def without_query_secrets(url: str) -> str:
    """The URL without these values. One that is only a reference to the environment, as in a config, stays."""
    return _QUERY.sub(lambda query: _PARAMETER.sub(_masked, query[0]), url, count=1)


def _masked(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    secret = secret_by_name((unquote_plus(name),)) and not _REFERENCE.fullmatch(value)
    return f"{name}={HIDDEN}" if secret else parameter[0]
