"""configuration-audit and validate-config on the command line: a table for people, a document for programs."""

import json
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from remediator.statedir import StateDir
from tests.exporter.findings.inputs import SECRET, copy
from tests.upkeeper.commandline import Done, invoke

Upkeeper = Callable[..., Awaitable[Done]]


@pytest.fixture
def upkeeper(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upkeeper]:
    """Commands in this process, with a config that names both projects of the PA stack under their names."""
    monkeypatch.setenv("PATH", "/nonexistent")  # Compose has its own test
    handlers, level = logging.root.handlers, logging.root.level
    (tmp_path / "state").mkdir()
    shutil.copy(migrated, StateDir(tmp_path / "state").database)
    for name in ("clean", "mistakes"):
        path = copy(name, tmp_path)
        (tmp_path / f"{name}.yml").write_text(
            f'configuration: {{compose_files: ["{path}/compose.yaml"]}}\n'
            f'docker: {{host: "unix://{tmp_path}/no-docker.sock"}}\n'
        )

    async def run(name: str, *arguments: str) -> Done:
        env = {"UPKEEPER_CONFIG": str(tmp_path / f"{name}.yml"), "UPKEEPER_STATE_DIR": str(tmp_path / "state")}
        return await invoke(*arguments, env=env)

    yield run
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


async def test_a_run_lists_the_findings_and_fails(upkeeper: Upkeeper) -> None:
    done = await upkeeper("mistakes", "run", "configuration-audit")
    assert done.status == 1
    head, *rows, conclusion = done.out.splitlines()
    assert head.split() == ["SEVERITY", "WHERE", "FINDING", "REMEDY"]
    assert rows[0].startswith("critical  /")
    assert rows[-1].startswith("info ")
    open_port = next(row for row in rows if "PostgreSQL" in row)
    assert "/mistakes/compose.yaml:10 " in open_port
    assert "port 5432 of supabase-db is open to every network of this host" in open_port
    assert open_port.rstrip().endswith("containers of the project do not need it")
    shown = await upkeeper("mistakes", "show", "1")
    assert set(rows) < set(shown.out.splitlines())
    counts = [sum(row.startswith(severity) for row in rows) for severity in ("critical", "warning", "info")]
    assert min(counts) >= 4
    assert conclusion == (
        f"run 1: configuration-audit on all: ineffective, {len(rows)} findings: {counts[0]} critical, "
        f"{counts[1]} warning, {counts[2]} info, in 40 places, by 14 checks"
    )
    assert SECRET not in done.out + done.err


async def test_the_plan_is_the_same_table_without_a_record(upkeeper: Upkeeper) -> None:
    done = await upkeeper("mistakes", "plan", "configuration-audit", "images")
    assert done.status == 0
    assert (
        done.out.splitlines()[0] == "configuration-audit on images: breached, 3 findings: 2 warning, 1 info, by 1 check"
    )
    assert len(done.out.splitlines()) == 5
    assert json.loads((await upkeeper("mistakes", "history", "--json")).out)["items"] == []


async def test_json_is_one_document(upkeeper: Upkeeper) -> None:
    done = await upkeeper("mistakes", "run", "validate-config", "--json")
    assert done.status == 1
    run = json.loads(done.out)
    assert run["before"]["values"]["unset-variables/critical"] == 1
    assert run["actions"] == []
    assert {"severity", "check", "places", "place_count", "message", "remedy"} == set(run["rows"][0])
    assert run["notes"] == []
    assert run["reason"] == run["before"]["detail"]
    assert len(run["reason"]) <= 300
    assert SECRET not in done.out + done.err


async def test_all_is_well(upkeeper: Upkeeper) -> None:
    for task in ("configuration-audit", "validate-config"):
        done = await upkeeper("clean", "run", task)
        assert done.status == 0
        assert done.out.startswith("nothing was found\n")
        assert "nothing-to-do, no findings" in done.out
