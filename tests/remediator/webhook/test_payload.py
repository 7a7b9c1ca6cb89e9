"""The webhook payload: what is taken, what it means, and what is refused."""

import json
import random
from collections import Counter

import pytest

from remediator.webhook.fingerprint import fingerprint
from remediator.webhook.payload import MAX_BODY, PayloadError, check_head, parse_notification
from tests.remediator.payloads import ZERO_TIME, alert, payload, without
from tests.remediator.webhook.mutations import mutated

SECRET = "hunter2-marker"


def test_every_field_that_is_kept() -> None:
    notification = parse_notification(payload(alert(), truncatedAlerts=3))
    assert notification.group_key == '{}:{alertname="UpkeeperLogDirectoryOverLimit"}'
    assert notification.receiver == "upkeeper"
    assert notification.external_url == "http://127.0.0.1:10749"
    assert notification.truncated_alerts == 3
    (received,) = notification.alerts
    assert received.fingerprint == "00e3a1b2c3d4e5f6"
    assert received.status == "firing"
    assert received.starts_at == 1772360430.123
    assert received.ends_at is None
    assert received.labels == alert()["labels"]
    assert received.annotations == alert()["annotations"]
    assert received.generator_url == "http://127.0.0.1:10748/graph?g0.expr=1"


def test_each_alert_is_judged_by_its_own_status() -> None:
    resolved = alert(status="resolved", endsAt="2026-03-01T10:25:30Z", fingerprint="ffffffffffffffff")
    notification = parse_notification(payload(alert(), resolved, status="firing"))
    assert [(one.status, one.ends_at) for one in notification.alerts] == [
        ("firing", None),
        ("resolved", 1772360730.0),
    ]


def test_what_a_sender_may_leave_out_or_add() -> None:
    body = payload(alert(), routeLabels={"x": ["y"]}, status=None)
    for path in (("truncatedAlerts",), ("externalURL",), ("alerts", 0, "endsAt"), ("alerts", 0, "annotations")):
        body = without(body, *path)
    (received,) = parse_notification(without(body, "alerts", 0, "generatorURL")).alerts
    assert (received.ends_at, received.annotations, received.generator_url) == (None, {}, "")
    assert parse_notification(payload()).alerts == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-01T10:20:30Z", 1772360430.0),
        ("2026-03-01T10:20:30.5Z", 1772360430.5),
        ("2026-03-01T10:20:30.123456789Z", 1772360430.123),
        ("2026-03-01T12:20:30.123456789+02:00", 1772360430.123),
        ("2026-03-01T00:50:30.123456789-09:30", 1772360430.123),
        ("1969-12-31T23:59:59Z", -1.0),
        (ZERO_TIME, -62135596800.0),
    ],
)
def test_times_of_the_same_moment_are_equal(text: str, seconds: float) -> None:
    assert parse_notification(payload(alert(startsAt=text))).alerts[0].starts_at == seconds


@pytest.mark.parametrize(
    "value",
    [
        "../../etc",
        "\"; rm -rf / #'",
        "арр",  # Cyrillic
        "app\u200b",
        "ａｐｐ",
        "x" * 10_000,
        "a\nb\rc\u2028",
        "\ufffe\U0010ffff",
        "",
    ],
)
def test_label_values_arrive_as_they_were_sent(value: str) -> None:
    received = parse_notification(payload(alert(labels={"directory": value}))).alerts[0]
    assert received.labels == {"directory": value}


def test_nul_becomes_the_replacement_character_and_costs_no_alert() -> None:
    odd = alert(labels={"directory": "app\0", "a\0": "b"}, annotations={"summary": "\0\0 \\u0000 \\\0"})
    notification = parse_notification(payload(odd, alert(), groupKey="\0"))
    assert notification.group_key == "\ufffd"
    assert notification.alerts[0].labels == {"directory": "app\ufffd", "a\ufffd": "b"}
    assert notification.alerts[0].annotations == {"summary": "\ufffd\ufffd \\u0000 \\\ufffd"}
    assert notification.alerts[1].labels == alert()["labels"]


def test_a_payload_without_fingerprints_gets_those_of_its_labels() -> None:
    """As Alertmanager up to 0.18 sends it."""
    labels = alert()["labels"]
    (one, other) = parse_notification(
        without(payload(alert(labels=labels), alert()), "alerts", 0, "fingerprint")
    ).alerts
    assert (one.fingerprint, other.fingerprint) == (fingerprint(labels), "00e3a1b2c3d4e5f6")


def test_a_payload_of_grafana_is_taken() -> None:
    """In the shape of Grafana's documentation; there is no Grafana to send it."""
    extra = {
        "values": {"B": 44.23, "C": 1},
        "silenceURL": "https://grafana.example/alerting/silence/new",
        "dashboardURL": "",
        "panelURL": "",
        "imageURL": "",
        "startsAt": "2026-03-01T12:20:30.123456+02:00",
        "labels": {"alertname": "Disk full", "grafana_folder": "Hosts", "mountpoint": "/var"},
    }
    more = {"version": "1", "orgId": 1, "title": "[FIRING:1] Disk full", "state": "alerting", "message": "**Firing**"}
    body = payload(alert(**extra), alert(status="resolved", endsAt="2026-03-01T10:25:30Z", values=None), **more)
    (firing, resolved) = parse_notification(body).alerts
    assert (firing.fingerprint, firing.status, firing.starts_at) == ("00e3a1b2c3d4e5f6", "firing", 1772360430.123)
    assert firing.labels["mountpoint"] == "/var"
    assert resolved.ends_at == 1772360730.0


MALFORMED = {
    "empty": b"",
    "not JSON": b"alerts=1",
    "truncated": payload(alert())[:-20],
    "trailing text": payload(alert()) + b"{}",
    "NUL byte": payload(alert()).replace(b"upkeeper", b"up\0eeper"),
    "not UTF-8": payload(alert()).replace(b"upkeeper", b"\xff\xfe"),
    "UTF-16": payload(alert()).decode().encode("utf-16"),
    "half a surrogate pair": payload(alert(labels={"a": "\ud800"})),
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep, well-formed, in a key nobody reads": payload(alert())[:-1]
    + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "endless number": b'{"version":' + b"9" * 500_000 + b"}",
}  # fmt: skip

INVALID = {
    "array": (b"[]", "Input should be an object"),
    "null": (b"null", "Input should be an object"),
    "number": (b"4", "Input should be an object"),
    "no version": (without(payload(alert()), "version"), "version: Field required"),
    "version 3": (payload(alert(), version="3"), "version: "),
    "version as number": (payload(alert(), version=4), "version: "),
    "version 1 as number": (payload(alert(), version=1), "version: "),
    "no alerts": (without(payload(), "alerts"), "alerts: Field required"),
    "alerts null": (payload(alerts=None), "alerts: "),
    "alerts object": (payload(alerts={SECRET: 1}), "alerts: "),
    "alert is text": (payload(alert(), SECRET), "alerts.1: "),
    "no group key": (without(payload(), "groupKey"), "groupKey: Field required"),
    "receiver is a number": (payload(receiver=1), "receiver: "),
    "negative count": (payload(truncatedAlerts=-1), "truncatedAlerts: "),
    "count as text": (payload(truncatedAlerts="1"), "truncatedAlerts: "),
    "count of 65 bits": (payload(truncatedAlerts=2**64), "truncatedAlerts: "),
    "status": (payload(alert(status=SECRET)), "alerts.0.status: "),
    "fingerprint empty": (payload(alert(fingerprint="")), "alerts.0.fingerprint: "),
    "fingerprint null": (payload(alert(fingerprint=None)), "alerts.0.fingerprint: "),
    "short fingerprint": (payload(alert(fingerprint="00e3")), "alerts.0.fingerprint: "),
    "fingerprint with a line feed": (payload(alert(fingerprint="00e3a1b2c3d4e5f6\n")), "alerts.0.fingerprint: "),
    "fingerprint in capitals": (payload(alert(fingerprint="00E3A1B2C3D4E5F6")), "alerts.0.fingerprint: "),
    "no labels": (without(payload(alert()), "alerts", 0, "labels"), "alerts.0.labels: "),
    "labels array": (payload(alert(labels=[SECRET])), "alerts.0.labels: "),
    "label is a number": (payload(alert(labels={SECRET: 1})), "alerts.0.labels: Input should be a valid string"),
    "label is null": (payload(alert(labels={SECRET: None})), "alerts.0.labels: "),
    "annotation is an object": (payload(alert(annotations={SECRET: {}})), "alerts.0.annotations: "),
    "no start": (without(payload(alert()), "alerts", 0, "startsAt"), "alerts.0.startsAt: "),
    "start as number": (payload(alert(startsAt=1772360430)), "alerts.0.startsAt: must be an RFC 3339 time"),
    "start without zone": (payload(alert(startsAt="2026-03-01T10:20:30")), "alerts.0.startsAt: must be"),
    "date only": (payload(alert(startsAt="2026-03-01")), "alerts.0.startsAt: must be"),
    "13th month": (payload(alert(startsAt="2026-13-01T10:20:30Z")), "alerts.0.startsAt: is not a valid time"),
    "zone of 99 hours": (
        payload(alert(startsAt="2026-03-01T10:20:30+99:00")),
        "alerts.0.startsAt: is not a valid time",
    ),
    "digits of another script": (payload(alert(startsAt="٢٠٢٦-03-01T10:20:30Z")), "alerts.0.startsAt: must be"),
    "end": (payload(alert(endsAt=SECRET)), "alerts.0.endsAt: must be"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match=r"\AInvalid JSON: [^\n]+\Z") as caught:
        parse_notification(body)
    assert (caught.value.status, caught.value.reason) == (400, "malformed")


@pytest.mark.parametrize(("body", "detail"), INVALID.values(), ids=INVALID.keys())
def test_what_is_no_payload_of_version_4_or_1_is_refused(body: bytes, detail: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_notification(body)
    message = str(caught.value)
    assert (caught.value.status, caught.value.reason) == (400, "invalid")
    assert message.startswith(detail)
    assert "\n" not in message
    assert SECRET not in message


def test_the_size_limit_is_exact() -> None:
    fitting = payload(alert(annotations={"x": ""}))
    full = payload(alert(annotations={"x": "y" * (MAX_BODY - len(fitting))}))
    assert len(full) == MAX_BODY
    assert len(parse_notification(full).alerts) == 1
    with pytest.raises(PayloadError) as caught:
        parse_notification(full + b" ")
    assert (caught.value.status, caught.value.reason) == (413, "too-large")


@pytest.mark.parametrize(
    ("content_type", "encoding", "length", "status"),
    [
        ("application/json", None, None, None),
        ("application/json", "identity", MAX_BODY, None),
        ("application/json", None, MAX_BODY + 1, 413),
        ("text/plain", None, 10, 415),
        ("application/octet-stream", None, 10, 415),
        ("application/json", "gzip", 10, 415),
    ],
)
def test_headers(content_type: str, encoding: str | None, length: int | None, status: int | None) -> None:
    if status is None:
        check_head(content_type, encoding, length)
        return
    with pytest.raises(PayloadError) as caught:
        check_head(content_type, encoding, length)
    assert caught.value.status == status


def test_a_mutated_payload_is_taken_or_refused_and_nothing_else() -> None:
    valid = payload(alert(), alert(status="resolved", endsAt="2026-03-01T10:25:30Z", labels={"a": "é\0"}))
    source = random.Random(4)
    outcomes: Counter[int] = Counter()
    for _ in range(5_000):
        try:
            notification = parse_notification(mutated(valid, source))
        except PayloadError as error:
            outcomes[error.status] += 1
        else:
            outcomes[202] += 1
            labels = json.dumps([one.labels for one in notification.alerts], ensure_ascii=False)
            assert r"\u0000" not in labels.encode().decode()
    assert outcomes.keys() == {202, 400}
