"""What is missing after a reboot, from two looks. The texts are systemctl's of 239, 252 and 257."""

from remediator.tasks.reboot.fingerprint import (
    Fingerprint,
    not_back,
    parse_unit_files,
    parse_units,
    said,
    started_by_itself,
)

BEFORE = Fingerprint(
    units=["nginx.service", "ssh.service"],
    failed=["old.service"],
    ports=["tcp/22", "tcp/80"],
    mounts=["/srv"],
    containers=["n8n"],
    probes=["n8n/ready"],
)


def test_nothing_is_missing_where_all_is_back_and_more() -> None:
    more = BEFORE.model_copy(update={"units": [*BEFORE.units, "new.service"], "ports": [*BEFORE.ports, "tcp/9"]})

    assert not_back(BEFORE, BEFORE) == []
    assert not_back(BEFORE, more) == []


def test_what_is_missing_is_named_each_by_its_kind() -> None:
    after = Fingerprint(units=["ssh.service"], failed=["old.service", "nginx.service"], ports=["tcp/22"])

    assert not_back(BEFORE, after) == [
        "nginx.service has failed",
        "/srv is not mounted",
        "container n8n does not run",
        "probe n8n/ready fails",
        "nothing listens at tcp/80",
    ]


def test_a_unit_that_is_only_stopped_is_told_apart_from_one_that_failed() -> None:
    after = BEFORE.model_copy(update={"units": ["ssh.service"]})

    assert not_back(BEFORE, after) == ["nginx.service does not run"]


def test_what_can_no_longer_be_looked_at_is_missing_and_what_never_could_is_not() -> None:
    blind = BEFORE.model_copy(update={"unknown": ["containers are not known: no answer"]})

    assert not_back(BEFORE, blind) == ["containers are not known: no answer"]
    assert not_back(blind, blind) == []


def test_how_much_there_is() -> None:
    assert said(BEFORE) == "2 units, 2 listening ports, 1 mount, 1 container, 1 probe"
    assert said(Fingerprint()) == "nothing"


def test_units_and_their_states() -> None:
    text = (
        "ssh.service                loaded    active   running OpenBSD Secure Shell server\n"
        "● nginx.service            loaded    failed   failed  A high performance web server\n"
        "  getty@tty1.service       loaded    active   running Getty on tty1\n"
        "auditd.service             not-found inactive dead    auditd.service\n"
        "\n"
    )

    assert parse_units(text) == [
        ("ssh.service", "active"),
        ("nginx.service", "failed"),
        ("getty@tty1.service", "active"),
        ("auditd.service", "inactive"),
    ]


def test_only_units_that_are_enabled_are_started_again() -> None:
    files = parse_unit_files(
        "getty@.service        enabled         enabled\n"
        "ssh.service           enabled         enabled\n"
        "rsync.service         disabled        enabled\n"
        "today.service         enabled-runtime enabled\n"
        "dbus.service          static          -\n"
        "apache2.service       generated       -\n"
        "ssh@.service          static\n"
    )

    assert files == {"getty@.service", "ssh.service", "apache2.service"}
    assert started_by_itself("ssh.service", files)
    assert started_by_itself("getty@tty1.service", files)
    assert not started_by_itself("rsync.service", files)
    assert not started_by_itself("ssh@1.service", files)
