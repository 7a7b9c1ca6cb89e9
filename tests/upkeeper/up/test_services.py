"""What exporter and remediator share."""

import json
import subprocess
import sys

IMPORT = (
    "import sys, json, importlib; [importlib.import_module(name) for name in {}]; print(json.dumps([*sys.modules]))"
)
SHARED = "__import__('upkeeper.up.services').up.services.SHARED"


def imported(names: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", IMPORT.format(names)], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_only_what_both_need_is_shared() -> None:
    shared = imported(SHARED)
    assert {"aiohttp", "pydantic", "exporter"} <= shared
    assert not {"sqlalchemy", "httpx", "docker", "psycopg", "neo4j"} & shared
