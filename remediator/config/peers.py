"""A Prometheus and an Alertmanager that are already there, and what is asked of Alertmanager however it was started."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Contradiction, Section
from remediator.config.matchertext import MatcherText
from remediator.config.urls import HttpUrl


class Peer(Section):
    """A Prometheus that is already there, in place of the one `upkeeper up` starts."""

    url: HttpUrl = Field(description="where it answers, as in `http://127.0.0.1:9090`")

    @property
    def base_urls(self) -> Sequence[str]:
        """Without a trailing slash."""
        return [self.url.rstrip("/")]


class AlertmanagerPeer(Section):
    """An Alertmanager that is already there, in place of the one `upkeeper up` starts, or a cluster of them."""

    url: HttpUrl | None = Field(default=None, description="where it answers, as in `http://127.0.0.1:9093`")
    urls: list[HttpUrl] | None = Field(
        default=None, min_length=1, description="where each of them answers, when several share the work as a cluster"
    )

    alerts_of_this_host: list[MatcherText] | None = Field(
        default=None,
        min_length=1,
        description="matchers, of which all must match, that tell this host's alerts from those of others: for "
        "`upkeeper pause --silence`",
    )

    @property
    def base_urls(self) -> Sequence[str]:
        """Of all of them, without a trailing slash."""
        named = self.urls if self.urls is not None else [self.url or ""]
        return list(dict.fromkeys(url.rstrip("/") for url in named))

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        ways = [key for key in ("url", "urls") if given.get(key) is not None]
        if len(ways) == 2:
            yield Contradiction(("urls",), "stands beside `url:`; keep one of them")
        elif not ways:
            yield Contradiction((), "needs `url:`, or `urls:` for several")


class Reconcile(Section):
    """Compares the record with what Alertmanager has, for webhooks that did not come."""

    every: Duration = Field(default=60.0, ge=1.0, description="time between two looks at Alertmanager")
    trust_after: Duration = Field(
        default=420.0,
        description="time after Alertmanager's start in which what it lacks has not ended: Prometheus posts alerts "
        "again each minute, and those of rules that it evaluates more seldom as seldom",
    )


class Watchdog(Section):
    """The always-firing alert `Watchdog`: while it is lost, alerts may be too."""

    lost_after: Duration = Field(
        default=600.0,
        ge=1.0,
        description="it is lost when it has not come for so long; more than twice the `repeat_interval` of its route",
    )
    stops: bool = Field(default=True, description="while it is lost nothing runs by itself; false: that is only told")
