"""``python -m bench``: what it prints and how it exits."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from bench import __main__ as bench
from bench.load import Load, bodies
from bench.report import Result, Skipped
from remediator.webhook.payload import parse_notification
from tests.bench.test_report import RESULT


def _module(error: Exception | None) -> SimpleNamespace:
    async def run() -> AsyncIterator[Result]:
        yield RESULT
        if error is not None:
            raise error

    return SimpleNamespace(run=run)


@pytest.mark.parametrize(
    ("error", "status", "missing"),
    [
        (None, 0, []),
        (
            Skipped("webhook is not on PATH"),
            0,
            [{"benchmark": "walk", "reason": "webhook is not on PATH", "skipped": True}],
        ),
        (TimeoutError("no answer"), 1, [{"benchmark": "walk", "reason": "TimeoutError: no answer", "skipped": False}]),
    ],
)
def test_it_fails_only_when_something_could_not_be_measured(
    error: Exception | None,
    status: int,
    missing: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("importlib.import_module", lambda _: _module(error))
    assert bench.main(["walk", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert document["results"] == [RESULT.as_json()]
    assert document["missing"] == missing
    assert bench.main(["walk"]) == status
    assert capsys.readouterr().out.count("scrape: 0.500 ms") == 1


def test_an_unknown_benchmark_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["speed"])
    assert "there is no benchmark 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_load_is_what_the_webhook_takes_and_each_alert_an_episode_of_its_own(status: str) -> None:
    source = bodies(Load(0, "", status, connections=1, alerts_per_webhook=10, seconds=1))  # type: ignore[arg-type]
    alerts = [alert for _ in range(2) for alert in parse_notification(next(source)).alerts]
    assert len({alert.fingerprint for alert in alerts}) == 20
    assert {(alert.status, alert.ends_at is None) for alert in alerts} == {(status, status == "firing")}
