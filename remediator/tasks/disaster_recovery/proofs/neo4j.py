"""Neo4j: its own check finds the store consistent. The service must not run the server meanwhile.

``neo4j-admin database check``: exit status 0 is a consistent store, 70 one that is not. It refuses a store that was not
shut down in order: what was copied from a running server proves nothing.
"""

from collections.abc import Sequence

from exporter.backups.manifest import Manifest
from exporter.inventory.drills import DrillProof
from remediator.tasks.disaster_recovery.proofs.proof import NotProven


class Neo4j:
    def command(self, settings: DrillProof) -> Sequence[str]:
        return ["neo4j-admin", "database", "check", settings.database or "neo4j"]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        if not said.strip():
            raise NotProven("its consistency check says nothing at all")
        return f"the store of {settings.database or 'neo4j'} is consistent"
