"""docs/how-to/existing-prometheus.md, done: a Prometheus and an Alertmanager with work of their own, and a drill."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.statedir import StateDir
from tests import servers
from tests.upkeeper.up.running import Up, printed
from upkeeper.share import share_path
from upkeeper.up import existing
from upkeeper.up.paths import Layout
from upkeeper.up.ports import DEFAULT_BASE, Ports

PAGE = (share_path() / "docs" / "how-to" / "existing-prometheus.md").read_text()


def on_the_page() -> tuple[Any, Any]:
    """What the page shows for the two, with the default ports."""
    blocks = [yaml.safe_load(block) for block in re.findall("```yaml\n(.*?)```", PAGE, flags=re.DOTALL)]
    (prometheus,) = (block for block in blocks if "scrape_configs" in block)
    (alertmanager,) = (block for block in blocks if "route" in block)
    return prometheus, alertmanager


@pytest.mark.servers
async def test_what_is_printed_works_in_a_prometheus_that_was_there_before(tmp_path: Path) -> None:
    up = Up(tmp_path, "--no-prometheus")
    async with up.running():
        prometheus, alertmanager = printed(up.output.read_text())
        alertmanager["route"] |= {"receiver": "mine", "group_wait": "1h", "group_interval": "1h"}
        alertmanager["route"]["routes"].append({"receiver": "mine", "matchers": ['severity="page"']})
        alertmanager["receivers"].append({"name": "mine"})
        (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(alertmanager))
        async with servers.alertmanager(tmp_path / "alertmanager", tmp_path / "alertmanager.yml") as their_alertmanager:
            address = their_alertmanager.url.removeprefix("http://")
            prometheus |= {
                "global": {"scrape_interval": "1h", "evaluation_interval": "1h"},
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]},
            }
            prometheus["scrape_configs"].append({"job_name": "theirs", "static_configs": [{"targets": [address]}]})
            async with servers.prometheus(tmp_path / "prometheus", prometheus) as their_prometheus:
                drill = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "upkeeper.main", "drill", f"--state-dir={up.state}"),
                    f"--prometheus-url={their_prometheus.url}",
                    f"--alertmanager-url={their_alertmanager.url}",
                    env=up.env,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
                output, _ = await drill.communicate()
        assert drill.returncode == 0, output.decode()


def test_the_page_shows_what_is_printed() -> None:
    """Apart from the paths."""
    layout = Layout(StateDir(Path("/var/lib/upkeeper")))
    ports = Ports.from_base(DEFAULT_BASE)
    base = yaml.safe_load((share_path() / "prometheus" / "prometheus.yml").read_bytes())
    shown_prometheus, shown_alertmanager = on_the_page()
    computed = yaml.safe_load(existing.prometheus_part(base, layout, ports, Path("/rules")))
    assert shown_prometheus["scrape_configs"] == computed["scrape_configs"]

    base = yaml.safe_load((share_path() / "alertmanager" / "alertmanager.yml").read_bytes())
    computed = yaml.safe_load(existing.alertmanager_part(base, layout, ports))
    computed["receivers"][0]["webhook_configs"][0]["http_config"]["authorization"]["credentials_file"] = (
        "/etc/prometheus/upkeeper.token"
    )
    assert shown_alertmanager == computed
