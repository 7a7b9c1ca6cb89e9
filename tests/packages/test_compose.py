"""compose.yaml, judged by Compose itself and by our own audit, and what its proxies let through."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.docker.engine import DockerEngine, EngineRefused
from exporter.inventory.docker import CleanupPolicy, Docker
from remediator.tasks.docker_cleanup.task import TARGET, DockerCleanup
from remediator.tasks.service_restart.restarter import Pacing
from remediator.tasks.service_restart.task import ServiceRestart
from scripts import stack_configs
from tests.compose import require_compose
from tests.dockerd import Dockerd
from tests.exporter.findings.inputs import audit
from tests.exporter.process import ExporterProcess
from tests.helpers import wait_until
from tests.packages.filter_proxy import FilterProxy, filtering

ROOT = Path(__file__).resolve().parents[2]
STACK = yaml.safe_load((ROOT / "compose.yaml").read_text())
OWN = yaml.safe_load((ROOT / "packaging/compose/upkeeper.yml").read_text())
SERVICES: dict[str, Any] = STACK["services"]
NEVER = [
    ("POST", "/v1.41/containers/create"),
    ("POST", "/v1.41/containers/web/exec"),
    ("POST", "/v1.41/exec/1/start"),
    ("POST", "/v1.41/images/create"),
    ("POST", "/v1.41/volumes/create"),
    ("PUT", "/v1.41/containers/web/archive"),
    ("GET", "/v1.41/containers/web/archive"),
    ("GET", "/v1.41/containers/web/export"),
    ("GET", "/v1.41/containers/web/attach/ws"),
    ("GET", "/v1.41/images/web/get"),
    ("GET", "/v1.41/secrets"),
    ("GET", "/v1.41/containers/web/json/../archive"),
    ("DELETE", "/v1.41/volumes/data"),
    ("POST", "/v1.41/volumes/prune"),
    ("POST", "/v1.41/containers/prune"),
]
"""Each of these would be the host, its data, or the secrets of others."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with the secrets that the page has people make."""
    for name in ("compose.yaml", "packaging/compose", "prometheus/rules", "grafana"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (tmp_path / "secrets").mkdir(mode=0o700)
    for secret in ("alertmanager-token", "grafana-password"):
        (tmp_path / "secrets" / secret).write_text("of the test")
        (tmp_path / "secrets" / secret).chmod(0o440)
    return tmp_path


def test_compose_takes_it(project: Path) -> None:
    for compose in require_compose():
        judged = compose.config(project)
        assert not judged.refused, judged.complaint
        assert judged.complaint == ""
        assert judged.unset == frozenset()


async def test_our_own_audit_finds_nothing_of_weight(project: Path) -> None:
    settings = OWN["configuration"] | {"compose_files": [str(project / "compose.yaml")]}
    report = await audit(**settings)
    # docker-compose, where it is the one of 2021, does not take what Compose takes today.
    found = [each for each in report.findings if each.severity != "info" and each.check != "compose-config"]
    assert [str(each) for each in found] == []
    accepted = [each for result in report.results for each in result.accepted]
    assert [each.check for each in accepted] == ["privileges"] * 2, "the socket, which is for the proxies"


def test_each_service_has_no_rights_that_it_can_do_without() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not str(service.get("user", "10746")).startswith("0"), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["image"].startswith("${"), "an image can be pinned by its digest"
    with_socket = [name for name, each in SERVICES.items() if "docker.sock" in str(each.get("volumes"))]
    assert with_socket == ["docker-read", "docker-act"]


def test_the_configs_of_the_stack_are_those_that_ship_with_other_names() -> None:
    """`make docs` writes them."""
    assert {name: (stack_configs.STACK / name).read_text() for name in stack_configs.texts()} == stack_configs.texts()
    prometheus = yaml.safe_load(stack_configs.texts()["prometheus.yml"])
    targets = [each["static_configs"][0]["targets"][0] for each in prometheus["scrape_configs"]]
    assert {target.partition(":")[0] for target in targets} <= SERVICES.keys()


@pytest.mark.parametrize("name", ["docker-read", "docker-act"])
def test_nothing_that_would_be_the_host_passes(name: str) -> None:
    with filtering("/nowhere", SERVICES[name]["command"]) as proxy:
        assert [case for case in NEVER if proxy.allows(*case)] == []
        assert proxy.allows("GET", "/v1.41/containers/json")
        assert proxy.allows("DELETE", "/v1.41/containers/web") == (name == "docker-act")


@pytest.fixture
def proxied(clean_dockerd: Dockerd, request: pytest.FixtureRequest) -> Iterator[FilterProxy]:
    """An engine with something in each state, behind the proxy that the test names."""
    clean_dockerd.run("web", "[ -e /seen ] && touch /well; touch /seen; sleep 1000", healthcheck="[ -e /well ]")
    clean_dockerd.run("ended", "exit 3")
    clean_dockerd.network("own", {"com.docker.compose.project": "pa", "com.docker.compose.network": "own"})
    with filtering(clean_dockerd.host.removeprefix("unix://"), SERVICES[request.param]["command"]) as proxy:
        yield proxy


@pytest.mark.servers
@pytest.mark.parametrize("proxied", ["docker-read"], indirect=True)
async def test_the_exporter_needs_no_more_than_its_proxy_lets_through(
    proxied: FilterProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", proxied.host)
    async with ExporterProcess(
        tmp_path, "collectors: {docker_usage: {interval: 1s}, docker: {interval: 1s}}\n"
    ) as exporter:
        wanted = {
            "upkeeper_docker_up": 1.0,
            'upkeeper_collector_success{collector="docker"}': 1.0,
            'upkeeper_collector_success{collector="docker_usage"}': 1.0,
        }
        await wait_until(lambda: {name: exporter.metrics().get(name) for name in wanted}, equals=wanted)
        memory = 'upkeeper_container_memory_working_set_bytes{container="web"}'
        await wait_until(lambda: exporter.metrics().get(memory), what="the engine's own statistics")
    assert proxied.refused == []


@pytest.mark.servers
@pytest.mark.parametrize("proxied", ["docker-act"], indirect=True)
async def test_cleanup_and_restarts_need_no_more_than_their_proxy_lets_through(
    proxied: FilterProxy, clean_dockerd: Dockerd
) -> None:
    engine = DockerEngine(proxied.host)
    try:
        any_age = CleanupPolicy(containers_min_age=0, images_min_age=0, networks_min_age=0, build_cache_min_age=0)
        cleanup = DockerCleanup(engine, Docker(cleanup=any_age, cleanable_max_bytes=0))
        await wait_until(lambda: clean_dockerd.client.containers.get("ended").status, equals="exited")
        plan = await cleanup.plan(TARGET)
        assert {"remove-container", "remove-network"} <= {action.kind for action in plan.actions}
        for action in plan.actions:
            assert (await cleanup.apply(TARGET, action)).state == "done"
        restart = ServiceRestart([], engine, pacing=Pacing(attempts=1, backoff=0.02, poll=0.02, probes=1.0, settle=0.1))
        inspect = clean_dockerd.client.api.inspect_container
        await wait_until(lambda: inspect("web")["State"]["Health"]["Status"], equals="unhealthy")
        before = inspect("web")["State"]["StartedAt"]
        (action,) = (await restart.plan("web")).actions
        await restart.apply("web", action)
        assert inspect("web")["State"]["StartedAt"] > before
        with pytest.raises(EngineRefused):
            await engine.call(lambda client: client.create_container("x", "sh"))
    finally:
        engine.close()
    assert proxied.refused == ["POST /v1.41/containers/create"]
