"""A real remediator whose PostgreSQL is stopped: it goes on by itself on its journal, and brings home what it did."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import command
from tests.e2e.test_fleet import FleetHost, alert_of, database_of
from tests.helpers import wait_until
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
        await wait_until(lambda: attic.facts().get("blocks"), what="the journal to follow")
        server.terminate()
        await wait_until(lambda: attic.takes(alert_of("attic")), what="an alert to be taken without the database")
        run = await attic.finished_run()
        assert (run["outcome"], attic.rotated, attic.whole()) == ("effective", True, True)
        server.start()
        await wait_until(lambda: not attic.facts().get("taken_at"), what="it to be home")
        await wait_until(attic.api.ready, what="the remediator to be ready again")
        assert [(one["id"], one["outcome"]) for one in attic.runs()] == [(run["id"], "effective")]
        assert [one["verdict"] for one in attic.api.get("decisions")["items"]] == ["run"]
        chains = command("audit", "verify", "--config", attic.config, "--state-dir", attic.state)["chains"]
        print(chains)
        assert [(one["host"].partition("/")[0], one["faults"]) for one in chains] == [("attic", [])] * 2
