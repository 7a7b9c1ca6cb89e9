"""Docker Compose, promtool and amtool: their verdicts, and programs that hang, fail or leave others behind."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from exporter.findings.compose import load_project
from exporter.findings.files import read_file
from exporter.findings.program_checks import KEPT_SECONDS, ProgramChecks, ProgramResult, ToolFailed, run
from exporter.findings.project import Invocation, Project
from exporter.inventory.audit import Configuration
from tests.exporter.fakes import FakeClock
from tests.exporter.findings.inputs import load, write
from tests.exporter.scripts import alive, script
from tests.helpers import require_program, wait_until


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write(tmp_path / "p", {"compose.yaml": "services: {a: {image: x}}\n"})
    return load(tmp_path / "p")


def which(*programs: Path) -> Callable[[str], str | None]:
    return lambda name: next((str(program) for program in programs if program.name == name), None)


async def test_it_gets_neither_input_nor_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "hunter2-hunter2")
    program = script(tmp_path, "tool", "env > out; cat > in; pwd > where; exit 7")
    assert (await run([str(program)], str(tmp_path))).status == 7
    said = (tmp_path / "out").read_text()
    assert "hunter2" not in said
    assert "COMPOSE_EXPERIMENTAL_GIT_REMOTE=false" in said
    assert (tmp_path / "in").read_text() == ""
    assert (tmp_path / "where").read_text() == f"{tmp_path}\n"


@pytest.mark.slow
@pytest.mark.parametrize("trap", ["", "trap '' TERM HUP INT; "])
async def test_one_that_hangs_is_killed_with_all_that_it_started(trap: str, tmp_path: Path) -> None:
    program = script(tmp_path, "tool", f"{trap}sleep 1000 & echo $! > child; echo $$ > self; wait; sleep 1000")
    with pytest.raises(ToolFailed, match=r"tool did not end within 2 s"):
        await run([str(program)], str(tmp_path), 2.0)
    pids = [int((tmp_path / name).read_text()) for name in ("child", "self")]
    await wait_until(lambda: not alive(pids), what="both to be gone")


async def test_what_it_leaves_behind_is_killed(tmp_path: Path) -> None:
    program = script(tmp_path, "tool", "sleep 1000 & echo $! > child; exit 0")
    assert (await run([str(program)], str(tmp_path))).status == 0
    pid = int((tmp_path / "child").read_text())
    await wait_until(lambda: not alive([pid]), what="the child to be gone")


async def test_one_that_is_cancelled_is_killed(tmp_path: Path) -> None:
    program = script(tmp_path, "tool", "echo $$ > self; exec sleep 1000")
    task = asyncio.create_task(run([str(program)], str(tmp_path)))
    await wait_until(lambda: (tmp_path / "self").exists() and (tmp_path / "self").read_text().strip(), what="it to run")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: not alive([int((tmp_path / "self").read_text())]), what="it to be gone")


@pytest.mark.parametrize("body", ["kill -9 $$", None])
async def test_one_that_cannot_judge(body: str | None, tmp_path: Path) -> None:
    program = script(tmp_path, "tool", body) if body else tmp_path / "gone"
    with pytest.raises(ToolFailed):
        await run([str(program)], str(tmp_path))


@pytest.mark.slow
async def test_a_thousand_times_leave_nothing_behind(tmp_path: Path) -> None:
    program = shutil.which("true") or "true"
    process = psutil.Process()
    await run([program], "/")
    before = process.num_fds(), process.num_threads(), len(process.children())
    for at in range(250):
        await asyncio.gather(*(run([program], "/") for _ in range(3)), failing(tmp_path if at % 2 else Path("/gone")))
    await wait_until(
        lambda: (process.num_fds(), process.num_threads(), len(process.children())) <= before, what="all to be gone"
    )


async def failing(directory: Path) -> None:
    with pytest.raises(ToolFailed):
        await run([str(directory / "none")], str(directory))


async def compose_verdict(tools: ProgramChecks, project: Project) -> ProgramResult | None:
    verdicts = await tools.check([project], 30)
    return next((verdict for verdict in verdicts if verdict.check == "compose-config"), None)


async def test_without_compose_there_is_no_verdict(project: Project) -> None:
    assert await compose_verdict(ProgramChecks(Configuration(), which=which()), project) is None


async def test_the_plugin_is_preferred_and_its_lack_is_noticed(tmp_path: Path, project: Project) -> None:
    docker = script(tmp_path / "bin", "docker", '[ "$1 $2" = "compose version" ] || echo "$@" > used')
    standalone = script(tmp_path / "bin", "docker-compose", "exit 1")
    tools = ProgramChecks(Configuration(), which=which(docker, standalone))
    assert await compose_verdict(tools, project) == ProgramResult("compose-config", [], [])
    used = (tmp_path / "p" / "used").read_text()
    assert used == f"compose -f {tmp_path}/p/compose.yaml config -q\n"
    script(tmp_path / "bin", "docker", "exit 1")
    verdict = await compose_verdict(ProgramChecks(Configuration(), which=which(docker, standalone)), project)
    assert verdict is not None
    (finding,) = verdict.findings
    assert finding.message == "docker-compose rejects the project"
    assert finding.severity == "critical"


async def test_it_runs_again_only_after_a_change_or_an_hour(tmp_path: Path, project: Project) -> None:
    standalone = script(tmp_path / "bin", "docker-compose", "echo run >> runs")
    clock = FakeClock()
    tools = ProgramChecks(Configuration(), clock, which(standalone))

    def runs() -> int:
        return (tmp_path / "p" / "runs").read_text().count("run")

    for _ in range(3):
        await compose_verdict(tools, project)
    assert runs() == 1
    clock.now += KEPT_SECONDS + 1
    await compose_verdict(tools, project)
    assert runs() == 2
    (tmp_path / "p" / ".env").write_text("A=b\n")
    changed = load(tmp_path / "p")
    await compose_verdict(tools, changed)
    assert runs() == 3


async def test_how_the_project_is_started_is_handed_on(tmp_path: Path) -> None:
    write(tmp_path, {"a/compose.yaml": "services: {a: {image: x}}\n", "prod.env": "A=b\n", "b.env": "A=c\n"})
    standalone = script(tmp_path / "bin", "docker-compose", 'echo "$@" > used')
    names = f"{tmp_path}/prod.env", f"{tmp_path}/b.env"
    started = load_project(Invocation((f"{tmp_path}/a/compose.yaml",), names, str(tmp_path)), read_file)
    assert await compose_verdict(ProgramChecks(Configuration(), which=which(standalone)), started) == ProgramResult(
        "compose-config", [], []
    )
    assert (tmp_path / "used").read_text() == (
        f"--project-directory {tmp_path} --env-file {tmp_path}/prod.env --env-file {tmp_path}/b.env"
        f" -f {tmp_path}/a/compose.yaml config -q\n"
    )


async def test_the_profiles_of_what_runs_are_in_use(tmp_path: Path) -> None:
    services = "services: {a: {image: x}, b: {image: x, profiles: [p, q]}, c: {image: x, profiles: [r]}}\n"
    write(tmp_path, {"compose.yaml": services, ".env": "COMPOSE_PROFILES=r\n"})
    standalone = script(tmp_path / "bin", "docker-compose", 'echo "$@" > used')
    tools, loaded, file = (
        ProgramChecks(Configuration(), which=which(standalone)),
        load(tmp_path),
        f"{tmp_path}/compose.yaml",
    )
    for running, options in (({(file, "b")}, " --profile p --profile q --profile r"), ({(file, "c"), ("/x", "b")}, "")):
        await tools.check([loaded], 30, running)
        assert (tmp_path / "used").read_text() == f"-f {file}{options} config -q\n"


@pytest.mark.parametrize(
    ("said", "subjects"),
    [
        (r'time="x" level=warning msg="The \"def123\" variable is not set. Defaulting to a blank string."', ["def123"]),
        ("The def123 variable is not set. Defaulting to a blank string.", ["def123"]),
        ('WARN[0000] The "def123" variable is not set. Defaulting to a blank string.', ["def123"]),
        (r'level=warning msg="/x/compose.yaml: the attribute `version` is obsolete, it will be ignored"', []),
        (r'level=warning msg="hunter2-hunter2 is odd"', ["compose.yaml"]),
        ("hunter2-hunter2", []),
    ],
)
async def test_a_warning_of_compose_is_its_word_too(
    said: str, subjects: list[str], tmp_path: Path, project: Project
) -> None:
    (tmp_path / "said").write_text(f"{said}\n{said}\n")
    standalone = script(tmp_path / "bin", "docker-compose", f"cat {tmp_path}/said >&2")
    verdict = await compose_verdict(ProgramChecks(Configuration(), which=which(standalone)), project)
    assert verdict is not None
    assert [os.path.basename(one.subject) for one in verdict.findings] == subjects
    assert {one.severity for one in verdict.findings} <= {"warning"}
    assert "hunter2" not in repr(verdict)


async def test_one_that_hangs_gives_no_verdict(tmp_path: Path, project: Project) -> None:
    standalone = script(tmp_path / "bin", "docker-compose", "exec sleep 1000")
    tools = ProgramChecks(Configuration(), which=which(standalone))
    verdicts = await tools.check([project], 0.5)
    ((problem,),) = [verdict.problems for verdict in verdicts]
    assert problem.startswith("docker-compose did not end within 0.")


async def test_many_that_hang_do_not_add_up(tmp_path: Path) -> None:
    standalone = script(tmp_path / "bin", "docker-compose", "exec sleep 1000")
    projects = []
    for at in range(5):
        write(tmp_path / str(at), {"compose.yaml": "services: {a: {image: x}}\n"})
        projects.append(load(tmp_path / str(at)))
    (verdict,) = await ProgramChecks(Configuration(), which=which(standalone)).check(projects, 0.5)
    assert len(verdict.problems) == 5
    assert sum("had no time left" in problem for problem in verdict.problems) == 3


async def test_a_tool_that_is_asked_for_and_not_there() -> None:
    settings = Configuration(prometheus_configs=["/a"], prometheus_rules=["/b"], alertmanager_configs=["/c"])
    verdicts = await ProgramChecks(settings, which=which()).check([], 30)
    assert [(verdict.check, verdict.problems) for verdict in verdicts] == [
        ("prometheus-config", ["promtool is not installed, or not on PATH"]),
        ("prometheus-rules", ["promtool is not installed, or not on PATH"]),
        ("alertmanager-config", ["amtool is not installed, or not on PATH"]),
    ]


@pytest.mark.servers
async def test_the_real_promtool_and_amtool(tmp_path: Path) -> None:
    require_program("promtool", "prometheus")
    require_program("amtool", "prometheus-alertmanager")
    rules = "groups: [{name: a, rules: [{alert: A, expr: up == 0}]}]\n"
    write(
        tmp_path,
        {
            "good.yml": "global: {scrape_interval: 5s}\n",
            "bad.yml": "global: {scrape_interval: hunter2-hunter2}\n",
            "good.rules": rules,
            "bad.rules": rules.replace("==", "=="[:1]),
            "good.am": "route: {receiver: a}\nreceivers: [{name: a}]\n",
            "bad.am": "route: {receiver: b}\nreceivers: [{name: a}]\n",
        },
    )
    names = ("good.yml", "bad.yml", "gone.yml")
    settings = Configuration(
        prometheus_configs=[f"{tmp_path}/{name}" for name in names],
        prometheus_rules=[f"{tmp_path}/*.rules"],
        alertmanager_configs=[f"{tmp_path}/good.am", f"{tmp_path}/bad.am"],
    )
    verdicts = await ProgramChecks(settings).check([], 60)
    found = {verdict.check: [os.path.basename(one.place.file) for one in verdict.findings] for verdict in verdicts}
    assert found == {
        "prometheus-config": ["bad.yml"],
        "prometheus-rules": ["bad.rules"],
        "alertmanager-config": ["bad.am"],
    }
    problems = {verdict.check: verdict.problems for verdict in verdicts}
    assert problems["prometheus-config"] == [f"{tmp_path}/gone.yml cannot be read: No such file or directory"]
    assert "hunter2" not in repr(verdicts)
