"""What is shown of a config: no secret, and all else as it is."""

import pytest

from exporter.configfile.masked import masked, secret_values


@pytest.mark.parametrize(
    ("sent", "shown", "secrets"),
    [
        ("AUTH hunter2", "AUTH (not shown)", ["hunter2"]),
        ("auth bob hunter2", "auth (not shown)", ["bob hunter2", "hunter2"]),
        ("HELLO 3 AUTH bob hunter2", "HELLO 3 AUTH (not shown)", ["bob hunter2", "hunter2"]),
        ("*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n", "*2\r\n$4\r\nAUTH\r\n(not shown)", ["$7\r\nhunter2", "hunter2"]),
        ("AUTH PLAIN aHVudGVyMg==", "AUTH PLAIN (not shown)", ["aHVudGVyMg=="]),
        ("a1 LOGIN bob hunter2", "a1 LOGIN (not shown)", ["bob hunter2", "hunter2"]),
        ("PASS hunter2", "PASS (not shown)", ["hunter2"]),
        ("PING", "PING", []),
        ("EHLO probe.example.org", "EHLO probe.example.org", []),
        ("GET /auth HTTP/1.0", "GET /auth HTTP/1.0", []),
        (
            "GET /login HTTP/1.0\r\nAuthorization: Bearer hunter2",
            "GET /login HTTP/1.0\r\nAuthorization: (not shown)",
            [],
        ),
    ],
)
def test_a_password_in_what_a_probe_sends_is_not_shown(sent: str, shown: str, secrets: list[str]) -> None:
    document = {"services": [{"probes": [{"url": "tcp://h:1", "send": sent, "expect": "OK"}]}]}
    assert masked(document)["services"][0]["probes"][0] == {"url": "tcp://h:1", "send": shown, "expect": "OK"}
    assert list(secret_values(document)) == secrets


def test_a_reference_to_the_environment_stays() -> None:
    path = ("probes", 0, "send")
    found = masked({"probes": [{"send": "AUTH hunter2"}]}, {path: "AUTH ${REDIS_PASSWORD}"})
    assert found == {"probes": [{"send": "AUTH ${REDIS_PASSWORD}"}]}
    body = '{"token": "${N8N_TOKEN}", "page": 7}'
    assert masked({"body": body}, {("body",): body}) == {"body": body}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('{"password": "hunter2", "page": 7}', '{"password": "(not shown)", "page": 7}'),
        ("https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com/services/(not shown)"),
        ("https://a.example.org/x?sig=hunter2&page=7", "https://a.example.org/x?sig=(not shown)&page=7"),
        ("https://bob:hunter2@a.example.org/", "https://bob:(not shown)@a.example.org/"),
    ],
)
def test_secrets_within_other_values_are_not_shown(value: str, shown: str) -> None:
    assert masked({"what": value}) == {"what": shown}


@pytest.mark.parametrize(
    "value",
    [
        "/var/lib/upkeeper/backups/a/very/long/path/of/some/service",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudlq9wxs5rxqge",
        "ghcr.io/letta/letta@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        'alertname="UpkeeperServiceDown"',
        'sum(rate(http_requests_total{job="api",status=~"5.."}[5m])) > 0',
        "0 3 * * *",
        "password not accepted",
    ],
)
def test_what_is_no_secret_stays_as_it_is(value: str) -> None:
    assert masked({"what": value}) == {"what": value}
