"""Secrets in URLs: in the query, going by the names of its parameters, and in the paths of webhooks. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from exporter.base.masking import HIDDEN, SHOWN, is_reference, secret_name

_SIGNED = frozenset({"sig", "signature", "hmac"})
"""What lets whoever has it in, beyond names of secrets: of Azure's SAS, of presigned URLs of S3 and of Google."""
# Neither goes through a long word anew from each of its characters: each begins with what ends the one before.
_PARAMETER = re.compile(rf"(?<=[?&;])([\w.%~+\[\]-]++)=((?:{SHOWN}|[^\s&;#\"'<>])++)")
_HOOK = re.compile(
    r"(?i)((?:hooks\.slack(?:-gov)?\.com(?::\d+)?/(?:services|workflows|triggers)/"
    r"|discord(?:app)?\.com(?::\d+)?/api/(?:v\d+/)?webhooks/\d{1,30}/"
    r"|webhook\.office\.com(?::\d+)?/webhookb2/|outlook\.office(?:365)?\.com(?::\d+)?/webhook/"
    r"|hooks\.zapier\.com(?::\d+)?/hooks/catch/|events\.pagerduty\.com(?::\d+)?/integration/))"
    rf"(\$\{{\w+\}}|(?:{SHOWN}|[^\s?#\"'<>])++)"
)
"""Addresses that let whoever knows them post, and what of them does."""
_BOT = re.compile(
    r"(?i)(api\.telegram\.org(?::\d+)?/(?:file/)?bot|/bot(?=\d{6,12}(?::|%3a)[\w-]{20}))"
    rf"(\$\{{\w+\}}|(?:{SHOWN}|[^\s/?#\"'<>])++)"
)
"""The token of a Telegram bot in its API's address, also that of a server of one's own."""


def secret_parameter(name: str) -> bool:
    """Whether the parameter of a query of this name, which may be percent-encoded, is secret."""
    meant = unquote_plus(name)
    return secret_name(meant) or re.split(r"[-_.]", meant.lower())[-1] in _SIGNED


def url_secrets(url: str) -> Iterator[str]:
    """What is secret in it, as it stands and as it is meant."""
    for name, value in _PARAMETER.findall(url):
        if secret_parameter(name):
            yield from (value, unquote_plus(value))
    for pattern in (_HOOK, _BOT):
        for _, value in pattern.findall(url):
            yield from (value, unquote(value))


def without_url_secrets(text: str) -> str:
    """The URL, or a text with URLs, without these. What only refers to the environment, as in a config, stays."""
    for pattern in (_HOOK, _BOT):
        text = pattern.sub(lambda found: found[0] if is_reference(found[2]) else f"{found[1]}{HIDDEN}", text)
    return _PARAMETER.sub(_without_value, text)


def _without_value(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    return f"{name}={HIDDEN}" if secret_parameter(name) and not is_reference(value) else parameter[0]
