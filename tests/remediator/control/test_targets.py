"""The hosts as Prometheus's HTTP service discovery wants them."""

import json
from pathlib import Path

import pytest

from remediator.control.targets import groups
from remediator.model.shapes.hosts import HostView


def host(name: str, address: str | None, *, up: bool = True) -> HostView:
    return {
        "host": name,
        "here": False,
        "up": up,
        "version": "0.1.0",
        "node": f"{name}.example.org",
        "address": address,
        "started_at": "2026-11-27T00:00:00Z",
        "last_seen_at": "2026-11-28T00:00:00Z",
        "queue": 0,
        "waiting": 0,
        "alerts": 0,
        "paused": None,
        "labels": {"rack-no": "a"},
    }


@pytest.mark.parametrize(
    ("address", "service", "port", "target"),
    [
        ("http://10.0.0.5:10747", "remediator", None, "10.0.0.5:10747"),
        ("http://10.0.0.5:20001", "remediator", None, "10.0.0.5:20001"),
        ("http://10.0.0.5:20001", "exporter", None, "10.0.0.5:10746"),
        ("http://10.0.0.5:20001", "exporter", 9999, "10.0.0.5:9999"),
        ("http://127.0.0.1:20001", "remediator", None, "web.example.org:20001"),
        ("http://0.0.0.0:20001", "exporter", None, "web.example.org:10746"),
        ("http://[::1]:20001", "exporter", None, "web.example.org:10746"),
        ("http://[2001:db8::5]:20001", "exporter", None, "[2001:db8::5]:10746"),
        (None, "remediator", None, "web.example.org:10747"),
    ],
)
def test_where_each_is_scraped(address: str | None, service: str, port: int | None, target: str) -> None:
    (group,) = groups([host("web", address)], service, port)
    assert group["targets"] == [target]
    assert group["labels"]["host"] == "web"
    assert group["labels"]["__meta_upkeeper_label_rack_no"] == "a"


def test_a_host_that_is_down_is_a_target_too_and_tls_is_said() -> None:
    web, db = groups([host("web", "https://10.0.0.5:1"), host("db", None, up=False)], "remediator", None)
    assert web["labels"]["__scheme__"] == "https"
    assert db["labels"]["__meta_upkeeper_up"] == "false"
    assert "__scheme__" not in groups([host("web", "https://10.0.0.5:1")], "exporter", None)[0]["labels"]


def test_labels_are_text_as_prometheus_wants_them(tmp_path: Path) -> None:
    document = json.loads(json.dumps(groups([host("web", None)], "exporter", None)))
    assert all(isinstance(value, str) for group in document for value in group["labels"].values())
    assert set(document[0]) == {"targets", "labels"}
