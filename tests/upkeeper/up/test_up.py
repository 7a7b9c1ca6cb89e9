"""`upkeeper up` as its users run it, with the real Prometheus and Alertmanager."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.helpers import long_form, wait_until
from tests.servers import answers, server_program, tool
from tests.upkeeper.up.running import Up, printed
from upkeeper.up.ports import Ports, url
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS

pytestmark = pytest.mark.servers


@pytest.fixture
def up(tmp_path: Path) -> Up:
    for wanted in (PROMETHEUS, ALERTMANAGER):
        server_program(wanted)
    return Up(tmp_path)


async def get(address: str, params: Mapping[str, str] | None = None) -> Any:
    """The JSON answer. Raises ConnectionError while nobody answers well."""
    async with httpx.AsyncClient(verify=False) as client:
        try:
            return (await client.get(address, params=params)).raise_for_status().json()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            raise ConnectionError(str(error)) from error


async def query(ports: Ports, text: str, **params: str) -> list[Any]:
    answer = await get(f"{url(ports.prometheus)}/api/v1/query", {"query": text, **params})
    result: list[Any] = answer["data"]["result"]
    return result


async def receivers(ports: Ports) -> list[str]:
    return [one["name"] for one in await get(f"{url(ports.alertmanager)}/api/v2/receivers")]


async def test_the_parts_work_together_and_end_together(up: Up) -> None:
    async with up.running() as process:
        assert json.loads((up.state / "endpoints.json").read_text()) == {
            "exporter": url(up.ports.exporter),
            "remediator": url(up.ports.remediator),
            "prometheus": url(up.ports.prometheus),
            "alertmanager": url(up.ports.alertmanager),
        }
        up_jobs = 'count by (job) (up{job=~"upkeeper-.*"} == 1)'
        await wait_until(lambda: len_of(query(up.ports, up_jobs), 2), what="both services to be scraped")
        rules = await get(f"{url(up.ports.prometheus)}/api/v1/rules")
        assert {group["name"] for group in rules["data"]["groups"]} >= {"upkeeper-breaches", "upkeeper-watchdog"}
        alerts = f"{url(up.ports.alertmanager)}/api/v2/alerts"
        await wait_until(
            lambda: len_of(get(alerts, {"filter": 'alertname="Watchdog"'}), 1), timeout=90, what="the watchdog"
        )
        told = "upkeeper_alerts_received_total > 0"
        await wait_until(lambda: len_of(query(up.ports, told), 1), timeout=60, what="the remediator to be told")
        await wait_until(lambda: len(up.processes()), equals=5, what="the processes that stay")
        assert f"already runs on {up.state} (pid {process.pid})" in up.refused()
        await the_commands_that_it_names_can_be_run_as_they_are(up)

        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert up.processes() == {}
        assert not (up.state / "endpoints.json").exists()


async def the_commands_that_it_names_can_be_run_as_they_are(up: Up) -> None:
    lines = up.output.read_text().partition("In another terminal:\n")[2].splitlines()
    named = [line.strip().partition("   ")[0] for line in lines[:2]]
    assert [command.split()[3] for command in named] == ["drill", "status"]
    process = await asyncio.create_subprocess_shell(named[1], env=up.env, stdout=-1, stderr=-2)
    output, _ = await process.communicate()
    # 1: something is wrong on this machine, such as a file system that another test has filled.
    assert process.returncode in (0, 1), output.decode()
    assert str(up.ports.exporter) in output.decode()


async def len_of(answer: Any, count: int) -> bool:
    return len(await answer) >= count


async def test_a_closed_terminal_ends_all(up: Up) -> None:
    launcher = "import pty, sys; pty.spawn(sys.argv[1:])"
    terminal = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", launcher, sys.executable, "-m", "upkeeper.main", *up.arguments),
        env=up.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    await wait_until((up.state / "endpoints.json").exists, timeout=180, what="everything to be ready")
    terminal.kill()
    await terminal.wait()
    await wait_until(lambda: not up.processes(), what="all to end with the terminal")
    assert not (up.state / "endpoints.json").exists()


@pytest.mark.torture
@pytest.mark.parametrize("part", ["remediator", *(("prometheus", "exporter", "alertmanager") if long_form() else ())])
async def test_a_part_that_dies_comes_back_and_the_whole_leaves_no_process(up: Up, part: str) -> None:
    port = getattr(up.ports, part)
    async with up.running() as process:
        before = up.pid_of(f"127.0.0.1:{port}")
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: up.pid_of(f"127.0.0.1:{port}") not in (None, before), what=f"another {part}")
        await wait_until(lambda: answers(f"{url(port)}/-/ready"), what=f"{part} to be ready again")
        process.kill()
        await process.wait()
        await wait_until(lambda: not up.processes(), what="the others to end")
    assert "process ended" in up.output.read_text()


async def test_ctrl_c_ends_all_and_a_second_start_finds_everything_as_it_was(up: Up) -> None:
    first_sample = 'timestamp(up{job="upkeeper-exporter"})'
    async with up.running() as process:
        seen = await wait_until(lambda: query(up.ports, first_sample), what="a sample")
        token = (up.state / "tokens" / "operator").read_text()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert up.processes() == {}
    when = seen[0]["value"][1]
    async with up.running():
        again = await query(up.ports, first_sample, time=when)
        assert again[0]["value"][1] == when
        assert (up.state / "tokens" / "operator").read_text() == token


async def test_a_port_in_use_is_named_with_its_holder(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.ports.prometheus)):
        message = up.refused()
    assert f"port {up.ports.prometheus}, for Prometheus, is in use by" in message
    assert f"(pid {os.getpid()})" in message


def test_missing_programs_are_named(up: Up) -> None:
    message = up.refused(PATH="", UPKEEPER_PROMETHEUS="", UPKEEPER_ALERTMANAGER="")
    assert "Prometheus and Alertmanager not found on PATH" in message
    assert "apt install" in message


def test_a_wrong_config_names_file_and_line(up: Up) -> None:
    up.config.write_text("notify:\n  emial: {}\n")
    assert f"{up.config}:2: notify.emial: unknown key (did you mean email?)" in up.refused()


def test_a_secret_that_cannot_be_read_is_named(up: Up) -> None:
    up.config.write_text('notify: {slack: {webhook_url_file: /nonexistent/url, channel: "#ops"}}\n')
    assert "notify.slack.webhook_url_file" in up.refused()


async def test_a_changed_config_reaches_alertmanager_and_a_wrong_one_does_not(up: Up, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.example.org/x\n")
    async with up.running() as process:
        assert await receivers(up.ports) == ["remediator"]
        slack = {"webhook_url_file": str(tmp_path / "url"), "channel": "#ops"}
        up.config.write_text(yaml.safe_dump({"notify": {"slack": slack}}))
        await wait_until(lambda: len_of(receivers(up.ports), 2), what="the new receiver")

        up.config.write_text("notify: {slack: {channel: nonsense}}\n")
        process.send_signal(signal.SIGHUP)
        await wait_until(lambda: "config not reloaded" in up.output.read_text(), what="the refusal")
        assert await receivers(up.ports) == ["remediator", "people"]


async def test_without_prometheus_it_prints_what_yours_needs(up: Up, tmp_path: Path) -> None:
    up.arguments.append("--no-prometheus")
    async with up.running(PATH="/nonexistent"):
        await wait_until(lambda: len(up.processes()), equals=3, what="the processes that stay")
        endpoints = json.loads((up.state / "endpoints.json").read_text())
        assert (endpoints["prometheus"], endpoints["alertmanager"]) == (None, None)
        part, mine = printed(up.output.read_text())

    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(part))
    run(tool("promtool", "prometheus"), "check", "config", str(tmp_path / "prometheus.yml"))
    assert [job["static_configs"][0]["targets"] for job in part["scrape_configs"]] == [
        [f"127.0.0.1:{up.ports.exporter}"],
        [f"127.0.0.1:{up.ports.remediator}"],
    ]
    mine["route"]["receiver"] = "mine"
    mine["receivers"].append({"name": "mine"})
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(mine))
    run(tool("amtool", "prometheus-alertmanager"), "check-config", str(tmp_path / "alertmanager.yml"))
    credentials = mine["receivers"][0]["webhook_configs"][0]["http_config"]["authorization"]["credentials_file"]
    assert Path(credentials) == up.state / "tokens" / "alertmanager"


async def test_a_prometheus_of_ones_own_is_not_started_beside(up: Up) -> None:
    up.config.write_text("prometheus: {url: 'http://prometheus.example.org:9090/'}\n")
    async with up.running():
        await wait_until(lambda: len(up.processes()), equals=4, what="the processes that stay")
        assert up.pid_of(f"127.0.0.1:{up.ports.prometheus}") is None
        assert (
            json.loads((up.state / "endpoints.json").read_text())["prometheus"] == "http://prometheus.example.org:9090"
        )
        assert "Add to your prometheus.yml:" in up.output.read_text()
        assert "Add to your alertmanager.yml" not in up.output.read_text()


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
