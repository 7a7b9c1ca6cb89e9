"""Letta: its server lists as many agents as were counted in its database at the backup.

Counted by its own interface, ``GET /v1/agents/count``; the key of a protected server is in LETTA_SERVER_PASSWORD.
"""

from collections.abc import Sequence

from exporter.backups.manifest import Manifest
from exporter.base.text import counted
from exporter.inventory.drills import DrillProof
from remediator.model.task import TaskError
from remediator.tasks.disaster_recovery.proofs.proof import NotProven, rows_of

_TABLES = ("agents", "public.agents")
_ASK = """
import json, os, urllib.request
key = os.environ.get("LETTA_SERVER_PASSWORD", "")
headers = {"Authorization": "Bearer " + key} if key else {}
asked = urllib.request.Request("http://127.0.0.1:8283/v1/agents/count", headers=headers)
print("agents:", int(json.load(urllib.request.urlopen(asked, timeout=60))))
"""


class Letta:
    def command(self, settings: DrillProof) -> Sequence[str]:
        return ["python3", "-c", _ASK]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        wanted = max(rows_of(manifest, _TABLES), default=None)
        if wanted is None:
            raise TaskError("the set does not say how many agents there were: no database in it has a table agents")
        if not wanted:
            raise TaskError("there was no agent when the set was made, so that nothing could be proven")
        found = next((line.removeprefix("agents: ") for line in said.splitlines() if line.startswith("agents: ")), "")
        if found != str(wanted):
            raise NotProven(f"it lists {found or 'no'} agents, where {wanted} were backed up")
        return f"{counted(wanted, 'agent')}, as many as were backed up"
