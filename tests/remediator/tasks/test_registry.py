"""A task is known by its folder and the registry, and nowhere else by its name."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.config.config import Config
from remediator.control.settings import default_remedies
from remediator.tasks.registry import FACTS, build_tasks, shows
from remediator.tasks.resources import Resources
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
TASKS = ROOT / "remediator" / "tasks"
FAMILIES = {path.parent.name for path in TASKS.glob("*/facts.py")}
WORDS = {"backup", "diagnose", "restore"}
"""Names of tasks that are words for other things too: of a metric's label, of commands."""
WORDS_OF = {ROOT / "exporter" / "backups" / "retention.py": {"daily", "weekly", "monthly", "yearly"}}
"""The same in one file: the rules by which backups are kept."""
SHARED = ("facts", "notes")
"""What the command may know of a family: what its tasks are, and how what they found reads."""


def sources() -> Iterator[Path]:
    for program in ("exporter", "remediator", "upkeeper"):
        yield from (path for path in (ROOT / program).rglob("*.py") if path.relative_to(ROOT).parts[1] != "tasks")


def test_every_family_is_in_the_registry() -> None:
    assert {facts.name: facts for facts in FACTS.values()} == dict(FACTS)
    families = {path.name for path in TASKS.iterdir() if path.is_dir() and (path / "task.py").exists()}
    assert families == FAMILIES
    registry = (TASKS / "registry.py").read_text()
    assert {family for family in families if f"tasks.{family}.facts import" in registry} == families


def test_the_tasks_that_are_made_are_those_that_are_known() -> None:
    config = Config()
    tasks = build_tasks(config, Resources(config))
    assert list(tasks) == list(FACTS)
    assert all(task.facts is FACTS[name] for name, task in tasks.items())


@pytest.mark.parametrize("name", FACTS)
def test_a_task_has_its_page(name: str) -> None:
    assert (ROOT / "docs" / "tasks" / f"{name}.md").read_text().startswith(f"# {name}")
    assert f"{name}.md" in (ROOT / "docs" / "tasks" / "README.md").read_text()


def test_each_column_of_a_table_has_its_title() -> None:
    assert [(name, figure.key) for name, facts in FACTS.items() for figure in facts.figures if not figure.title] == []


def test_no_task_is_known_by_its_name_elsewhere() -> None:
    """Help texts may have it in their examples, and so may descriptions: they are prose."""
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in FACTS.keys() - WORDS - WORDS_OF.get(path, set())
    ]
    assert named == []


def test_no_family_is_imported_elsewhere() -> None:
    imported = [
        f"{path.relative_to(ROOT)} imports {node.module}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        for parts in [node.module.split(".")]
        if parts[:2] == ["remediator", "tasks"] and len(parts) > 2 and parts[2] in FAMILIES
        if not (path.is_relative_to(ROOT / "upkeeper") and parts[3:] and parts[3] in SHARED)
    ]
    assert imported == []


def test_a_run_of_a_task_that_is_gone_shows_its_actions() -> None:
    assert shows("was-here-once") == "actions"


def test_completion_need_not_import_what_tasks_are_made_of() -> None:
    code = "import sys, remediator.tasks.registry; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"pydantic", "docker", "sqlalchemy", "yaml", "asyncio"} & set(loaded.stdout.split())


AT_REST = """
import asyncio, contextlib, sys
from pathlib import Path
from remediator.service import serve

async def main():
    config, state, port = sys.argv[1:]
    service = asyncio.create_task(serve(Path(config), Path(state), f"127.0.0.1:{port}"))
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.write(b"GET /-/ready HTTP/1.0\\r\\n\\r\\n")
            answer = await reader.read()
            writer.close()
            if b" 200 " in answer.partition(b"\\n")[0]:
                break
        assert not service.done(), service.exception()
        await asyncio.sleep(0.05)
    # In one piece: threads log meanwhile.
    sys.stdout.write("\\nLOADED " + " ".join(sys.modules) + "\\n")
    service.cancel()

asyncio.run(main())
"""


def test_a_remediator_at_rest_has_made_no_task_but_those_that_act_by_themselves(tmp_path: Path) -> None:
    """All of them together take as much memory as the rest of it."""
    config = tmp_path / "upkeeper.yml"
    config.write_text("schedule: {jobs: []}\n")
    command = [sys.executable, "-c", AT_REST, str(config), str(tmp_path / "state"), str(free_port())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    found = next((line for line in done.stdout.splitlines() if line.startswith("LOADED")), "")
    assert found, done.stderr
    made = {name.split(".")[2] for name in found.split() if re.fullmatch(r"remediator\.tasks\.\w+\.task", name)}
    acting = {remedy.task for remedy in default_remedies() if remedy.autonomy == "auto"}
    assert made == {task.replace("-", "_") for task in acting} == {"log_rotation"}
