"""The ready-made proofs, by the application's name in the config."""

from collections.abc import Mapping

from exporter.inventory.drills import Application
from remediator.tasks.disaster_recovery.proofs.letta import Letta
from remediator.tasks.disaster_recovery.proofs.n8n import N8n
from remediator.tasks.disaster_recovery.proofs.neo4j import Neo4j
from remediator.tasks.disaster_recovery.proofs.open_webui import OpenWebUI
from remediator.tasks.disaster_recovery.proofs.postgres import Postgres
from remediator.tasks.disaster_recovery.proofs.proof import Proof

PROOFS: Mapping[Application, Proof] = {
    "n8n": N8n(),
    "letta": Letta(),
    "open-webui": OpenWebUI(),
    "neo4j": Neo4j(),
    "postgres": Postgres(),
}
