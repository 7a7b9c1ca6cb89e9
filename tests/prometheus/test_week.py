"""A stack in its normal life raises no alert; one thing that goes wrong in it does."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.share import share_path
from tests.helpers import long_form
from tests.prometheus.cases import LEAN
from tests.prometheus.week import DAY, At, series, values, within
from tests.servers import tool

RULES = sorted((share_path() / "prometheus" / "rules").glob("*.yml"))
MINUTES, STEP = (7 * DAY, 1) if long_form() else (DAY + 6 * 60, 5)
FIRED = 'count by (alertname) (max_over_time(ALERTS{alertstate="firing", alertname!="Watchdog"}[1h]))'


def promtool(directory: Path, changes: dict[str, At], minutes: int) -> "subprocess.CompletedProcess[str]":
    """The rules over this life with these series changed; asked at each full hour what has fired in it."""
    life = {**series(), **changes}
    cases = [{"expr": FIRED, "eval_time": f"{hour}h", "exp_samples": []} for hour in range(1, minutes // 60 + 1)]
    test: dict[str, Any] = {
        "interval": f"{STEP}m",
        "input_series": [{"series": name, "values": values(at, minutes, STEP)} for name, at in life.items()],
        "promql_expr_test": cases,
    }
    file = directory / "week.yml"
    document = {"rule_files": list(map(str, RULES)), "evaluation_interval": f"{STEP}m", "tests": [test]}
    file.write_text(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    command = [tool("promtool", "prometheus"), "test", "rules", str(file)]
    return subprocess.run(command, env=os.environ | LEAN, capture_output=True, text=True, check=False)


def test_it_has_all_that_rules_read() -> None:
    texts = [rule["expr"] for path in RULES for group in yaml.load(path.read_bytes(), yaml.CSafeLoader)["groups"]
             for rule in group["rules"]]  # fmt: skip
    states = re.compile(r"\{[^}]*\}")
    read = {name for text in texts for name in re.findall(r"\bupkeeper_\w+", states.sub("", text))}
    absent_in_normal_life = {"upkeeper_task_paused_since_timestamp_seconds"}
    assert read - absent_in_normal_life <= {name.partition("{")[0] for name in series()}


@pytest.mark.slow
@pytest.mark.timeout(7200 if long_form() else 900)  # seven days, minute by minute
def test_normal_life_raises_no_alert(tmp_path: Path) -> None:
    done = promtool(tmp_path, {}, MINUTES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_service_that_stays_down_is_noticed(tmp_path: Path) -> None:
    (name,) = (name for name in series() if 'target="n8n"' in name and "probe_success" in name)
    done = promtool(tmp_path, {name: within(30, 15, 0, 1)}, 60)
    assert done.returncode != 0
    assert "UpkeeperServiceDown" in done.stdout + done.stderr
