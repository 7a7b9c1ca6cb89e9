"""Services declared by container labels."""

from pathlib import Path

import pytest

from exporter.configfile.file import load
from exporter.configfile.problem import ConfigError
from exporter.docker.containers import ListedContainer
from exporter.inventory.inventory import Inventory
from exporter.probing.labels import labelled_services

URL = {"upkeeper.probe.url": "http://127.0.0.1:8080/health"}


def container(labels: dict[str, str], name: str = "web", state: str = "running") -> ListedContainer:
    return ListedContainer("id", name, state, labels=labels)


def test_a_url_makes_a_service_of_the_containers_name() -> None:
    services, problems = labelled_services([container(URL), container({}, "other")])
    (service,) = services
    assert (service.name, service.container) == ("web", "web")
    assert service.probes[0].url == "http://127.0.0.1:8080/health"
    assert problems == {}


def test_the_other_labels_mean_what_they_mean_in_the_config() -> None:
    labels = {
        "url": "https://127.0.0.1:8080/health",
        "expect_status": "200, 204",
        "body_regex": "ok",
        "timeout": "2s",
        "tls_verify": "false",
        "follow_redirects": "true",
        "body_json": '[{"path": "$.status", "equals": "ok"}]',
        "tls_min_validity": "3d",
        "ip_protocol": "ipv6",
    }
    services, problems = labelled_services([container(URL | {f"upkeeper.probe.{k}": v for k, v in labels.items()})])
    probe = services[0].probes[0]
    assert (probe.expect_status, probe.body_regex, probe.timeout) == ([200, 204], "ok", 2)
    assert (probe.tls_verify, probe.follow_redirects) == (False, True)
    assert (probe.body_json[0].path, probe.body_json[0].equals) == ("$.status", "ok")
    assert (probe.tls_min_validity, probe.ip_protocol) == (3 * 86400, "ipv6")
    assert problems == {}


@pytest.mark.parametrize(
    "written", ["2", "2.5", ".5", "1e1", "2s", "1m30s", "500ms", "0x10", "two", "-1", ".inf", " 2"]
)
@pytest.mark.parametrize("key", ["timeout", "tls_min_validity"])
def test_a_duration_is_taken_as_the_config_takes_it(tmp_path: Path, key: str, written: str) -> None:
    config = tmp_path / "upkeeper.yml"
    config.write_text(f"services: [{{name: web, probes: [{{url: 'https://x/', {key}: {written}}}]}}]\n")
    try:
        expected = getattr(load(config, Inventory).value.services[0].probes[0], key)
    except ConfigError:
        expected = None
    labels = {"upkeeper.probe.url": "https://x/", f"upkeeper.probe.{key}": written}
    services, problems = labelled_services([container(labels)])
    assert (getattr(services[0].probes[0], key) if services else None) == expected
    assert bool(problems) is (expected is None)


@pytest.mark.parametrize(
    ("state", "probed"),
    [("running", True), ("exited", True), ("paused", True), ("created", False), ("removing", False)],
)
def test_a_stopped_container_is_a_service_that_is_down(state: str, probed: bool) -> None:
    assert bool(labelled_services([container(URL, state=state)])[0]) is probed


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"upkeeper.probe.url": "ftp://x"}, "url: 'ftp://x'"),
        (URL | {"upkeeper.probe.timeout": "soon"}, "timeout: "),
        (URL | {"upkeeper.probe.body_regex": "("}, "body_regex: "),
        (URL | {"upkeeper.probe.expect_status": "fine"}, "valid integer"),
        (URL | {"upkeeper.probe.body_json": "$.status"}, "body_json: "),
        (URL | {"upkeeper.probe.body_json": '[{"path": "status", "exists": true}]'}, "RFC 9535"),
    ],
)
def test_labels_that_make_no_sense_are_told_and_cost_no_other_container(labels: dict[str, str], reason: str) -> None:
    services, problems = labelled_services([container(labels, "bad"), container(URL, "good")])
    assert [service.name for service in services] == ["good"]
    assert reason in problems["bad"]


def test_an_unknown_label_is_told_and_the_service_probed_all_the_same() -> None:
    services, problems = labelled_services([container(URL | {"upkeeper.probe.regex": "ok"})])
    assert len(services) == 1
    assert problems == {"web": "unknown label upkeeper.probe.regex"}


def test_a_label_cannot_make_the_exporter_read_a_file() -> None:
    labels = URL | {"upkeeper.probe.bearer_token_file": "/etc/upkeeper/token", "upkeeper.probe.tls_ca_file": "/etc/x"}
    (service,), problems = labelled_services([container(labels)])
    assert (service.probes[0].bearer_token_file, service.probes[0].tls_ca_file) == (None, None)
    assert "unknown label" in problems["web"]


def test_a_name_too_long_to_be_a_target_is_told() -> None:
    services, problems = labelled_services([container(URL, "x" * 64)])
    assert services == []
    assert list(problems) == ["x" * 64]
