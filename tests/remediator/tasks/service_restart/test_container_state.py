"""What a restart can do for a container in each state, without an engine."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remediator.tasks.service_restart.container_state import ContainerState, describe, judge, one_line, parse_state

KEEP = "upkeeper.keep"
RUNNING = ContainerState(id="1", name="web")


def state(**changes: Any) -> ContainerState:
    return ContainerState(id="1", name="web", **changes)


@pytest.mark.parametrize(
    ("container", "failing", "action"),
    [
        (state(health="unhealthy"), [], "restart"),
        (state(health="healthy"), ["probe web/live: refused"], "restart"),
        (state(health="none"), ["probe web/live: refused"], "restart"),
        (state(status="exited", exit_code=1), [], "start"),
        (state(status="exited", exit_code=139, restart_policy="on-failure"), [], "start"),
        (state(status="exited", exit_code=137, oom_killed=True), [], "start"),
        (state(status="exited", exit_code=143, oom_killed=True), [], None),
        (state(status="exited", exit_code=128, restart_policy="always", error="port in use"), [], "start"),
    ],
)
def test_what_is_broken_is_restarted(container: ContainerState, failing: list[str], action: str) -> None:
    assert judge(container, failing, KEEP).action == action


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (state(health="unhealthy", labels={KEEP: ""}), "has the label upkeeper.keep"),
        (state(status="exited", exit_code=1, labels={KEEP: "false"}), "has the label upkeeper.keep"),
        (state(status="exited", exit_code=0), "finished or was stopped"),
        (state(status="exited", exit_code=0, restart_policy="on-failure"), "finished or was stopped"),
        (state(status="exited", exit_code=143), "stopped by someone"),
        (state(status="exited", exit_code=137), "stopped by someone"),
        (state(status="exited", exit_code=130), "stopped by someone"),
        (state(status="exited", exit_code=1, restart_policy="always"), "stopped by someone"),
        (state(status="exited", exit_code=1, restart_policy="unless-stopped"), "stopped by someone"),
        (state(status="paused"), "paused by someone"),
        (state(status="created"), "never started"),
        (state(status="restarting", exit_code=3, restarts=7), "restarted by Docker 7 times, last exit code 3"),
        (state(status="removing"), "web is removing"),
        (state(status="dead"), "web is dead"),
        (state(health="starting"), "still starting"),
    ],
)
def test_what_a_person_did_and_what_would_not_help_is_left_alone(container: ContainerState, reason: str) -> None:
    advice = judge(container, ["probe web/live: refused"], KEEP)

    assert advice.action is None
    assert reason in advice.reason
    assert advice.may_be_well == (container.health == "starting" or container.status == "restarting")


@pytest.mark.parametrize("health", ["none", "healthy", "unhealthy"])
def test_a_database_that_recovers_by_its_own_word_is_left_alone(health: Any) -> None:
    """After a restart its recovery would start over."""
    failing = ["probe db/live: the database system is starting up"]
    advice = judge(state(health=health), failing, KEEP, starting=True)

    assert (advice.action, advice.may_be_well) == (None, True)
    assert "the database system is starting up; after a restart it would have to start over" in advice.reason
    assert judge(state(status="exited", exit_code=1), failing, KEEP, starting=True).action == "start"


@pytest.mark.parametrize("health", ["none", "healthy"])
def test_what_is_well_is_left_alone(health: Any) -> None:
    advice = judge(state(health=health), [], KEEP)

    assert (advice.action, advice.may_be_well) == (None, True)


def inspected(**changes: Any) -> dict[str, Any]:
    return {"Id": "1", "Name": "/web", "State": {"Status": "running"}, "Config": {}, "HostConfig": {}, **changes}


@pytest.mark.parametrize(
    ("restarts", "seconds", "dies"), [(3, 10, True), (2, 10, False), (30, 119, True), (30, 121, False)]
)
def test_what_dies_over_and_over_is_not_restarted_while_it_happens_to_run(
    restarts: int, seconds: float, dies: bool
) -> None:
    container = state(restarts=restarts, started_at="2026-11-28T01:00:00.123456789Z")
    now = datetime(2026, 11, 28, 1, tzinfo=UTC).timestamp() + seconds
    advice = judge(container, ["probe web/live: refused"], KEEP, now=now)
    assert (advice.action is None) == dies
    assert ("it dies over and over, restarted by Docker" in advice.reason) == dies
    assert judge(container, [], KEEP, now=now).action is None, "nothing fails"


def test_parse_state_of_the_bare_minimum() -> None:
    assert parse_state({"Id": "1", "Name": "/web", "State": {"Status": "running"}}) == RUNNING


def test_parse_state_of_everything() -> None:
    parsed = parse_state(
        inspected(
            State={
                "Status": "running",
                "ExitCode": 2,
                "OOMKilled": True,
                "Error": "no\nroom",
                "StartedAt": "2026-01-01T00:00:00.5Z",
                "Health": {
                    "Status": "unhealthy",
                    "Log": [
                        {"ExitCode": 1, "Output": "first"},
                        {"ExitCode": 1, "Output": "cannot\n\x1b[31mconnect\x00"},
                        {"ExitCode": 0, "Output": "fine"},
                    ],
                },
            },
            Config={
                "Labels": {"a": "b"},
                "StopTimeout": 3,
                "Healthcheck": {"Interval": 2 * 10**9, "Timeout": 10**9, "Retries": 4, "StartPeriod": 60 * 10**9},
            },
            HostConfig={"RestartPolicy": {"Name": "always"}},
            RestartCount=5,
        )
    )

    assert parsed == ContainerState(
        id="1",
        name="web",
        status="running",
        health="unhealthy",
        health_output="cannot [31mconnect",
        health_seconds=60 + 5 * 3,
        started_at="2026-01-01T00:00:00.5Z",
        exit_code=2,
        oom_killed=True,
        error="no room",
        restarts=5,
        restart_policy="always",
        stop_seconds=3,
        labels={"a": "b"},
    )


def test_a_health_check_without_settings_has_the_engines_defaults() -> None:
    parsed = parse_state(
        inspected(
            State={"Status": "running", "Health": {"Status": "starting", "Log": None}},
            Config={"Healthcheck": {"Test": ["CMD", "true"], "Interval": 0, "Retries": 0}},
        )
    )

    assert parsed.health_seconds == 4 * (30 + 30)


@pytest.mark.parametrize(("given", "taken"), [(None, 10), (0, 0), (299, 299), (3600, 300), (-1, 300)])
def test_stop_seconds_are_bounded(given: int | None, taken: int) -> None:
    assert parse_state(inspected(Config={"StopTimeout": given})).stop_seconds == taken


def test_output_of_a_container_is_one_short_line() -> None:
    assert one_line("a\r\n\tb\u2028c\x07") == "a b c"
    assert one_line("x" * 200) == "x" * 200
    assert one_line("x" * 201) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("container", "failing", "words"),
    [
        (state(), [], "running"),
        (state(health="healthy"), ["probe web/live: refused"], "healthy; probe web/live: refused"),
        (state(health="unhealthy", health_output="refused"), [], "unhealthy: refused"),
        (state(status="exited", exit_code=3, health="unhealthy", health_output="old"), [], "exited with code 3"),
        (state(status="exited", exit_code=137, oom_killed=True), [], "exited with code 137, out of memory"),
        (state(status="exited", exit_code=128, error="port in use"), [], "exited with code 128: port in use"),
    ],
)
def test_describe(container: ContainerState, failing: list[str], words: str) -> None:
    assert describe(container, failing) == words
