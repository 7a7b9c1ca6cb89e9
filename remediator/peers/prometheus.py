"""Questions to Prometheus's HTTP API, version 1: https://prometheus.io/docs/prometheus/latest/querying/api/

Every query comes from the config or from this code: nothing of an alert is ever put into PromQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from remediator.peers.http import PeerClient, PeerError

SECONDS = 10.0
"""For a whole answer. It is given to Prometheus as the query's own limit as well."""
MAX_BYTES = 64 * 1024**2
"""Of an answer."""


@dataclass(frozen=True)
class Sample:
    """A value of a series, at a time in Unix seconds. labels: with ``__name__``, where it has a name."""

    labels: Mapping[str, str]
    at: float
    value: float


@dataclass(frozen=True)
class Series:
    """A series with its samples, oldest first: (Unix seconds, value)."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


class Prometheus(PeerClient):
    """A Prometheus. Every question raises PeerError where it has no answer."""

    def __init__(self, url: str, seconds: float = SECONDS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__("Prometheus", url, seconds, max_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def instant(self, promql: str, at: float | None = None) -> Sequence[Sample]:
        """The samples of an instant vector at a time, by default now on its clock."""
        kind, result = await self._query("/api/v1/query", {"query": promql}, at)
        if kind != "vector":
            raise PeerError(f"the query must return an instant vector, not a {kind}")
        try:
            return [Sample(each["metric"], *_point(each["value"])) for each in result]
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange() from error

    async def raw(self, promql: str, at: float) -> Sequence[Series]:
        """The stored samples of a range selector such as ``up[1h]``, which ends at that time."""
        kind, result = await self._query("/api/v1/query", {"query": promql}, at)
        if kind != "matrix":
            raise PeerError(f"the query must return a range vector, not a {kind}")
        return self._matrix(result)

    async def range(self, promql: str, start: float, end: float, step: float) -> Sequence[Series]:
        """The values at each step from start to end."""
        span = {"query": promql, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        _, result = await self._query("/api/v1/query_range", span)
        return self._matrix(result)

    async def complaint(self, promql: str) -> str | None:
        """What is wrong with a query, by Prometheus's own parser; None where it is one. Runs nothing.

        From Prometheus 2.40 on; an older one answers 404.
        """
        status, document = await self.ask("POST", "/api/v1/format_query", data={"query": promql})
        if status == 400 and isinstance(document, dict) and document.get("errorType") == "bad_data":
            return " ".join(str(document.get("error")).split()).removeprefix('invalid parameter "query": ')
        if status != 200:
            raise PeerError(f"{self._at} answers {status} to /api/v1/format_query", status)
        return None

    async def status(self, what: str) -> Any:
        """``data`` of ``/api/v1/status/<what>``: ``config``, ``buildinfo``, ``runtimeinfo``, ``flags``."""
        return await self._data("GET", f"/api/v1/status/{what}")

    async def targets(self) -> Any:
        """``data`` of ``/api/v1/targets``: what it scrapes, with the last error of each."""
        return await self._data("GET", "/api/v1/targets", params={"state": "active"})

    async def rules(self) -> Any:
        """``data`` of ``/api/v1/rules``: those that alert and those that record."""
        return await self._data("GET", "/api/v1/rules")

    async def alertmanagers(self) -> Any:
        """``data`` of ``/api/v1/alertmanagers``: those that it posts to, and those that it dropped."""
        return await self._data("GET", "/api/v1/alertmanagers")

    async def formatted(self, promql: str) -> str:
        """A query as Prometheus itself writes it, so that two can be compared. From Prometheus 2.40 on."""
        return str(await self._data("POST", "/api/v1/format_query", data={"query": promql}))

    async def reload(self) -> None:
        """Has it read its config and rules again; where ``--web.enable-lifecycle`` lets it."""
        status, body = await self.fetch("POST", "/-/reload")
        if status != 200:
            said = " ".join(body.decode(errors="replace").split())[:300]
            raise PeerError(f"{self._at} does not take its config: {said}", status)

    async def _query(self, path: str, form: dict[str, str], at: float | None = None) -> tuple[str, Any]:
        form["timeout"] = f"{self._seconds:.3f}"
        if at is not None:
            form["time"] = f"{at:.3f}"
        data = await self._data("POST", path, data=form)
        try:
            return data["resultType"], data["result"]
        except (KeyError, TypeError) as error:
            raise self._strange() from error

    async def _data(self, method: str, path: str, **request: Any) -> Any:
        status, document = await self.ask(method, path, **request)
        if not isinstance(document, dict) or document.get("status") not in ("success", "error"):
            raise PeerError(f"{self._at} answers {status} to {path}; is it Prometheus?", status)
        if document["status"] == "error":
            raise PeerError(f"{self._at} says: {' '.join(str(document.get('error')).split())}", status)
        return document.get("data")

    def _matrix(self, result: Any) -> Sequence[Series]:
        try:
            # Native histograms have no "values".
            return [Series(each["metric"], [_point(one) for one in each.get("values", ())]) for each in result]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._strange() from error

    def _strange(self) -> PeerError:
        return PeerError(f"{self._at} answers in a form that is not understood")


def _point(pair: Any) -> tuple[float, float]:
    """A pair of time and value, which is text: ``NaN`` and ``+Inf`` are values too."""
    at, value = pair
    return float(at), float(value)
