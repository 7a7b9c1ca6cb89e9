"""The commands of docs/how-to/from-scripts.md, run: on a state directory, a log, a backup and a service of its own.

What would change this machine, and not only what the test made, is planned. What needs a server or an engine that is
not here says so, in words that help; the test of the tree that has it do its work is named beside it, and is there. The
package manager is a fake that answers what was recorded of dnf: the machine's own would tell something else each day.
"""

import json
import logging
import re
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from remediator.control.opening import open_core
from remediator.security.sources import updates
from remediator.statedir import StateDir
from remediator.tasks.packages import task as packages
from tests.docs.test_from_scripts import COMMANDS, LONE, ROWS
from tests.remediator.conftest import migrated
from tests.remediator.tasks.packages.test_others import Fakes, dnf_of
from tests.upkeeper.commandline import Done, invoke
from tests.upkeeper.served import serve

__all__ = ["migrated"]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TREE = Path(__file__).parents[2]
CONFIG = """
docker: {{host: "unix://{home}/no-docker.sock"}}
remediator: {{ballast: 0}}
security: {{accept: [{{id: "*", reason: "the machine of the tests has its own", until: 2099-12-31}}]}}
schedule:
  jobs: [{{name: daily, task: daily, at: "0 2 * * *"}}]
logs:
  - name: app
    path: {home}/logs
    max_bytes: 1MiB
    rotation: {{max_file_bytes: 64KiB, keep_age: 30d}}
services:
  - name: letta
    probes: [{{url: "tcp://127.0.0.1:{port}"}}]
backups:
  - name: pa
    path: {home}/sets
    pattern: backup-*
    make: {{files: ["{home}/data"], sqlite: [{{name: notes, path: "{home}/notes.db"}}]}}
    keep: {{last: 1}}
"""


@dataclass(frozen=True)
class Run:
    """How a command of the page is run here.

    says: parts of what it answers; ``{home}`` is the directory of the test. words: what is typed, where that is not
    what the page has.
    really: the test that has it do its work, where this one only plans it, or has not what it needs.
    """

    says: tuple[str, ...]
    status: int = 0
    words: str = ""
    really: str = ""


TASKS = "tests/remediator/tasks"
COMPOSITES = "tests/remediator/runs/test_composites.py::test_parts_run_in_order_each_with_a_run_of_its_own"
NO_DOCKER = "cannot reach the Docker engine: {home}/no-docker.sock: No such file or directory"
NO_TARGET = "has no target: nothing of its kind is configured or was found; add one to the config"

RUNS: Mapping[str, Run] = {
    "schedule": Run(("0 2 * * *",)),
    "schedule --why daily --at 2026-11-27T02:00": Run(("daily: ",)),
    "plan TASK": Run(("app-0.log", "to free about"), words="plan log-rotation"),
    "run health-check": Run(("letta/live", "1 of 1 checks pass")),
    "run log-rotation": Run(("log-rotation on app: effective",)),
    "show 12": Run(("log-rotation on app", "app-0.log"), words="show {run}"),
    "history": Run(("log-rotation", "effective")),
    "status": Run(("1 of 1 checks",)),
    "status --all": Run(("letta/live ok",)),
    "probe letta --debug": Run(("letta/live", "connected to 127.0.0.1")),
    "run daily": Run(
        ("daily on all (dry run): failed", NO_DOCKER, "left out: postgres-maintenance, neo4j-maintenance"),
        1,
        words="run daily --dry-run",
        really=COMPOSITES,
    ),
    "run daily -v": Run(
        ("log-rotation on app: good", f"docker-cleanup on docker cannot be planned now: {NO_DOCKER}"),
        words="plan daily -v",
        really=COMPOSITES,
    ),
    "run weekly": Run(("security-review on all",), words="plan weekly", really=COMPOSITES),
    "run monthly": Run(("capacity-planning on all",), words="plan monthly", really=COMPOSITES),
    "run yearly": Run(("configuration-audit on all",), words="plan yearly", really=COMPOSITES),
    "run docker-cleanup": Run(
        (NO_DOCKER,),
        1,
        really=f"{TASKS}/docker_cleanup/test_task.py::test_it_removes_what_the_plan_lists_and_nothing_else",
    ),
    "run docker-volume-cleanup": Run(
        (NO_DOCKER,),
        1,
        really=f"{TASKS}/docker_volumes/test_task.py::test_only_what_a_proven_set_holds_as_it_is",
    ),
    "run image-update stack.n8n": Run(
        ("image-update has no target 'stack.n8n'; its targets: none",),
        2,
        really=f"{TASKS}/image_update/test_task.py::test_new_and_fine",
    ),
    "plan system-update": Run(
        ("app.noarch", "2.0-1"),
        really=f"{TASKS}/packages/test_update.py::test_a_plan_changes_nothing_and_says_everything",
    ),
    "run system-update": Run(
        ("app.noarch", "system-update on dnf (dry run): planned"),
        words="run system-update --dry-run",
        really=f"{TASKS}/packages/test_update.py::test_what_was_planned_is_installed_and_a_second_time_nothing",
    ),
    "run security-update": Run(
        ("1 package: lib.noarch", "security-update on dnf (dry run): planned"),
        words="run security-update --dry-run",
        really=f"{TASKS}/packages/test_update.py::test_only_security_updates_and_what_they_need",
    ),
    "run package-cleanup": Run(
        ("1 package: old.noarch",),
        words="run package-cleanup --dry-run",
        really=f"{TASKS}/packages/test_cleanup.py::test_what_nothing_needs_goes_and_all_else_stays",
    ),
    "run postgres-maintenance": Run(
        (f"postgres-maintenance {NO_TARGET}",),
        2,
        really=f"{TASKS}/postgres_maintenance/test_task.py::test_dead_rows_are_vacuumed_once",
    ),
    "run neo4j-maintenance": Run(
        (f"neo4j-maintenance {NO_TARGET}",),
        2,
        really=f"{TASKS}/neo4j_maintenance/test_task.py::test_it_does_what_the_server_has_and_says_so",
    ),
    "run disaster-recovery-test": Run(
        (f"disaster-recovery-test {NO_TARGET}",),
        2,
        really=f"{TASKS}/disaster_recovery/test_task.py::test_an_application_that_can_use_its_data_proves_the_set",
    ),
    "run backup": Run(("backup on pa: effective",)),
    "verify --latest": Run(("backup-verification on pa: effective",)),
    "verify --all": Run(
        ("readable", "everything in it to the last byte"),
        words="plan backup-verification -p all=true",
        really=f"{TASKS}/backup_verification/test_task.py::test_which_sets_and_how_deep",
    ),
    "sets": Run(("pa", "complete", "checksums, readable")),
    "restore latest --dry-run --to DIR": Run(
        ("restore on pa (dry run)", "check-set"), words="restore latest --dry-run --to {home}/back"
    ),
    "restore latest --from DIR --to DIR": Run(
        ("done finish-restore {home}/back", "config: {home}/back/files"),
        words="restore latest --from {home}/sets --to {home}/back",
    ),
    "restore latest --force": Run(("restore-in-place on pa: effective",)),
    "run backup-retention": Run(("backup-retention on pa: nothing-to-do", "0 sets of 1 to spare")),
    "run configuration-audit": Run(("configuration-audit on all: nothing-to-do",)),
    "run validate-config": Run(("validate-config on all: nothing-to-do",)),
    "run performance-check": Run(("performance-check on all: nothing-to-do", "cpu")),
    "run performance-analysis": Run(
        ("Nothing is known of the usual without a history: no Prometheus is known",),
        really=f"{TASKS}/performance/test_analysis.py::test_the_last_hour_beside_the_usual_one",
    ),
    "run performance-optimization": Run(
        ("performance-advice on all",), words="plan performance-optimization", really=COMPOSITES
    ),
    "run capacity-planning": Run(
        ("Nothing can be foretold without a history: no Prometheus is known: set `prometheus: {{url: ...}}`",),
        really=f"{TASKS}/capacity_planning/test_task.py::test_a_disk_with_a_nightly_backup",
    ),
    "run security-review": Run(("security-review on all: nothing-to-do", NO_DOCKER)),
    "run monitoring-setup": Run(
        ("monitoring-setup on all",),
        words="plan monitoring-setup",
        really=f"{TASKS}/monitoring_setup/test_task.py::test_what_may_be_put_in_place_is_and_what_is_a_persons_stays",
    ),
    "report --since 30d": Run(("## Done", "log-rotation", "## Proven")),
    "diagnose": Run(("wrote {home}/it.tar.gz",), words="diagnose --output {home}/it.tar.gz"),
    "pause --for 8h --reason maintenance": Run(("maintenance",)),
}
"""In the order in which they are run: what shows something comes after what it shows."""

ELSEWHERE = {
    "up": "tests/upkeeper/up/test_up.py::test_the_parts_work_together_and_end_together",
    "restore latest --from restic:REPOSITORY": "tests/upkeeper/commands/test_restore_from.py::"
    "test_a_set_in_a_repository_comes_back_and_what_was_fetched_is_gone",
}
"""Commands that need what is not here, and the tests that run them."""

BY_ITSELF = {
    "docker-compose logs": "tests/remediator/evidence/test_container.py::"
    "test_how_it_ended_and_its_last_words_without_secrets",
    "health-check.sh \\| mail": "tests/alertmanager/test_email.py::test_firing_and_resolved_are_mailed",
}
"""What nobody types any more, by what its row says, and the tests that show it happen."""


@dataclass(frozen=True)
class House:
    """What the commands work on. env: points them to its remediator."""

    home: Path
    env: Mapping[str, str]

    async def upkeeper(self, words: str) -> Done:
        run = ""
        if "{run}" in words:
            history = json.loads((await self.upkeeper("history --json")).out)
            run = next(str(one["id"]) for one in history["items"] if one["task"] == "log-rotation")
        return await invoke(*words.format(home=self.home, run=run).split(), env=self.env)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> AsyncIterator[House]:
    home = tmp_path_factory.mktemp("scripts")
    for name in ("logs", "sets", "data", "state", "programs"):
        (home / name).mkdir()
    (home / "logs" / "app.log").write_text("now\n")
    (home / "logs" / "app-0.log").write_text("a line of a log\n" * 10_000)
    (home / "data" / "file").write_text("content")
    with closing(sqlite3.connect(home / "notes.db")) as database:
        database.execute("CREATE TABLE notes (text)")
    shutil.copy(migrated, StateDir(home / "state").database)
    handlers, level = logging.root.handlers, logging.root.level
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as letta:
        dnf, _ = dnf_of(Fakes(home / "programs", patch))
        patch.setattr(packages, "found", lambda settings: [dnf])
        patch.setattr(updates, "managers_here", lambda: [])
        config = home / "upkeeper.yml"
        config.write_text(CONFIG.format(home=home, port=letta.getsockname()[1]))
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        try:
            async with open_core(config, home / "state", engine=True) as core, serve(core) as url:
                env = {"UPKEEPER_URL": url, "UPKEEPER_CONFIG": str(config), "UPKEEPER_STATE_DIR": str(home / "state")}
                yield House(home, env)
        finally:
            structlog.reset_defaults()
            logging.root.handlers, logging.root.level = handlers, level


@pytest.mark.parametrize("typed", RUNS)
async def test_it_answers(house: House, typed: str) -> None:
    asked = RUNS[typed]
    done = await house.upkeeper(asked.words or typed)
    text = " ".join((done.out + done.err).split())
    assert done.status == asked.status, text
    assert [part for part in asked.says if part.format(home=house.home) not in text] == [], text


async def test_it_did_what_the_scripts_did(house: House) -> None:
    """After all of them: what they have left, and what is held back by the last."""
    assert [path.name for path in (house.home / "logs").glob("*.gz")]
    assert (house.home / "data" / "file").read_text() == "content"
    assert (house.home / "back" / "files" / str(house.home).lstrip("/") / "data" / "file").read_text() == "content"
    held = await house.upkeeper("run validate-config")
    assert (held.status, "paused" in held.err) == (3, True)


async def test_every_command_of_the_page_is_run() -> None:
    page = {" ".join(words) for words in COMMANDS} | {f"run {name}" for name in LONE}
    page |= {"verify --all", "restore latest --from restic:REPOSITORY"}
    assert RUNS.keys() | ELSEWHERE.keys() == page
    assert RUNS.keys().isdisjoint(ELSEWHERE)


async def test_every_row_without_a_command_has_a_test() -> None:
    bare = [row[0] for row in ROWS if "`upkeeper " not in row[1]]
    assert len(bare) == len(BY_ITSELF)
    assert [row for row in bare if not any(words in row for words in BY_ITSELF)] == []


async def test_what_is_not_done_here_is_done_by_a_test_that_is_there() -> None:
    for typed, asked in RUNS.items():
        only_planned = asked.status or asked.words.startswith("plan ") or "--dry-run" in asked.words
        shows = typed.startswith(("plan", "restore latest --dry-run"))
        assert asked.really or shows or not only_planned, typed
    for where in (*(one.really for one in RUNS.values() if one.really), *ELSEWHERE.values(), *BY_ITSELF.values()):
        file, _, name = where.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (TREE / file).read_text(), re.MULTILINE), where
