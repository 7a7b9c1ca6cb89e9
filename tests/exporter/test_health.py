"""The document of /health."""

from exporter.health import summarize
from exporter.probing.result import ProbeResult

NOW = 1000.0


def result(success: bool = True, age: float = 0.0) -> ProbeResult:
    return ProbeResult("web", "live", success, "status 200", duration=0.0123456789, checked_at=NOW - age, status=200)


def test_nothing_to_probe_is_nothing_wrong() -> None:
    assert summarize([], NOW, 300) == (200, {"status": "ok", "probes": []})


def test_before_the_first_round_nothing_is_known() -> None:
    assert summarize(None, NOW, 300) == (503, {"status": "starting", "probes": []})


def test_one_failing_probe_is_enough() -> None:
    status, document = summarize([result(), result(success=False)], NOW, 300)
    assert (status, document["status"]) == (503, "failing")


def test_old_results_do_not_count_as_success() -> None:
    assert summarize([result(age=300)], NOW, 300)[0] == 200
    status, document = summarize([result(), result(age=301)], NOW, 300)
    assert (status, document["status"]) == (503, "stale")


def test_each_probe_is_described() -> None:
    _, document = summarize([result()], NOW, 300)
    assert document["probes"] == [
        {
            "target": "web",
            "probe": "live",
            "success": True,
            "detail": "status 200",
            "http_status": 200,
            "duration_seconds": 0.012346,
            "checked_at": NOW,
        }
    ]
