"""A real remediator whose PostgreSQL is stopped: it goes on by itself on its journal, and brings home what it did."""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import command, firing
from tests.e2e.test_fleet import FleetHost, alert_of, database_of
from tests.helpers import LONG, rounds, wait_until
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers


class JournalHost(FleetHost):
    """One that takes up its journal after a second."""

    def __init__(self, root: Path, name: str, url: Path) -> None:
        super().__init__(root, name, url, "http://127.0.0.1:9")
        config = yaml.safe_load(self.config.read_text())
        config["state"]["journal_after"] = "1s"
        self.config.write_text(yaml.safe_dump(config))

    @property
    def journal(self) -> Path:
        return self.state / "journal.db"

    def facts(self) -> dict[str, Any]:
        """What the journal knows of itself; nothing while there is none."""
        if not self.journal.exists():
            return {}
        try:
            with contextlib.closing(sqlite3.connect(self.journal)) as connection:
                ((value,),) = connection.execute("SELECT value FROM journal_facts")
        except sqlite3.OperationalError:  # its tables are being made
            return {}
        found: dict[str, Any] = json.loads(value)
        return found

    def knows(self, host: str) -> bool:
        """Whether its journal has a host, and what was decided about the first alert."""
        if not self.facts().get("blocks"):
            return False
        with contextlib.closing(sqlite3.connect(self.journal)) as connection:
            found = connection.execute("SELECT 1 FROM hosts, decisions WHERE hosts.host = ?", [host]).fetchone()
            return found is not None

    def metrics(self) -> str:
        return httpx.get(f"{self.api.url}/metrics").raise_for_status().text

    def takes(self, *alerts: dict[str, Any]) -> bool:
        """Whether a webhook is answered with 202. Nobody listens while the host goes over to another database."""
        with contextlib.suppress(httpx.TransportError):
            return self.api.post_alerts(*alerts).status_code == 202
        return False


async def test_a_host_goes_on_while_the_database_is_away(
    tmp_path: Path, postgres_factory: Callable[..., PostgresServer]
) -> None:
    server = postgres_factory()
    url = database_of(tmp_path, server, "fleet")
    attic = JournalHost(tmp_path / "attic", "attic", url)
    with attic.remediator():  # type: ignore[attr-defined]
        await wait_until(attic.api.ready, what="the remediator to be ready")
        server.sql("INSERT INTO hosts (host, version, node, started_at, seen_at)"
                   " VALUES ('cellar', '1', '', 1, extract(epoch FROM now()))",
                   dbname="fleet")  # fmt: skip
        assert attic.takes(firing("00000000000000ff", alertname="Other", instance="attic:9100"))
        await wait_until(lambda: attic.knows("cellar"), what="the journal to follow")
        server.terminate()
        await wait_until(lambda: attic.takes(alert_of("attic")), what="an alert to be taken without the database")
        run = await attic.finished_run()
        # What is another host's is not swallowed by one that cannot tell it.
        refused = attic.api.post_alerts(alert_of("cellar"))
        assert (refused.status_code, refused.json()["detail"]) == (
            503, "the database that hosts share is away: send it to cellar, or again later",
        )  # fmt: skip
        assert attic.api.get("status")["journal_since"] is not None
        assert "\nupkeeper_state_journal_since_timestamp_seconds 0.0\n" not in attic.metrics()
        assert (run["outcome"], attic.rotated, attic.whole()) == ("effective", True, True)
        server.start()
        await wait_until(lambda: not attic.facts().get("taken_at"), what="it to be home")
        await wait_until(attic.api.ready, what="the remediator to be ready again")
        assert "\nupkeeper_state_journal_since_timestamp_seconds 0.0\n" in attic.metrics()
        assert [(one["id"], one["outcome"]) for one in attic.runs()] == [(run["id"], "effective")]
        assert [one["verdict"] for one in attic.api.get("decisions")["items"]] == ["run", "unmatched"]
        chains = command("audit", "verify", "--config", attic.config, "--state-dir", attic.state)["chains"]
        assert [(one["host"].partition("/")[0], one["faults"]) for one in chains] == [("attic", [])] * 2


@LONG
@pytest.mark.torture
async def test_a_database_that_hangs_is_away_as_well(
    tmp_path: Path, postgres_factory: Callable[..., PostgresServer]
) -> None:
    server = postgres_factory()
    attic = JournalHost(tmp_path / "attic", "attic", database_of(tmp_path, server, "fleet"))
    with attic.remediator():  # type: ignore[attr-defined]
        await wait_until(lambda: attic.facts().get("blocks"), what="the journal to follow")
        with server.hung():
            await wait_until(lambda: attic.takes(alert_of("attic")), timeout=150, what="an alert to be taken")
            run = await attic.finished_run()
        await wait_until(lambda: not attic.facts().get("taken_at") and attic.api.ready(), what="it to be home")
        assert [(one["id"], one["outcome"]) for one in attic.runs()] == [(run["id"], "effective")]


@LONG
@pytest.mark.torture
async def test_killed_at_any_time_while_the_database_comes_and_goes(
    tmp_path: Path, postgres_factory: Callable[..., PostgresServer]
) -> None:
    """Whatever was answered with 202 is decided about, and leads to one run at most, wherever that was."""
    seed = rounds("SEED", 1, 1)
    random_ = random.Random(seed)
    print(f"UPKEEPER_SEED={seed}")
    server = postgres_factory()
    attic = JournalHost(tmp_path / "attic", "attic", database_of(tmp_path, server, "fleet"))
    accepted = 0
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(attic.remediator())  # type: ignore[arg-type]
        await wait_until(lambda: attic.facts().get("blocks"), what="the journal to follow")
        there = True
        for number in range(rounds("JOURNALS", 12, 60)):
            match random_.choice(["server", "process", "nothing"]):
                case "server":
                    server.terminate() if there else server.start()
                    there = not there
                case "process":
                    process.kill()  # type: ignore[attr-defined]
                    process.wait()  # type: ignore[attr-defined]
                    process = stack.enter_context(attic.remediator())  # type: ignore[arg-type]
            await asyncio.sleep(random_.random() * 8)
            alert = alert_of("attic") | {"fingerprint": f"{number:016x}"}
            accepted += attic.takes(alert)
            if process.poll() is not None:  # type: ignore[attr-defined]
                process = stack.enter_context(attic.remediator())  # type: ignore[arg-type]
        if not there:
            server.start()
        await wait_until(lambda: not attic.facts().get("taken_at") and attic.api.ready(), what="it to be home")
        known = lambda: attic.api.get("alerts?limit=200")["items"]  # noqa: E731
        await wait_until(lambda: all(one["decision"] for one in known()), what="all to be decided about")
        assert len(known()) >= accepted > 0
        asked = [run["alert_id"] for run in attic.runs() if run["alert_id"] is not None]
        assert len(asked) == len(set(asked))
        assert attic.whole()
        chains = command("audit", "verify", "--config", attic.config, "--state-dir", attic.state)["chains"]
        assert [one["faults"] for one in chains] == [[] for _ in chains]
