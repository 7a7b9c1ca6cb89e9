"""n8n: decrypts every stored credential with the key that came back with the set, by its own command line.

``export:credentials --decrypted`` fails where the key is another one. https://docs.n8n.io/hosting/cli-commands/
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.backups.manifest import Manifest
from exporter.base.text import counted
from exporter.inventory.drills import DrillProof
from remediator.tasks.disaster_recovery.proofs.proof import NotProven, rows_of

_TABLES = ("credentials_entity", "public.credentials_entity")
_DECRYPTED = re.compile(r'"data":\s*\{\s*"')
_SEALED = re.compile(r'"data":\s*"')


class N8n:
    def command(self, settings: DrillProof) -> Sequence[str]:
        return ["n8n", "export:credentials", "--all", "--decrypted", "--output=/dev/stdout"]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        """What it writes are the credentials themselves: they are counted, and nothing of them is quoted."""
        exported = _exported(said)
        if exported is None:  # of a long export only the end is here
            sealed, found = bool(_SEALED.search(said)), len(_DECRYPTED.findall(said))
        else:
            sealed = any(isinstance(each.get("data"), str) for each in exported)
            found = sum(isinstance(each.get("data"), dict) and bool(each["data"]) for each in exported)
        if sealed:
            raise NotProven("a credential was written as it is stored, not decrypted")
        if not found:
            raise NotProven("no credential came out: there is none, so that nothing is proven, or none was decrypted")
        wanted = max(rows_of(manifest, _TABLES), default=None)
        if wanted is None or exported is None:
            return f"{counted(found, 'credential')} decrypted"
        if found != wanted:
            raise NotProven(f"{counted(found, 'credential')} decrypted, where {wanted} were backed up")
        return f"{counted(found, 'credential')} decrypted, as many as were backed up"


def _exported(said: str) -> Sequence[Mapping[str, Any]] | None:
    """The credentials, where all of them are there. The program may write other lines before and after."""
    for line in said.splitlines():
        if line.startswith("["):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, list) and found and all(isinstance(each, dict) and "data" in each for each in found):
                return found
    return None
