"""The driver's own parts that are replaced, and when it is imported."""

import subprocess
import sys
from calendar import monthrange

import neo4j.time

from exporter.neo4j.driver_memory import DaysInMonth, shrink

_IMPORT = """
import sys
from exporter.collectors.registry import build
from exporter.inventory.inventory import Inventory
build(Inventory.model_validate(eval(sys.argv[1])))
print("neo4j" in sys.modules)
"""


def test_days_in_every_month_are_what_the_driver_says() -> None:
    before = dict(vars(neo4j.time)["_DAYS_IN_MONTH"])
    computed = DaysInMonth()
    assert before or isinstance(vars(neo4j.time)["_DAYS_IN_MONTH"], DaysInMonth)
    assert all(computed[key] == days for key, days in before.items())
    assert computed[2024, 2] == monthrange(2024, 2)[1] == 29


def test_times_work_as_before() -> None:
    shrink(neo4j.time)
    assert isinstance(vars(neo4j.time)["_DAYS_IN_MONTH"], DaysInMonth)
    end = neo4j.time.DateTime(2024, 2, 29, 23, 59, 59) + neo4j.time.Duration(years=1)
    assert end.to_native().isoformat() == "2025-02-28T23:59:59"
    assert neo4j.time.Date.days_in_month(9999, 12) == 31


def test_the_driver_is_not_imported_until_a_server_is_asked() -> None:
    server = {"name": "graph", "uri": "bolt://127.0.0.1:7687"}
    for inventory in ({}, {"neo4j": [server]}):
        command = [sys.executable, "-c", _IMPORT, repr(inventory)]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
