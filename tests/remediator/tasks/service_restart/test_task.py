"""service-restart against a private engine."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from exporter.docker.engine import DockerEngine, DockerUnavailable
from exporter.inventory.services import Probe, Service
from remediator.model.task import Action, TaskError
from remediator.tasks.service_restart.restarter import Pacing
from remediator.tasks.service_restart.task import ServiceRestart
from tests.dockerd import Dockerd
from tests.helpers import wait_until
from tests.ports import free_port
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers

FAST = Pacing(attempts=3, backoff=0.03, poll=0.02, probes=20.0, settle=0.5)
RESTART = {"upkeeper.restart": "true"}
KEEP = {"upkeeper.keep": "true"}
FOREVER = "sleep 1000"
HEALS = "echo > /ok; sleep 1000"
IS_OK = "[ -e /ok ] || { echo no /ok here; exit 1; }"
HANG_GUARD = 60.0


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    connection = DockerEngine(clean_dockerd.host)
    yield connection
    connection.close()


@pytest.fixture
def task(engine: DockerEngine) -> ServiceRestart:
    return ServiceRestart([], engine, pacing=FAST)


def inspect(dockerd: Dockerd, name: str) -> Any:
    return dockerd.client.api.inspect_container(name)


def started_at(dockerd: Dockerd, name: str) -> str:
    return str(inspect(dockerd, name)["State"]["StartedAt"])


async def becomes(dockerd: Dockerd, name: str, health: str) -> None:
    await wait_until(lambda: inspect(dockerd, name)["State"]["Health"]["Status"] == health, what=f"{name} {health}")


async def run_sick(dockerd: Dockerd, name: str, **options: Any) -> None:
    """A container that is unhealthy until it is restarted."""
    container = dockerd.run(name, HEALS, healthcheck=IS_OK, **options)
    await becomes(dockerd, name, "healthy")
    container.exec_run(["rm", "/ok"])
    await becomes(dockerd, name, "unhealthy")


async def run_incurable(dockerd: Dockerd, name: str, **options: Any) -> None:
    """A container that stays unhealthy, and counts its starts in /starts."""
    dockerd.run(name, "echo >> /starts; sleep 1000", healthcheck="echo cannot connect; exit 1", **options)
    await becomes(dockerd, name, "unhealthy")


def starts(dockerd: Dockerd, name: str) -> int:
    return bytes(dockerd.client.containers.get(name).exec_run(["cat", "/starts"]).output).count(b"\n")  # type: ignore[arg-type]


async def only_action(task: ServiceRestart, target: str) -> Action:
    plan = await task.plan(target)
    assert len(plan.actions) == 1, plan
    return plan.actions[0]


async def test_it_heals_an_unhealthy_container_and_touches_no_other(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    await run_sick(clean_dockerd, "sick")
    await run_sick(clean_dockerd, "other")
    clean_dockerd.run("running", FOREVER)
    others = {name: inspect(clean_dockerd, name)["State"]["StartedAt"] for name in ("other", "running")}
    before = await task.measure("sick")
    action = await only_action(task, "sick")
    assert (action.kind, action.object, action.reason) == ("restart", "sick", "unhealthy: no /ok here")

    effect = await task.apply("sick", action)

    after = await task.measure("sick")
    assert (effect.state, effect.detail) == ("done", "recovered after 1 restart")
    assert (before.breached, before.detail) == (True, "sick: unhealthy: no /ok here")
    assert (after.breached, after.detail) == (False, "sick: healthy")
    assert task.improved(before, after)
    assert {name: started_at(clean_dockerd, name) for name in others} == others


async def test_planning_restarts_nothing(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    await run_sick(clean_dockerd, "sick")
    before = started_at(clean_dockerd, "sick")

    await task.measure("sick")
    await task.plan("sick")

    assert started_at(clean_dockerd, "sick") == before


async def test_it_gives_up_on_what_does_not_heal(clean_dockerd: Dockerd, engine: DockerEngine) -> None:
    await run_incurable(clean_dockerd, "incurable")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(seconds)

    task = ServiceRestart([], engine, pacing=FAST, sleep=sleep)
    before, action = await task.measure("incurable"), await only_action(task, "incurable")

    with pytest.raises(TaskError, match=r"^incurable has not recovered after 3 restarts: unhealthy: cannot connect$"):
        await task.apply("incurable", action)

    assert starts(clean_dockerd, "incurable") == 1 + FAST.attempts
    assert [pause for pause in pauses if pause != FAST.poll] == [FAST.backoff, 2 * FAST.backoff]
    assert not task.improved(before, await task.measure("incurable"))


async def test_a_crashed_container_is_started(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    clean_dockerd.run("crashed", "[ -e /second ] && exec sleep 1000; echo > /second; exit 3").wait()
    action = await only_action(task, "crashed")
    assert (action.kind, action.reason) == ("start", "exited with code 3")

    assert (await task.apply("crashed", action)).state == "done"

    assert inspect(clean_dockerd, "crashed")["State"]["Status"] == "running"


async def test_it_gives_up_on_what_crashes_at_every_start(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    clean_dockerd.run("crashing", "exit 3").wait()
    action = await only_action(task, "crashing")

    with pytest.raises(TaskError, match=r"^crashing has not recovered after 3 restarts: exited with code 3$"):
        await task.apply("crashing", action)


async def test_it_gives_up_on_what_crashes_a_moment_after_each_start(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    clean_dockerd.run("crashing", "[ -e /second ] && sleep 0.2; echo > /second; exit 3").wait()
    action = await only_action(task, "crashing")

    with pytest.raises(TaskError, match=r"^crashing has not recovered after 3 restarts: exited with code 3$"):
        await task.apply("crashing", action)


async def test_a_crash_that_the_engine_covers_up_is_noticed(clean_dockerd: Dockerd, engine: DockerEngine) -> None:
    """By its restart policy it runs again at once; only that it was started anew tells of the crash."""
    clean_dockerd.run(
        "crashing",
        "echo >> /starts; case $(cat /starts | wc -l) in 1|2) exit 3;; 3) sleep 0.2; exit 3;; *) sleep 1000;; esac",
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 1},
    )
    await wait_until(lambda: inspect(clean_dockerd, "crashing")["State"]["Status"] == "exited")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(seconds)

    unhurried = replace(FAST, poll=3.0, settle=1.0)  # the second look finds it running again
    task = ServiceRestart([], engine, pacing=unhurried, sleep=sleep)

    effect = await task.apply("crashing", await only_action(task, "crashing"))

    assert (effect.state, effect.detail) == ("done", "recovered after 1 restart")
    assert FAST.backoff in pauses, "the first start was taken for a good one"
    assert starts(clean_dockerd, "crashing") == 4


async def test_a_container_that_recovers_between_two_attempts_is_not_restarted_again(
    clean_dockerd: Dockerd, engine: DockerEngine
) -> None:
    container = clean_dockerd.run("slow", "echo >> /starts; sleep 1000", healthcheck="[ -e /ok ]")
    await becomes(clean_dockerd, "slow", "unhealthy")

    async def sleep(seconds: float) -> None:
        if seconds == FAST.backoff:
            container.exec_run(["touch", "/ok"])
            await becomes(clean_dockerd, "slow", "healthy")
        await asyncio.sleep(seconds)

    task = ServiceRestart([], engine, pacing=FAST, sleep=sleep)

    effect = await task.apply("slow", await only_action(task, "slow"))

    assert (effect.state, effect.detail) == ("done", "recovered after 1 restart")
    assert starts(clean_dockerd, "slow") == 2


async def test_a_container_that_the_engine_restarts_over_and_over_does_not_count_as_well(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    container = clean_dockerd.run(
        "looping",
        "[ -e /broken ] && exit 3; echo > /ok; sleep 1000",
        healthcheck=IS_OK,
        restart_policy={"Name": "always"},
    )
    await becomes(clean_dockerd, "looping", "healthy")
    container.exec_run(["sh", "-c", "echo > /broken; rm /ok"])
    await becomes(clean_dockerd, "looping", "unhealthy")
    action = await only_action(task, "looping")

    with pytest.raises(TaskError, match=r"^looping has not recovered after 1 restart: "):
        await task.apply("looping", action)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("healthy", "healthy is healthy."),
        ("unchecked", "unchecked is running, and nothing that checks it fails."),
        ("starting", "starting is still starting."),
        ("kept", "kept has the label upkeeper.keep."),
        ("stopped", "stopped was stopped by someone: exit code 137."),
        ("stopped-always", "stopped-always was stopped by someone: its restart policy is always."),
        ("finished", "finished has finished or was stopped: exit code 0."),
        ("paused", "paused was paused by someone."),
        ("created", "created was never started."),
    ],
)
async def test_what_it_leaves_alone(clean_dockerd: Dockerd, task: ServiceRestart, name: str, reason: str) -> None:
    run: dict[str, Callable[[], Any]] = {
        "healthy": lambda: clean_dockerd.run(name, HEALS, healthcheck=IS_OK),
        "unchecked": lambda: clean_dockerd.run(name, FOREVER),
        "starting": lambda: clean_dockerd.run(name, FOREVER, healthcheck="sleep 4; exit 1"),
        "kept": lambda: clean_dockerd.run(name, FOREVER, healthcheck="exit 1", labels=KEEP),
        "stopped": lambda: clean_dockerd.run(name, FOREVER).stop(),
        "stopped-always": lambda: clean_dockerd.run(name, FOREVER, restart_policy={"Name": "always"}).stop(),
        "finished": lambda: clean_dockerd.run(name, "exit 0").wait(),
        "paused": lambda: clean_dockerd.run(name, FOREVER).pause(),
        "created": lambda: clean_dockerd.run(name, FOREVER, start=False),
    }
    run[name]()
    if name in ("healthy", "kept"):
        await becomes(clean_dockerd, name, "healthy" if name == "healthy" else "unhealthy")

    plan = await task.plan(name)

    assert (plan.actions, plan.notes) == ((), [reason])


class TestChangedSinceThePlan:
    async def test_a_second_apply_does_not_restart_again(self, clean_dockerd: Dockerd, task: ServiceRestart) -> None:
        await run_sick(clean_dockerd, "sick")
        action = await only_action(task, "sick")
        await task.apply("sick", action)
        before = started_at(clean_dockerd, "sick")

        effect = await task.apply("sick", action)

        assert (effect.state, effect.detail) == ("skipped", "it was started again since the plan, and has recovered")
        assert started_at(clean_dockerd, "sick") == before

    async def test_a_sick_container_that_was_restarted_already_is_not_restarted_again(
        self, clean_dockerd: Dockerd, task: ServiceRestart
    ) -> None:
        await run_incurable(clean_dockerd, "incurable")
        action = await only_action(task, "incurable")
        clean_dockerd.client.containers.get("incurable").restart()

        with pytest.raises(TaskError, match="was started again since the plan, but has not recovered: unhealthy"):
            await task.apply("incurable", action)

        assert starts(clean_dockerd, "incurable") == 2

    async def test_a_container_that_recovered_is_not_restarted(
        self, clean_dockerd: Dockerd, task: ServiceRestart
    ) -> None:
        await run_sick(clean_dockerd, "sick")
        action = await only_action(task, "sick")
        clean_dockerd.client.containers.get("sick").exec_run(["touch", "/ok"])
        await becomes(clean_dockerd, "sick", "healthy")
        before = started_at(clean_dockerd, "sick")

        effect = await task.apply("sick", action)

        assert (effect.state, effect.detail) == ("skipped", "sick is healthy")
        assert started_at(clean_dockerd, "sick") == before

    async def test_a_container_that_a_person_stopped_stays_stopped(
        self, clean_dockerd: Dockerd, task: ServiceRestart
    ) -> None:
        await run_sick(clean_dockerd, "sick")
        action = await only_action(task, "sick")
        clean_dockerd.client.containers.get("sick").stop()

        assert (await task.apply("sick", action)).state == "skipped"
        assert inspect(clean_dockerd, "sick")["State"]["Status"] == "exited"

    async def test_a_container_that_a_person_stops_between_two_attempts_stays_stopped(
        self, clean_dockerd: Dockerd, engine: DockerEngine
    ) -> None:
        await run_incurable(clean_dockerd, "incurable")

        async def sleep(seconds: float) -> None:
            if seconds == FAST.backoff:
                clean_dockerd.client.containers.get("incurable").stop()
            await asyncio.sleep(seconds)

        task = ServiceRestart([], engine, pacing=FAST, sleep=sleep)
        action = await only_action(task, "incurable")

        with pytest.raises(TaskError, match=r"^gave up after 1 restart: incurable was stopped by someone"):
            await task.apply("incurable", action)

        assert inspect(clean_dockerd, "incurable")["State"]["Status"] == "exited"

    async def test_another_container_of_the_same_name_is_not_touched(
        self, clean_dockerd: Dockerd, task: ServiceRestart
    ) -> None:
        await run_sick(clean_dockerd, "sick")
        action = await only_action(task, "sick")
        clean_dockerd.client.containers.get("sick").remove(force=True)
        await run_sick(clean_dockerd, "sick")
        before = started_at(clean_dockerd, "sick")

        effect = await task.apply("sick", action)

        assert (effect.state, effect.detail) == ("skipped", "the container is gone")
        assert started_at(clean_dockerd, "sick") == before


class TestServices:
    """A service in the config selects its container, and its probes count as well."""

    def service(self, container: str | None = "web", *, port: int) -> Service:
        return Service(
            name="site", container=container, probes=[Probe(url=f"http://127.0.0.1:{port}/sh", expect_status=[200])]
        )

    async def test_a_container_whose_probe_fails_is_restarted_until_it_succeeds(
        self, clean_dockerd: Dockerd, engine: DockerEngine
    ) -> None:
        port = free_port()
        task = ServiceRestart([self.service(port=port)], engine, pacing=FAST)
        serve = f"[ -e /second ] && exec httpd -f -p 127.0.0.1:{port} -h /bin; echo > /second; sleep 1000"
        clean_dockerd.run("web", serve, network_mode="host")
        before, action = await task.measure("site"), await only_action(task, "site")
        assert before.values["probes_failing"] == 1
        assert action.reason.startswith("running; probe site/live: ")

        effect = await task.apply("site", action)

        after = await task.measure("site")
        assert (effect.state, after.breached, after.values["probes_failing"]) == ("done", False, 0)
        assert task.improved(before, after)
        assert (await task.measure("web")) == after, "the container's own name measures the same"

    async def test_a_container_with_a_probe_of_its_own_in_its_labels(
        self, clean_dockerd: Dockerd, task: ServiceRestart
    ) -> None:
        port = free_port()
        labels = {**RESTART, "upkeeper.probe.url": f"http://127.0.0.1:{port}/sh"}
        serve = f"[ -e /second ] && exec httpd -f -p 127.0.0.1:{port} -h /bin; echo > /second; sleep 1000"
        clean_dockerd.run("web", serve, network_mode="host", labels=labels)
        action = await only_action(task, "web")
        assert action.reason.startswith("running; probe web/live: ")

        assert (await task.apply("web", action)).state == "done"

        assert not (await task.measure("web")).breached

    async def test_it_gives_up_when_the_probe_goes_on_failing(
        self, clean_dockerd: Dockerd, engine: DockerEngine
    ) -> None:
        pacing = Pacing(attempts=2, backoff=0.01, poll=0.02, probes=0.2)
        task = ServiceRestart([self.service(port=free_port())], engine, pacing=pacing)
        clean_dockerd.run("web", FOREVER)
        action = await only_action(task, "site")

        with pytest.raises(TaskError, match=r"^web has not recovered after 2 restarts: running; probe site/live: "):
            await task.apply("site", action)

    async def test_a_frozen_database_is_restarted_and_one_that_shuts_down_is_not(
        self, clean_dockerd: Dockerd, engine: DockerEngine, postgres_factory: Callable[..., PostgresServer]
    ) -> None:
        """The server runs beside the engine, not in the container, for which there is no image here."""
        server = postgres_factory()
        probe = Probe(url=f"postgres://127.0.0.1:{server.port}", timeout=1)
        task = ServiceRestart([Service(name="db", container="web", probes=[probe])], engine, pacing=FAST)
        clean_dockerd.run("web", FOREVER)
        assert not (await task.plan("db")).actions
        with server.hung():
            action = await only_action(task, "db")
        assert (action.kind, action.object) == ("restart", "web")
        with server.connect():  # for which a smart shutdown waits
            os.kill(server.pid, signal.SIGTERM)
            await wait_until(lambda: measured(task, "db"), what="the server to say that it shuts down")
            plan = await task.plan("db")
            effect = await task.apply("db", action)
        assert not plan.actions
        assert "the database system is shutting down; after a restart it would have to start over" in plan.notes[0]
        assert effect.state == "skipped"

    async def test_targets_are_configured_or_labelled(self, clean_dockerd: Dockerd, engine: DockerEngine) -> None:
        services: Sequence[Service] = [
            self.service(port=1),
            Service(name="elsewhere", probes=[Probe(url="tcp://127.0.0.1:1")]),
        ]
        clean_dockerd.run("labelled", FOREVER, labels=RESTART)
        clean_dockerd.run("labelled-exited", "exit 1", labels=RESTART).wait()
        clean_dockerd.run("labelled-no", FOREVER, labels={"upkeeper.restart": "false"})
        clean_dockerd.run("plain", FOREVER)

        assert await ServiceRestart(services, engine).targets() == ["site", "web", "labelled", "labelled-exited"]


async def measured(task: ServiceRestart, target: str) -> bool:
    return (await task.measure(target)).breached


async def test_only_an_exact_name_selects_a_container(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    await run_sick(clean_dockerd, "sick")
    key = str(inspect(clean_dockerd, "sick")["Id"])

    for target in (
        key,
        key[:12],
        "sic",
        "/sick",
        "../sick",
        "sick/restart",
        "sick; rm -rf /",
        "sick\0",
        "SICK",
        "ѕick",
    ):
        for attempt in (task.measure(target), task.plan(target)):
            with pytest.raises(TaskError, match="there is no container"):
                await attempt


async def test_a_hung_engine_is_an_error_in_time(clean_dockerd: Dockerd) -> None:
    await run_sick(clean_dockerd, "sick", labels=RESTART)
    engine = DockerEngine(clean_dockerd.host, timeout=1.0)
    task = ServiceRestart([], engine, pacing=FAST)
    action = await only_action(task, "sick")

    with clean_dockerd.hung():
        async with asyncio.timeout(HANG_GUARD):
            for attempt in (task.measure("sick"), task.plan("sick"), task.apply("sick", action)):
                with pytest.raises(DockerUnavailable, match=r"did not answer|cannot reach"):
                    await attempt
            assert await task.targets() == []

    assert (await task.apply("sick", action)).state == "done"
    assert await task.targets() == ["sick"]
    engine.close()


async def test_without_an_engine_configured_targets_remain(dockerd_factory: Callable[[], Dockerd]) -> None:
    engine = DockerEngine(dockerd_factory().host)
    service = Service(name="site", container="web", probes=[Probe(url="tcp://127.0.0.1:1")])
    task = ServiceRestart([service], engine)

    assert await task.targets() == ["site", "web"]
    with pytest.raises(DockerUnavailable, match="cannot reach the Docker engine"):
        await task.plan("site")
    engine.close()


async def test_a_container_that_dies_over_and_over_is_explained(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    """With what it said, but for what is secret in its environment."""
    clean_dockerd.run(
        "dying", "echo no space left on device, said hunter2-hunter2; exit 3", labels=RESTART,
        environment={"DB_PASSWORD": "hunter2-hunter2"}, restart_policy={"Name": "always"},
    )  # fmt: skip
    await wait_until(lambda: inspect(clean_dockerd, "dying")["RestartCount"] >= 3, what="Docker to restart it")
    await wait_until(lambda: inspect(clean_dockerd, "dying")["State"]["Status"] == "restarting", what="it to wait")
    plan = await task.plan("dying")
    assert not plan.actions
    assert plan.notes[0].startswith("dying crashes over and over: restarted by Docker")
    assert plan.notes[1] == "It looks as if the disk is full for it: make room."
    assert plan.notes[2].startswith("It said last: no space left on device, said ")
    assert "hunter2" not in " ".join(plan.notes)
