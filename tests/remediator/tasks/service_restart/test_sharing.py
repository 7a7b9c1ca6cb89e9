"""service-restart of containers that share the network, the processes or the memory of another one."""

from collections.abc import Iterator
from typing import Any

import pytest

from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Probe, Service
from remediator.model.task import Action, Effect, Plan, TaskError
from remediator.tasks.service_restart.restarter import Pacing
from remediator.tasks.service_restart.task import ServiceRestart
from tests.dockerd import Dockerd
from tests.ports import free_port
from tests.remediator.tasks.service_restart.test_task import FAST, FOREVER, KEEP, RESTART, inspect, run_sick, started_at

pytestmark = pytest.mark.servers

HOUR = 3600 * 10**9


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    connection = DockerEngine(clean_dockerd.host)
    yield connection
    connection.close()


@pytest.fixture
def task(engine: DockerEngine) -> ServiceRestart:
    return ServiceRestart([], engine, pacing=FAST)


def namespace(dockerd: Dockerd, name: str, kind: str = "net") -> str:
    """The namespace that a container lives in, by the kernel's word."""
    container = dockerd.client.containers.get(name)
    found = container.exec_run(["busybox", "readlink", f"/proc/self/ns/{kind}"])
    assert found.exit_code == 0, found.output
    return str(found.output)


def joins(parent: str) -> dict[str, Any]:
    return {"network_mode": f"container:{parent}"}


async def apply_all(task: ServiceRestart, target: str, plan: Plan) -> list[Effect]:
    return [await task.apply(target, action) for action in plan.actions]


def summary(plan: Plan) -> list[tuple[str, str, str]]:
    return [(action.kind, action.object, action.reason) for action in plan.actions]


async def test_those_that_share_its_network_are_restarted_after_it(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    await run_sick(clean_dockerd, "vpn")
    clean_dockerd.run("client", FOREVER, **joins("vpn"))
    clean_dockerd.run("client-of-client", FOREVER, **joins("client"))
    clean_dockerd.run("stopped", FOREVER, **joins("vpn")).stop()
    clean_dockerd.run("other", FOREVER)
    other = started_at(clean_dockerd, "other")
    before, plan = await task.measure("vpn"), await task.plan("vpn")

    assert summary(plan) == [
        ("restart", "vpn", "unhealthy: no /ok here"),
        ("restart", "client", "client has the network of vpn"),
        ("restart", "client-of-client", "client-of-client has the network of client"),
    ]
    first = await task.apply("vpn", plan.actions[0])
    between = await task.measure("vpn")
    assert (between.breached, between.values["cut_off"]) == (True, 1)
    assert between.detail == "vpn: healthy; client is cut off from its network"
    rest = [await task.apply("vpn", action) for action in plan.actions[1:]]

    after = await task.measure("vpn")
    assert [effect.state for effect in (first, *rest)] == ["done"] * 3
    assert not after.breached
    assert task.improved(before, after)
    assert len({namespace(clean_dockerd, name) for name in ("vpn", "client", "client-of-client")}) == 1
    assert inspect(clean_dockerd, "stopped")["State"]["Status"] == "exited"
    assert started_at(clean_dockerd, "other") == other
    assert {effect.state for effect in await apply_all(task, "vpn", plan)} == {"skipped"}


@pytest.mark.parametrize(("mode", "kind"), [("pid_mode", "pid"), ("ipc_mode", "ipc")])
async def test_those_that_share_its_processes_or_memory_too(
    clean_dockerd: Dockerd, task: ServiceRestart, mode: str, kind: str
) -> None:
    """The processes of a container end with those whose namespace it joined, so that it has to be started."""
    await run_sick(clean_dockerd, "app", ipc_mode="shareable")
    clean_dockerd.run("debugger", FOREVER, **{mode: "container:app"})
    plan = await task.plan("app")

    effects = await apply_all(task, "app", plan)

    assert [effect.state for effect in effects] == ["done", "done"]
    assert namespace(clean_dockerd, "app", kind) == namespace(clean_dockerd, "debugger", kind)
    assert not (await task.measure("app")).breached


async def test_a_sharer_that_a_person_stopped_meanwhile_stays_stopped(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    await run_sick(clean_dockerd, "vpn")
    client = clean_dockerd.run("client", FOREVER, **joins("vpn"))
    plan = await task.plan("vpn")
    client.stop()

    effects = await apply_all(task, "vpn", plan)

    assert [effect.state for effect in effects] == ["done", "skipped"]
    assert inspect(clean_dockerd, "client")["State"]["Status"] == "exited"


async def test_one_whose_network_a_kept_container_shares_is_left_alone(
    clean_dockerd: Dockerd, task: ServiceRestart
) -> None:
    await run_sick(clean_dockerd, "vpn")
    clean_dockerd.run("client", FOREVER, labels=KEEP, **joins("vpn"))

    plan = await task.plan("vpn")

    assert plan.actions == ()
    assert plan.notes == ["client has the network of vpn, would be cut off and has the label upkeeper.keep."]


async def test_what_a_restart_by_hand_cut_off_is_restarted(clean_dockerd: Dockerd, task: ServiceRestart) -> None:
    vpn = clean_dockerd.run("vpn", FOREVER)
    clean_dockerd.run("client", FOREVER, **joins("vpn"))
    vpn.restart()
    assert namespace(clean_dockerd, "vpn") != namespace(clean_dockerd, "client")
    plan = await task.plan("vpn")
    assert summary(plan) == [("restart", "client", "client has the network of vpn")]
    assert plan.notes[-1] == "client has the network of vpn and is cut off."

    assert [effect.state for effect in await apply_all(task, "vpn", plan)] == ["done"]

    assert namespace(clean_dockerd, "vpn") == namespace(clean_dockerd, "client")


class TestWithoutItsParent:
    """Stopped, it could not be started again: it is better ill than gone."""

    async def child(self, dockerd: Dockerd) -> None:
        dockerd.run("vpn", FOREVER)
        await run_sick(dockerd, "client", **joins("vpn"))

    async def test_made_anew(self, clean_dockerd: Dockerd, task: ServiceRestart) -> None:
        await self.child(clean_dockerd)
        old = clean_dockerd.client.containers.get("vpn")
        old.remove(force=True)
        clean_dockerd.run("vpn", FOREVER)
        before = started_at(clean_dockerd, "client")

        plan = await task.plan("client")

        assert plan.actions == ()
        assert plan.notes == [
            f"client has the network of a container that is gone ({str(old.id)[:12]}) and could not be started again: "
            "recreate it, as with docker compose up -d --force-recreate."
        ]
        assert started_at(clean_dockerd, "client") == before

    async def test_stopped(self, clean_dockerd: Dockerd, task: ServiceRestart) -> None:
        await self.child(clean_dockerd)
        clean_dockerd.client.containers.get("vpn").stop()

        plan = await task.plan("client")

        assert (plan.actions, plan.notes) == (
            (),
            ["client has the network of vpn, which is exited: it would not start again."],
        )

    async def test_since_the_plan(self, clean_dockerd: Dockerd, task: ServiceRestart) -> None:
        await self.child(clean_dockerd)
        (action,) = (await task.plan("client")).actions
        clean_dockerd.client.containers.get("vpn").remove(force=True)

        effect = await task.apply("client", action)

        assert effect.state == "skipped"
        assert "is gone" in effect.detail
        assert inspect(clean_dockerd, "client")["State"]["Status"] == "running"

    async def test_running_again_it_is_restarted(self, clean_dockerd: Dockerd, task: ServiceRestart) -> None:
        await self.child(clean_dockerd)
        clean_dockerd.client.containers.get("vpn").restart()
        (action,) = (await task.plan("client")).actions

        assert (await task.apply("client", action)).state == "done"

        assert namespace(clean_dockerd, "vpn") == namespace(clean_dockerd, "client")


class TestHomonyms:
    """A service called db, served by the container pg, beside a container called db."""

    @pytest.fixture
    def services(self, engine: DockerEngine) -> ServiceRestart:
        return ServiceRestart(
            [Service(name="db", container="pg", probes=[Probe(url="tcp://127.0.0.1:1")])], engine, pacing=FAST
        )

    async def test_each_name_means_its_own(self, clean_dockerd: Dockerd, services: ServiceRestart) -> None:
        await run_sick(clean_dockerd, "pg")
        await run_sick(clean_dockerd, "db", labels=RESTART)
        pg = started_at(clean_dockerd, "pg")
        assert await services.targets() == ["db", "pg", "container:db"]
        (of_service,) = (await services.plan("db")).actions
        (of_container,) = (await services.plan("container:db")).actions
        assert (of_service.object, of_container.object) == ("pg", "db")

        assert (await services.apply("container:db", of_container)).state == "done"

        assert started_at(clean_dockerd, "pg") == pg
        assert (await services.measure("container:db")).detail == "db: healthy"

    async def test_a_container_that_nobody_allowed_is_left_alone(
        self, clean_dockerd: Dockerd, services: ServiceRestart
    ) -> None:
        await run_sick(clean_dockerd, "db")

        plan = await services.plan("container:db")

        assert (plan.actions, plan.notes) == (
            (),
            ["db is not a target: no service names it, and it lacks the label upkeeper.restart."],
        )


class TestSlowHealthChecks:
    """A health check that looks once an hour says nothing within any run."""

    def run(self, dockerd: Dockerd, command: str, **options: Any) -> None:
        health = {"test": ["CMD-SHELL", "true"], "interval": HOUR, "timeout": HOUR, "retries": 3}
        dockerd.client.containers.create(
            dockerd.import_busybox(),
            ["sh", "-c", command],
            name="web",
            healthcheck=health,
            stop_signal="SIGKILL",
            **{"network_mode": "none", **options},
        ).start()

    async def action(self, task: ServiceRestart, target: str) -> Action:
        (action,) = (await task.plan(target)).actions
        return action

    async def test_the_word_of_the_probes_counts(self, clean_dockerd: Dockerd, engine: DockerEngine) -> None:
        """Started for the first time it crashes, and then it serves."""
        port = free_port()
        probe = Probe(url=f"http://127.0.0.1:{port}/sh", expect_status=[200])
        service = Service(name="site", container="web", probes=[probe])
        task = ServiceRestart([service], engine, pacing=Pacing(attempts=1, poll=0.02, probes=20.0, settle=0.2))
        serve = f"[ -e /second ] && exec httpd -f -p 127.0.0.1:{port} -h /bin; echo > /second; exit 3"
        self.run(clean_dockerd, serve, network_mode="host")
        clean_dockerd.client.containers.get("web").wait()

        effect = await task.apply("site", await self.action(task, "site"))

        assert (effect.state, effect.detail) == (
            "done",
            "recovered after 1 restart; its health check has not reported yet",
        )
        assert not (await task.measure("site")).breached

    async def test_probes_that_fail_count_as_well(self, clean_dockerd: Dockerd, engine: DockerEngine) -> None:
        probe = Probe(url=f"http://127.0.0.1:{free_port()}/sh", expect_status=[200])
        service = Service(name="site", container="web", probes=[probe])
        task = ServiceRestart([service], engine, pacing=Pacing(attempts=1, poll=0.02, probes=0.5, settle=0.2))
        self.run(clean_dockerd, "[ -e /second ] && exec sleep 1000; echo > /second; exit 3")
        clean_dockerd.client.containers.get("web").wait()
        action = await self.action(task, "site")
        task.action_timeout = 3.0

        with pytest.raises(TaskError, match=r"^web has not recovered after 1 restart: starting; probe site/live: "):
            await task.apply("site", action)

    async def test_without_probes_it_must_run_as_long_as_there_is_time(
        self, clean_dockerd: Dockerd, engine: DockerEngine
    ) -> None:
        task = ServiceRestart([], engine, pacing=FAST)
        self.run(clean_dockerd, "[ -e /second ] && exec sleep 1000; echo > /second; exit 3")
        clean_dockerd.client.containers.get("web").wait()
        action = await self.action(task, "web")
        task.action_timeout = 6.0

        effect = await task.apply("web", action)

        assert (effect.state, effect.detail) == (
            "done",
            "recovered after 1 restart; its health check has not reported yet",
        )
