"""PostgreSQL: answers a query of the user's with something that is neither nothing, 0 nor false."""

from collections.abc import Sequence

from exporter.backups.manifest import Manifest
from exporter.inventory.drills import DrillProof
from remediator.tasks.disaster_recovery.proofs.proof import NotProven

_NOTHING = ("", "0", "f")


class Postgres:
    def command(self, settings: DrillProof) -> Sequence[str]:
        options = ["--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--no-password"]
        options += [f"--username={settings.user or 'postgres'}", f"--dbname={settings.database or 'postgres'}"]
        return ["psql", *options, f"--command={settings.query}"]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        answer = lines[-1] if lines else ""
        if answer in _NOTHING:
            raise NotProven(f"its query answers {answer or 'nothing'}")
        return f"its query answers {answer[:100]}"
