"""The whole exposition from recorded input, as it was when a person last looked at it.

After a wanted change: UPKEEPER_UPDATE_GOLDEN=1 .venv/bin/pytest tests/golden, and read the difference.
"""

import asyncio
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import tests.golden
from exporter.exposition import Format, Rendered, join, render
from tests.servers import tool

HERE = Path(__file__).parent
FILES = {Format.TEXT: HERE / "metrics.txt", Format.OPENMETRICS: HERE / "metrics.openmetrics.txt"}
KINDS = sorted(name for _, name, _ in pkgutil.iter_modules(tests.golden.__path__) if not name.startswith("test_"))


async def made_by(kind: str) -> Sequence[Metric]:
    made = importlib.import_module(f"tests.golden.{kind}").families()
    families: Sequence[Metric] = await made if inspect.isawaitable(made) else made
    return families


@pytest.fixture(scope="module")
def parts() -> list[Rendered]:
    return [render(asyncio.run(made_by(kind))) for kind in KINDS]


@pytest.mark.parametrize("form", FILES)
def test_what_is_served_is_what_it_was(parts: list[Rendered], form: Format) -> None:
    now = join(parts, form).decode()
    if os.environ.get("UPKEEPER_UPDATE_GOLDEN") == "1":
        FILES[form].write_text(now)
    assert now.splitlines() == FILES[form].read_text().splitlines()


def test_every_family_of_a_collector_that_is_documented_is_in_it_and_no_other() -> None:
    """Those of the exporter itself may be missing: tests/exporter/test_snapshot.py has them."""
    page = (HERE.parents[1] / "docs" / "metrics.md").read_text()
    collectors, _, _ = page.partition("### Of the exporter itself")
    served = set(re.findall(r"^# TYPE (\w+)", FILES[Format.TEXT].read_text(), re.MULTILINE))
    assert documented(collectors)
    assert documented(collectors) - served == set()
    assert served - documented(page) == set()


def documented(text: str) -> set[str]:
    return set(re.findall(r"^\| `(upkeeper_\w+)` \|", text, re.MULTILINE))


def test_promtool_finds_nothing_to_complain_about() -> None:
    promtool = tool("promtool", "prometheus")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=FILES[Format.TEXT].read_bytes(), capture_output=True, check=False
    )
    assert (done.stdout + done.stderr).decode() == ""
    assert done.returncode == 0


def test_the_reference_parsers_read_the_same_from_both() -> None:
    def samples(families: object) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
        assert isinstance(families, list)
        return sorted(
            (sample.name, tuple(sorted(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
        )

    read: Callable[[str], Iterable[Metric]] = parse_openmetrics
    openmetrics = samples(list(read(FILES[Format.OPENMETRICS].read_text())))
    assert openmetrics
    read = parse_text
    assert openmetrics == samples(list(read(FILES[Format.TEXT].read_text())))
