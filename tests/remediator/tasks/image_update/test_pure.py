"""What image-update decides, without anything running."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from exporter.inventory.services import Probe, Service
from exporter.probing.result import ProbeResult
from remediator.tasks.image_update.alerts import concerns
from remediator.tasks.image_update.choose import Candidate, judge, without_image_label
from remediator.tasks.image_update.distribution import Platform, RemoteImage
from remediator.tasks.image_update.images import former_name, said
from remediator.tasks.image_update.look import together
from remediator.tasks.image_update.overrides import Pin, in_force
from remediator.tasks.image_update.references import Reference, parse
from remediator.tasks.image_update.services import LocalImage, Member, in_order, member_of
from remediator.tasks.image_update.versions import Told, breaks, newer
from remediator.tasks.image_update.watch import Patience, Watch, Watched

DIGEST = f"sha256:{'d' * 64}"
NOW = 1_795_800_000.0  # 2026-11-27
DAY = 86400.0


@pytest.mark.parametrize(
    ("text", "registry", "path", "tag", "digest"),
    [
        ("postgres", "docker.io", "library/postgres", "latest", ""),
        ("postgres:16-alpine", "docker.io", "library/postgres", "16-alpine", ""),
        ("n8nio/n8n:1.2", "docker.io", "n8nio/n8n", "1.2", ""),
        ("docker.io/library/redis:7", "docker.io", "library/redis", "7", ""),
        ("ghcr.io/open-webui/open-webui:main", "ghcr.io", "open-webui/open-webui", "main", ""),
        ("localhost/app", "localhost", "app", "latest", ""),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "a/b", "1", ""),
        (f"app@{DIGEST}", "docker.io", "library/app", "", DIGEST),
        (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io", "a/b", "1", DIGEST),
    ],
)
def test_names_of_images(text: str, registry: str, path: str, tag: str, digest: str) -> None:
    assert parse(text) == Reference(registry, path, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:" + "a" * 64 + "/x",
        "UPPER",
        "a b",
        "app@sha256:12",
        "app:ta/g:x",
        "-x",
        "a//b",
        "${X}",
        "a:",
        "../x",
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert parse(text) is None


@given(some.text(max_size=60))
def test_any_text_is_a_name_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or parse(found.pinned(DIGEST)) == replace(found, digest=DIGEST)


@pytest.mark.parametrize(
    ("tag", "tags", "same", "majors"),
    [
        ("16.3", ["16.4", "16.10", "16", "17.1", "16.4-alpine", "15.9", "latest"], ["16.10", "16.4"], ["17.1"]),
        ("16-alpine", ["17-alpine", "18", "16-alpine"], [], ["17-alpine"]),
        ("v1.2.3", ["v1.2.4", "1.2.5", "v1.2.4-rc1", "v2.0.0"], ["v1.2.4"], ["v2.0.0"]),
        ("0.3.1", ["0.3.2", "0.4.0"], ["0.3.2"], ["0.4.0"]),
        ("2025.12.0", ["2026.01.0", "5.26.0"], ["2026.01.0"], []),
        ("5.26.0", ["2026.09.0", "5.26.1"], ["5.26.1"], ["2026.09.0"]),
        ("latest", ["1", "2"], [], []),
        ("main", ["main-2"], [], []),
        ("20240101123456", ["20250101123456"], [], []),
    ],
)  # fmt: skip
def test_newer_versions_of_the_same_kind(tag: str, tags: list[str], same: list[str], majors: list[str]) -> None:
    assert newer(tag, tags) == (same, majors)


def told(path: str = "app", tag: str = "latest", version: str = "", **environment: str) -> Told:
    return Told(environment, {"org.opencontainers.image.version": version} if version else {}, path, tag)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (told("library/postgres", PG_MAJOR="15"), told("library/postgres", PG_MAJOR="16"), "PostgreSQL 15 to 16"),
        (told("library/postgres", PG_MAJOR="15"), told("library/postgres", PG_MAJOR="15"), ""),
        (told("other/db", PG_MAJOR="15"), told("other/db", PG_MAJOR="16"), "PostgreSQL 15 to 16"),
        (told("pgvector/pgvector", "pg15"), told("pgvector/pgvector", "pg16"), "PostgreSQL 15 to 16"),
        (
            told("library/neo4j", NEO4J_TARBALL="neo4j-community-5.26.0-unix.tar.gz"),
            told("library/neo4j", NEO4J_TARBALL="neo4j-community-2026.09.0-unix.tar.gz"),
            "Neo4j 5.26.0 to 2026.09.0".replace(".09", ".9"),
        ),
        (told(version="1.9"), told(version="2.0"), "1.9 to 2.0"),
        (told(version="1.9"), told(version="1.10"), ""),
        (told(tag="1"), told(tag="2"), "1 to 2"),
        (told(), told(), ""),
    ],
)
def test_major_versions_are_told_apart(before: Told, after: Told, said: str) -> None:
    assert breaks(before, after) == said


def candidate(created: str, before: Told, after: Told) -> Candidate:
    image = Reference("docker.io", after.path, after.tag)
    local = LocalImage("sha256:1", frozenset(), Platform("linux", "amd64"), "", before.environment, before.labels)
    remote = RemoteImage(DIGEST, frozenset({DIGEST}), created, after.environment, after.labels)
    return Candidate(image, replace(image, tag=before.tag), local, remote)


OLD, NEW, UNKNOWN = "2026-11-01T00:00:00Z", "2026-11-27T00:00:00Z", "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("created", "asked", "hold"),
    [
        (OLD, {}, ""),
        (NEW, {}, "was built"),
        (NEW, {"young": True}, ""),
        (UNKNOWN, {}, "is not told"),
        (UNKNOWN, {"young": True}, ""),
        ("2030-01-01T00:00:00Z", {}, "was built"),
    ],
)
def test_it_is_old_enough_or_waits(created: str, asked: dict[str, Any], hold: str) -> None:
    verdict = judge(candidate(created, told(), told()), 3 * DAY, NOW, **asked)
    assert hold in verdict.hold
    assert verdict.pending == (not hold) == (not verdict.hold)


def test_a_major_version_is_asked_for_and_that_of_a_database_never_crossed() -> None:
    program = candidate(OLD, told(version="1.9"), told(version="2.0"))
    assert "major=true" in judge(program, 0, NOW).hold
    assert not judge(program, 0, NOW, major=True).hold
    database = candidate(OLD, told("postgres", PG_MAJOR="15"), told("postgres", PG_MAJOR="16"))
    assert "export, update by hand" in judge(database, 0, NOW, major=True, young=True).hold


def test_the_label_of_an_image_lets_nobody_update_by_himself() -> None:
    assert without_image_label("auto", {}, None) == "auto"
    assert without_image_label("auto", {"upkeeper.update": "auto"}, None) == "approve"
    assert without_image_label("auto", {"upkeeper.update": "auto"}, "auto") == "auto", "the config says so too"
    assert without_image_label("never", {"upkeeper.update": "never"}, "auto") == "never"


def test_a_digest_counts_while_the_users_files_say_what_they_said() -> None:
    pins = {"a": Pin(image=f"a:1@{DIGEST}", made_for="a:1"), "b": Pin(image=f"b:1@{DIGEST}", made_for="b:1")}
    assert set(in_force(pins, {"a": "a:1", "b": "b:2"})) == {"a"}
    assert in_force(pins, {}) == {}


def test_alerts_of_a_service() -> None:
    def about(**labels: str) -> bool:
        return concerns(labels, {"pa-app-1"}, "pa", {"app", "application"})

    assert about(container="pa-app-1")
    assert about(name="pa-app-1")
    assert about(target="application")
    assert about(compose_service="app", compose_project="pa")
    assert not about(compose_service="app", compose_project="other")
    assert not about(container="pa-db-1")
    assert not about(alertname="Watchdog")


def container(name: str, project: str = "pa", joined: str = "", **labels: str) -> Member:
    inspected = {
        "Id": name * 12, "Name": f"/{name}", "Image": "sha256:1", "State": {"Status": "running"},
        "Config": {
            "Image": "app:1",
            "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": name, **labels},
        },
        "HostConfig": {"NetworkMode": f"container:{joined * 12}"} if joined else {},
    }  # fmt: skip
    found = member_of(inspected)
    assert found is not None
    return found


def test_what_goes_with_a_service() -> None:
    app = container("app")
    depends = {"com.docker.compose.depends_on": "db:service_started:false,app:service_healthy:true"}
    all_of_them = [app, container("side", joined="app"), container("web", **depends), container("db")]
    states = [each.state for each in all_of_them]
    sharers, restarted, left_out = together([app], all_of_them, states, "upkeeper.keep")
    assert ([each.service for each in sharers], [each.service for each in restarted], left_out) == (
        ["side"],
        ["web"],
        "",
    )
    for other in (
        container("side", "other", joined="app"),
        container("side", joined="app", **{"upkeeper.keep": ""}),
        container("side", joined="app", **{"upkeeper.update": "never"}),
    ):
        *_, left_out = together([app], [app, other], [app.state, other.state], "upkeeper.keep")
        assert left_out.startswith("side has its network")


async def test_its_probes_decide_beside_its_health_check() -> None:
    probe = Service.model_validate({"name": "application", "probes": [{"name": "port", "url": "tcp://127.0.0.1:1"}]})
    watched = Watched("pa", "app", {"app"}, [("application", one) for one in probe.probes], None)
    answers = [True, False]

    async def run(name: str, probe: Probe) -> ProbeResult:
        return ProbeResult(name, probe.name, answers.pop(0), "refused", 0.0, 0.0)

    watch = Watch(cast(Any, None), cast(Any, None), Patience(1.0, 1.0), run)
    app = container("app")
    assert await watch.not_well([app], watched) == ""
    assert await watch.not_well([app], watched) == "probe application/port: refused"
    for health in ("unhealthy", "starting"):
        sick = replace(app, state=replace(app.state, health=cast(Any, health)))
        assert await watch.not_well([sick], watched) == health, "its probes are not asked"


def test_a_service_comes_after_those_that_it_needs() -> None:
    needs = {"pa.a": {"pa.web"}, "pa.web": {"pa.db", "pa.gone"}, "pa.db": set(), "pa.c": set()}
    assert in_order(needs) == ["pa.db", "pa.web", "pa.a", "pa.c"]
    assert in_order({"a": {"b"}, "b": {"a"}}) == ["b", "a"], "a circle ends too"


def test_the_name_of_a_former_image_is_one() -> None:
    for target in ("pa.app", "my-stack.Web_1", "a_.-b"):
        assert parse(f"{former_name(target)}:latest") is not None
    assert former_name("pa.a-b") != former_name("pa.a.b")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "upkeeper plan docker-cleanup"),
        ("toomanyrequests: You have reached your pull rate limit", "docker login raises the limit"),
        ("unauthorized:\n authentication required", "docker login, as the user"),
        ("context canceled", "context canceled"),
    ],
)
def test_a_pull_that_fails_says_what_to_do(error: str, remedy: str) -> None:
    text = said(error)
    assert remedy in text
    assert "\n" not in text
