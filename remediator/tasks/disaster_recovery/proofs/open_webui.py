"""Open WebUI: answers a login with a token, of a user whose password is in the environment of the drill's service.

``POST /api/v1/auths/signin``. The e-mail address and the password are in UPKEEPER_PROOF_EMAIL and
UPKEEPER_PROOF_PASSWORD, which belong into the service's ``env_file``.
"""

from collections.abc import Sequence

from exporter.backups.manifest import Manifest
from exporter.inventory.drills import DrillProof
from remediator.tasks.disaster_recovery.proofs.proof import NotProven

_ASK = """
import json, os, urllib.request
body = {"email": os.environ["UPKEEPER_PROOF_EMAIL"], "password": os.environ["UPKEEPER_PROOF_PASSWORD"]}
asked = urllib.request.Request(
    "http://127.0.0.1:" + os.environ.get("PORT", "8080") + "/api/v1/auths/signin",
    data=json.dumps(body).encode(), headers={"Content-Type": "application/json"},
)
answer = json.load(urllib.request.urlopen(asked, timeout=60))
print("logged in" if answer.get("token") else "no token")
"""


class OpenWebUI:
    def command(self, settings: DrillProof) -> Sequence[str]:
        return ["python3", "-c", _ASK]

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        if "logged in" not in said.splitlines():
            raise NotProven("it answers a login with no token")
        return "it answers a login"
