"""What `upkeeper up` writes into the state directory, and that the real tools accept it in every combination."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from exporter.configfile.problem import ConfigError
from remediator.config.notify import Notify
from remediator.statedir import StateDir
from tests.servers import tool
from tests.upkeeper.up.test_render import EMAIL, SLACK, UGLY
from upkeeper.share import share_path
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import Written, write_configs

PORTS = Ports.from_base(20000)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    state = StateDir(tmp_path / "state [x]?")
    state.ensure()
    return Layout(state)


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text("s3cret\n")
    (tmp_path / "slack").write_text("  https://hooks.example.org/services/T/B/x \n")
    return {"password": str(tmp_path / "password"), "slack": str(tmp_path / "slack")}


def combinations(secrets: dict[str, str]) -> list[dict[str, Any]]:
    login = {"username": "upkeeper", "password_file": secrets["password"]}
    slack = {"slack": SLACK | {"webhook_url_file": secrets["slack"]}}
    emails: list[dict[str, Any]] = [
        {},
        {"email": EMAIL},
        {"email": EMAIL | login},
        {"email": EMAIL | login | {"require_tls": False}},
        *({"email": EMAIL | login | {"username": value}} for value in UGLY),
    ]
    return [email | more for email in emails for more in ({}, slack)]


def test_amtool_accepts_every_combination(layout: Layout, secrets: dict[str, str]) -> None:
    for notify in combinations(secrets):
        write_configs(layout, PORTS, Notify.model_validate(notify), share_path())
        check(tool("amtool", "prometheus-alertmanager"), "check-config", str(layout.alertmanager_config))


def test_promtool_accepts_the_config_with_its_rules(layout: Layout) -> None:
    write_configs(layout, PORTS, Notify(), share_path())
    output = check(tool("promtool", "prometheus"), "check", "config", str(layout.prometheus_config))
    assert "rules found" in output, "the rule files were not found, so none was checked"


def test_the_shipped_files_are_valid_as_they_stand() -> None:
    check(
        tool("amtool", "prometheus-alertmanager"), "check-config", str(share_path() / "alertmanager/alertmanager.yml")
    )
    check(tool("promtool", "prometheus"), "check", "config", str(share_path() / "prometheus/prometheus.yml"))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=Watchdog", "severity=none"], "remediator"),
        (["alertname=UpkeeperServiceDown", "target=letta"], "remediator,people"),
        (["alertname=OfAnotherRulePack"], "remediator,people"),
    ],
)
def test_people_hear_of_all_but_the_watchdog(
    layout: Layout, secrets: dict[str, str], labels: list[str], receivers: str
) -> None:
    slack = Notify.model_validate({"slack": SLACK | {"webhook_url_file": secrets["slack"]}})
    write_configs(layout, PORTS, slack, share_path())
    amtool = tool("amtool", "prometheus-alertmanager")
    config = f"--config.file={layout.alertmanager_config}"
    check(amtool, "config", "routes", "test", config, f"--verify.receivers={receivers}", *labels)


def check(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_says_what_changed(layout: Layout, secrets: dict[str, str]) -> None:
    slack = Notify.model_validate({"slack": SLACK | {"webhook_url_file": secrets["slack"]}})
    assert write_configs(layout, PORTS, Notify(), share_path()) == Written(prometheus=True, alertmanager=True)
    assert write_configs(layout, PORTS, Notify(), share_path()) == Written(prometheus=False, alertmanager=False)
    assert write_configs(layout, PORTS, slack, share_path()) == Written(prometheus=False, alertmanager=True)
    (layout.rules / "of-an-older-release.yml").write_text("groups: []\n")
    assert write_configs(layout, PORTS, slack, share_path()) == Written(prometheus=True, alertmanager=False)
    assert not (layout.rules / "of-an-older-release.yml").exists()


def test_rules_of_the_users_stay(layout: Layout) -> None:
    write_configs(layout, PORTS, Notify(), share_path())
    (layout.own_rules / "mine.yml").write_text("groups: []\n")
    write_configs(layout, PORTS, Notify(), share_path())
    assert (layout.own_rules / "mine.yml").read_text() == "groups: []\n"


def test_credentials_lose_their_line_end_and_only_the_owner_reads_them(layout: Layout, secrets: dict[str, str]) -> None:
    write_configs(layout, PORTS, Notify.model_validate(combinations(secrets)[5]), share_path())
    assert layout.smtp_password.read_text() == "s3cret"
    assert layout.slack_url.read_text() == "https://hooks.example.org/services/T/B/x"
    for path in (layout.smtp_password, layout.slack_url, layout.alertmanager_config, layout.prometheus_config):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"s3cret" not in layout.alertmanager_config.read_bytes()


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_secret_that_is_not_there_is_an_error_before_anything_is_written(
    layout: Layout, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    notify = Notify.model_validate({"slack": SLACK | {"webhook_url_file": str(path)}})
    with pytest.raises(ConfigError, match=r"secret: notify\.slack\.webhook_url_file: "):
        write_configs(layout, PORTS, notify, share_path())
    assert not layout.alertmanager_config.exists()
