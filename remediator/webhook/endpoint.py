"""``POST /api/v1/alertmanager``: takes Alertmanager's notifications, and answers once they are stored.

The answer decides what Alertmanager does (notify/util.go, Retrier.Check): 2xx is done, 5xx it retries at once and then
with backoff, anything else it drops until the group's next interval. So only a failure of our own is a 5xx.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import get_args

import structlog
from aiohttp import ClientError, hdrs, web
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.exc import SQLAlchemyError

from exporter.base.problem import problem
from remediator.model.alert import Notification
from remediator.model.errors import RequestError
from remediator.webhook.payload import Reason, Rejection, check_head, check_size, parse_notification

log = structlog.get_logger(__name__)

_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {hdrs.WWW_AUTHENTICATE: "Bearer"},
    405: {hdrs.ALLOW: hdrs.METH_POST},
}


class WebhookMetrics:
    """What came in and what was turned away."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "upkeeper_alerts_received", "Alerts in webhook calls that were stored", registry=registry
        )
        self._rejected = Counter(
            "upkeeper_webhook_rejected", "Webhook calls that were not taken", ["reason"], registry=registry
        )
        for reason in get_args(Reason):
            self._rejected.labels(reason)

    def received(self, alerts: int) -> None:
        """A call with this many alerts was stored."""
        self._received.inc(alerts)

    def rejected(self, reason: Reason) -> None:
        """A call was not taken."""
        self._rejected.labels(reason).inc()


def webhook_handler(
    accept: Callable[[Notification], Awaitable[int]],
    check_caller: Callable[[web.Request], Awaitable[None]],
    metrics: WebhookMetrics,
    read_timeout: float = 10.0,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler, to be registered for every method (``"*"``) so that it counts the wrong ones too.

    accept: stores a notification durably, and returns the number of its alerts; any exception means "not stored".
    check_caller: raises Rejection for who may not post alerts; any other exception means "cannot be told now".
    read_timeout: seconds that the body may take to arrive.
    """

    async def handle(request: web.Request) -> web.Response:
        try:
            if request.method != hdrs.METH_POST:
                raise Rejection(405, "method", "notifications are sent by POST")
            await check_caller(request)
            check_head(request.content_type, request.headers.get(hdrs.CONTENT_ENCODING), request.content_length)
            notification = parse_notification(await _read_body(request, read_timeout))
        except Rejection as rejection:
            metrics.rejected(rejection.reason)
            log.warning(
                "webhook rejected",
                reason=rejection.reason,
                status=rejection.status,
                detail=str(rejection),
                remote=request.remote,
            )
            return problem(rejection.status, detail=str(rejection), headers=_HEADERS.get(rejection.status))
        except SQLAlchemyError:
            metrics.rejected("store")
            log.exception("tokens cannot be read", remote=request.remote)
            return problem(503, detail="tokens cannot be read now; send the alerts again")
        try:
            accepted = await accept(notification)
        except RequestError as refusal:  # such as NoRoom, said by the store, once; Alertmanager sends it again
            metrics.rejected("store")
            return problem(refusal.status, detail=str(refusal))
        except Exception:
            metrics.rejected("store")
            log.exception("webhook not stored", alerts=len(notification.alerts), remote=request.remote)
            return problem(503, detail="the alerts could not be stored; send them again")
        metrics.received(len(notification.alerts))
        return web.json_response({"accepted": accepted}, status=202)

    return handle


async def _read_body(request: web.Request, seconds: float) -> bytes:
    """The body, given up as soon as it is too large or takes too long. Raises Rejection."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                check_size(len(body))
    except TimeoutError:
        raise Rejection(408, "timeout", f"the body did not arrive within {seconds:g} s") from None
    except (ClientError, web.RequestPayloadError, OSError) as error:
        raise Rejection(400, "truncated", "the body ended before its time") from error
    return bytes(body)
