r"""Alertmanager's webhook payload, version 4, as values. Pure: bytes in, a Notification or a PayloadError out.

Shape: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and the types ``notify/webhook.Message``
and ``template.Alert`` of https://github.com/prometheus/alertmanager. Keys that are not known are ignored.
Grafana's own alerting posts the same fields as version 1
(https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/).
Alertmanager up to 0.18 sends no fingerprint: it is computed then, as Alertmanager itself does.

The payload is taken as a whole or not at all: one that Alertmanager cannot have written comes from something else.
What Alertmanager can write is always taken, so that one odd alert never costs another one of its group. That includes
NUL, which JSON and label values may hold and which PostgreSQL's text cannot: each becomes U+FFFD, the replacement
character, in names and values alike. The alert's identity stays, for the fingerprint is Alertmanager's own; and as no
name in the config may hold U+FFFD, such a value still selects no target. Half a surrogate pair and bytes that are no
UTF-8 are refused: Go's JSON encoder, which writes U+FFFD in their place, never sends them.
"""

import re
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from pydantic_core import ErrorDetails

from remediator.model.alert import Notification, ReceivedAlert
from remediator.webhook.fingerprint import fingerprint

MAX_BODY = 1024**2
"""Bytes of the largest payload taken."""


Reason = Literal[
    "method", "unauthorized", "content-type", "too-large", "timeout", "truncated", "malformed", "invalid", "store"
]
"""Why a request was not taken; ``malformed`` is no JSON, ``invalid`` is JSON but no payload of version 4 or 1."""


class Rejection(Exception):
    """A webhook request that is not taken.

    status: the HTTP status. reason: for the metric. str(): one line that holds nothing of what was sent.
    """

    def __init__(self, status: int, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class PayloadError(Rejection):
    """A request that is not taken because of what it carries: status 400, 413 or 415."""


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True)

    version: Literal["4", "1"]
    group_key: str = Field(validation_alias="groupKey")
    receiver: str
    truncated_alerts: int = Field(default=0, ge=0, lt=2**64, validation_alias="truncatedAlerts")
    external_url: str = Field(default="", validation_alias="externalURL")
    group_labels: dict[str, str] = Field(default_factory=dict, validation_alias="groupLabels")
    alerts: Annotated[tuple[ReceivedAlert, ...], FailFast()]


# An even number of backslashes escapes itself; one more escapes the u.
ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def check_head(content_type: str, content_encoding: str | None, content_length: int | None) -> None:
    """Judges a request by its headers, before its body is read. Raises PayloadError."""
    if content_type != "application/json":
        raise PayloadError(415, "content-type", "the content type must be application/json")
    if content_encoding not in (None, "", "identity"):
        raise PayloadError(415, "content-type", "the body must not be compressed")
    if content_length is not None:
        check_size(content_length)


def check_size(count: int) -> None:
    """Raises PayloadError when a body of so many bytes is too large."""
    if count > MAX_BODY:
        raise PayloadError(413, "too-large", f"the body must not exceed {MAX_BODY} bytes")


def parse_notification(body: bytes) -> Notification:
    """The notification in a request's body. Raises PayloadError.

    Nesting deeper than 200 levels is refused by the JSON parser, in time and stack that the limit bounds.
    """
    check_size(len(body))
    if b"\\u0000" in body:
        body = ESCAPED_NUL.sub(rb"\1\\ufffd", body)
    try:
        payload = _Payload.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        reason: Reason = "malformed" if first["type"] == "json_invalid" else "invalid"
        raise PayloadError(400, reason, _explain(first)) from None
    return Notification(
        group_key=payload.group_key,
        receiver=payload.receiver,
        truncated_alerts=payload.truncated_alerts,
        external_url=payload.external_url,
        group_labels=payload.group_labels,
        alerts=tuple(map(_identified, payload.alerts)),
    )


def _identified(alert: ReceivedAlert) -> ReceivedAlert:
    return alert if alert.fingerprint else replace(alert, fingerprint=fingerprint(alert.labels))


def _explain(error: ErrorDetails) -> str:
    """The error with its place, as far as the place is named by the format and not by the sender."""
    place = []
    for part in error["loc"]:
        place.append(str(part))
        if part in ("labels", "annotations"):
            break
    return f"{'.'.join(place)}: {error['msg']}" if place else error["msg"]
