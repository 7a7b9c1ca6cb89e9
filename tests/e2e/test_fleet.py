"""Two real remediators on one PostgreSQL: whoever takes an alert, its own host decides about it, once, and acts."""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.processes import UPKEEPER, command, firing
from tests.e2e.test_crash import LINE, Host
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

pytestmark = pytest.mark.servers

ALERT = "UpkeeperLogDirectoryOverLimit"


class FleetHost(Host):
    """One of several on a database; its alerts carry the instance ``NAME:9100``."""

    def __init__(self, root: Path, name: str, url: Path) -> None:
        root.mkdir()
        super().__init__(root, lines=2000)
        self.name = name
        config = yaml.safe_load(self.config.read_text())
        config |= {
            "host": {"name": name},
            "state": {"database_url_file": str(url)},
            "fleet": {"hosts": {"attic:[0-9]+": "attic", "cellar:[0-9]+": "cellar", "roof:[0-9]+": "roof"}},
            "remedies": [
                {"name": "rotate", "match": [f'alertname="{ALERT}"'], "task": "log-rotation",
                 "target_label": "directory", "autonomy": "auto"}
            ],
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(config))

    @property
    def rotated(self) -> bool:
        return len(list(self.logs.iterdir())) > 1

    def whole(self) -> bool:
        return self.kept_lines() == [LINE.format(number=number) for number in range(self.lines)]


def alert_of(name: str) -> dict[str, Any]:
    fingerprint = name.encode().hex().ljust(16, "0")[:16]
    return firing(fingerprint, alertname=ALERT, directory="app", instance=f"{name}:9100")


async def test_two_hosts_on_one_database(tmp_path: Path, postgres15: PostgresServer) -> None:
    postgres15.sql("DROP DATABASE IF EXISTS fleet", "CREATE DATABASE fleet")
    url = tmp_path / "database-url"
    url.write_text(f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/fleet\n")
    url.chmod(0o600)
    attic, cellar = (FleetHost(tmp_path / name, name, url) for name in ("attic", "cellar"))
    with ExitStack() as running:
        first = running.enter_context(attic.remediator())  # type: ignore[arg-type]
        await wait_until(attic.api.ready, what="the first remediator to be ready")
        running.enter_context(cellar.remediator())  # type: ignore[arg-type]
        await wait_until(cellar.api.ready, what="the second remediator to be ready")

        # A name is one host's.
        twin = subprocess.run(
            [*UPKEEPER, "remediator", "--config", attic.config, "--state-dir", tmp_path / "twin", "--listen",
             "127.0.0.1:0"], capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert twin.returncode == 2
        assert "another remediator is the host 'attic' on this database" in twin.stderr

        # Both take the alert of one of them, and that one decides, once.
        for taker in (attic, cellar):
            assert taker.api.post_alerts(alert_of("cellar"), alert_of("roof")).status_code == 202
        await wait_until(lambda: [run["outcome"] for run in attic.runs()], equals=["effective"], timeout=15)
        (run,) = attic.runs()
        assert (run["host"], run["task"]) == ("cellar", "log-rotation")
        decisions = attic.api.get("decisions")["items"]
        assert [one["host"] for one in decisions if one["verdict"] == "run"] == ["cellar"]
        (lost,) = {one["reason"] for one in decisions if one["verdict"] == "no-host"}
        assert lost.startswith("there is no such host: the alert's label instance names 'roof'")
        assert (cellar.rotated, cellar.whole(), attic.rotated) == (True, True, False)

        # What one has accepted happens although that is killed: on the other at once, on itself after its restart.
        assert attic.api.post_alerts(alert_of("attic")).status_code == 202
        first.kill()  # type: ignore[attr-defined]
        first.wait()  # type: ignore[attr-defined]
        running.enter_context(attic.remediator())  # type: ignore[arg-type]
        await wait_until(attic.api.ready, what="the first remediator to be ready again")
        await wait_until(
            lambda: [(run["host"], run["outcome"]) for run in cellar.runs()],
            equals=[("attic", "effective"), ("cellar", "effective")],
        )
        assert (attic.rotated, attic.whole()) == (True, True)
        here = ("--config", attic.config, "--state-dir", attic.state)
        everywhere = command("run", "log-rotation", "app", "--all", "--dry-run", *here)
        assert sorted((run["host"], run["outcome"]) for run in everywhere["items"]) == [
            ("attic", "planned"), ("cellar", "planned"),
        ]  # fmt: skip
        chains = command("audit", "verify", *here)
        assert [(one["host"], one["faults"]) for one in chains["chains"]] == [("attic", []), ("cellar", [])]
