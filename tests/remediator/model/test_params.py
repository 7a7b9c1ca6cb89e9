"""What is said of a parameter that a task refuses."""

import pytest

from exporter.configfile.quantities import Duration
from remediator.model.params import wrong
from remediator.model.task import Parameters


class Takes(Parameters):
    since: Duration = 1.0
    count: int = 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"since": "1000000d"}, "parameter since of report: '1000000d' is too long; the longest duration is 100y"),
        (
            {"since": "bad"},
            "parameter since of report: 'bad' is not a duration; write for example 30s, 15m, 1h30m or 7d",
        ),
        ({"sine": 1}, "report has no parameter sine; did you mean since?"),
    ],
)
def test_it_is_one_clear_sentence(given: dict[str, object], said: str) -> None:
    assert str(wrong("report", Takes, given)).replace("`", "").replace('"', "") == said


def test_what_is_right_is_nothing_to_say() -> None:
    assert wrong("report", Takes, {"since": "7d", "count": 3}) is None
