"""n8n: decrypts every stored credential with the key that came back with the set, by its own command line.

``export:credentials --decrypted`` fails where the key is another one. https://docs.n8n.io/hosting/cli-commands/
"""

import re
from collections.abc import Sequence

from exporter.backups.manifest import Manifest
from exporter.base.text import counted
from exporter.inventory.drills import DrillProof
from remediator.tasks.disaster_recovery.proofs.proof import NotProven

_DECRYPTED = re.compile(r'"data":\s*\{\s*"')
_SEALED = re.compile(r'"data":\s*"')


class N8n:
    def command(self, settings: DrillProof) -> Sequence[str]:
        return ["n8n", "export:credentials", "--all", "--decrypted", "--output=/dev/stdout"]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        """What it writes are the credentials themselves: they are counted, and nothing of them is quoted."""
        if _SEALED.search(said):
            raise NotProven("a credential was written as it is stored, not decrypted")
        found = len(_DECRYPTED.findall(said))
        if not found:
            raise NotProven("no credential came out: there is none, so that nothing is proven, or none was decrypted")
        return f"{counted(found, 'credential')} decrypted"
