"""The configs that `upkeeper up` writes, pure part: what is put in, and that nothing put in changes the structure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.config.notify import Notify
from remediator.statedir import DRILL_TARGET, StateDir
from upkeeper.share import share_path
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.render import alertmanager_config, prometheus_config, text

LAYOUT = Layout(StateDir(Path("/state")))
PORTS = Ports.from_base(20000)
EMAIL = {
    "to": "ops@example.org, Ann <ann@example.org>",
    "from": "upkeeper@example.org",
    "smarthost": "mail.example.org:587",
}
LOGIN = {"username": "upkeeper", "password_file": "/etc/upkeeper/smtp"}
SLACK = {"webhook_url_file": "/etc/upkeeper/slack", "channel": "#ops"}
UGLY = [
    "'\"; rm -rf / #",
    "a: b\n- c: !!python/object/apply:os.system [id]",
    "{{ .CommonLabels }} {{ template `x` }}",
    "*anchor &anchor | > % @ `",
    "\u2028\u0085\ufeff\U0001f600",
    "null",
    "0o17",
    "1:30",
    "2001-01-01",
    "=",
    "<<",
    "~",
    "\t",
]


def shipped(name: str) -> Any:
    return yaml.safe_load((share_path() / name / f"{name}.yml").read_bytes())


def rendered(notify: dict[str, Any]) -> Any:
    config = alertmanager_config(shipped("alertmanager"), LAYOUT, PORTS, Notify.model_validate(notify))
    return yaml.safe_load(text(config, "test"))


def test_prometheus_scrapes_the_ports_and_reads_both_rule_directories() -> None:
    config = yaml.safe_load(text(prometheus_config(shipped("prometheus"), LAYOUT, PORTS), "test"))
    assert config["rule_files"] == ["/state/prometheus/rules/*.yml", "/state/prometheus/rules.d/*.yml"]
    assert config["alerting"]["alertmanagers"] == [
        {"scheme": "http", "path_prefix": "/", "static_configs": [{"targets": ["127.0.0.1:20003"]}]}
    ]
    assert {job["job_name"]: job["static_configs"] for job in config["scrape_configs"]} == {
        "upkeeper-exporter": [{"targets": ["127.0.0.1:20000"]}],
        "upkeeper-remediator": [{"targets": ["127.0.0.1:20001"]}],
        "prometheus": [{"targets": ["127.0.0.1:20002"]}],
        "alertmanager": [{"targets": ["127.0.0.1:20003"]}],
    }


def test_an_alertmanager_that_is_already_there_takes_the_place_of_ours() -> None:
    config = prometheus_config(shipped("prometheus"), LAYOUT, PORTS, ["https://alerts.example.org/am"])
    assert config["alerting"]["alertmanagers"] == [
        {"scheme": "https", "path_prefix": "/am", "static_configs": [{"targets": ["alerts.example.org"]}]}
    ]
    assert "alertmanager" not in [job["job_name"] for job in config["scrape_configs"]]


def test_with_nobody_to_tell_only_the_remediator_is_told() -> None:
    config = rendered({})
    assert [receiver["name"] for receiver in config["receivers"]] == ["remediator"]
    assert {route["receiver"] for route in config["route"]["routes"]} == {"remediator"}
    assert config["receivers"][0]["webhook_configs"] == [
        {
            "url": "http://127.0.0.1:20001/api/v1/alertmanager",
            "send_resolved": True,
            "http_config": {
                "authorization": {"credentials_file": "/state/tokens/alertmanager"},
                "follow_redirects": False,
            },
        }
    ]


@pytest.mark.parametrize("login", [{}, LOGIN])
def test_email_alone_makes_no_slack_receiver(login: dict[str, str]) -> None:
    people = rendered({"email": EMAIL | login})["receivers"][1]
    assert "slack_configs" not in people
    email = people["email_configs"][0]
    assert (email["to"], email["from"], email["smarthost"]) == tuple(EMAIL.values())
    assert email["require_tls"] is True
    credentials = {key: email[key] for key in email if key.startswith("auth_")}
    expected = {"auth_username": "upkeeper", "auth_password_file": "/state/alertmanager/secrets/smtp-password"}
    assert credentials == (expected if login else {})


def test_slack_alone_makes_no_email_receiver() -> None:
    people = rendered({"slack": SLACK})["receivers"][1]
    assert "email_configs" not in people
    assert people["slack_configs"][0]["channel"] == "#ops"
    assert people["slack_configs"][0]["api_url_file"] == "/state/alertmanager/secrets/slack-webhook-url"


def test_people_are_told_after_the_remediator_and_never_of_the_watchdog() -> None:
    config = rendered({"email": EMAIL, "slack": SLACK})
    watchdog, *drills, all_alerts, people = config["route"]["routes"]
    assert watchdog == {
        "receiver": "remediator",
        "matchers": ['alertname="Watchdog"'],
        "group_wait": "0s",
        "group_interval": "15s",
        "repeat_interval": "1m",
    }
    # No `continue`: the drill ends at the remediator.
    assert drills == [
        {"receiver": "remediator", "matchers": [f'{label}="{DRILL_TARGET}"']} for label in ("directory", "target")
    ]
    assert all_alerts == {"receiver": "remediator", "continue": True}
    assert people["receiver"] == "people"
    assert config["route"]["group_by"] == ["..."]
    assert people["group_by"] == ["..."]


@pytest.mark.parametrize("value", UGLY)
def test_ugly_values_stay_values(value: str) -> None:
    calm = rendered({"email": EMAIL | LOGIN, "slack": SLACK})
    channel = "#" + ("".join(value.split()) or "x")
    ugly = rendered(
        {"email": EMAIL | LOGIN | {"to": f"ops{value}", "username": value}, "slack": SLACK | {"channel": channel}}
    )
    email, slack = ugly["receivers"][1]["email_configs"][0], ugly["receivers"][1]["slack_configs"][0]
    assert email["auth_username"] == value
    # What Go's template engine would obey is written as a literal of its own language.
    assert email["to"].replace('{{ "{{" }}', "{{") == f"ops{value}"
    assert slack["channel"].replace('{{ "{{" }}', "{{") == channel

    email["to"], email["auth_username"], slack["channel"] = EMAIL["to"], "upkeeper", "#ops"
    assert ugly == calm


def test_a_state_directory_with_pattern_characters_means_itself() -> None:
    odd = Layout(StateDir(Path("/srv/[a]?")))
    assert (
        prometheus_config(shipped("prometheus"), odd, PORTS)["rule_files"][0] == r"/srv/\[a]\?/prometheus/rules/*.yml"
    )
    config = alertmanager_config(shipped("alertmanager"), odd, PORTS, Notify())
    assert config["templates"] == [r"/srv/\[a]\?/alertmanager/templates/*.tmpl"]


def test_rendering_leaves_the_shipped_documents_alone() -> None:
    base = shipped("alertmanager")
    alertmanager_config(base, LAYOUT, PORTS, Notify())
    assert base == shipped("alertmanager")
