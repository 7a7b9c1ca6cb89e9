"""The API as its own document describes it, asked with generated requests, right ones and wrong ones, by every role.

Never a 5xx; answers are what the document says; refusals are RFC 9457; a role gets what is its own and nothing else. A
real remediator in a process of its own. ``UPKEEPER_FUZZ`` is how many requests in all; ``make torture`` sets the long
form's. A failure prints its request, and the seed by which they all come again.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as how
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from exporter.base.problem import CONTENT_TYPE
from remediator.api.openapi import openapi
from remediator.api.operations import API, OPERATIONS
from tests.e2e.processes import Api, end, firing
from tests.helpers import Hopeless, wait_until
from tests.ports import free_port

REQUESTS = int(os.environ.get("UPKEEPER_FUZZ", "600"))
SEED = int(os.environ.get("UPKEEPER_FUZZ_SEED", str(random.SystemRandom().randrange(2**32))))
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.torture, pytest.mark.timeout(600 + REQUESTS)]

ROOT = Path(__file__).parents[3]
TARGETS = [f"app{number}" for number in range(8)]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
]
REFUSES = (404, 409, 422)
"""What a request gets that is well formed, and about what there is not, or not now."""
READS_MORE = ("alertmanager", "schedule_why")
"""Of which the document does not say all: Alertmanager's payload, and times as people write them."""
LABEL = "UpkeeperLogDirectoryOverLimit"


def _schema() -> Any:
    document = openapi("0.1.0")
    config = SchemathesisConfig.from_dict(
        {
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", *map(str, REFUSES)]}},
            "generation": {"with-security-parameters": False, "allow-x00": False},
        }
    )
    return schemathesis.openapi.from_dict(document, config=config)


SCHEMA = _schema()
NAMES = [found.ok().definition.raw["operationId"] for found in SCHEMA.get_all_operations()]
CAN_BE_WRONG = {
    found.ok().definition.raw["operationId"]
    for found in SCHEMA.get_all_operations()
    if found.ok().body or any(set(each.definition["schema"]) > {"type"} for each in found.ok().iter_parameters())
}
"""Of the others, which take nothing or any text, no request is wrong."""
KINDS = [(name, GenerationMode.POSITIVE) for name in NAMES]
KINDS += [(name, GenerationMode.NEGATIVE) for name in NAMES if name in CAN_BE_WRONG]
ROLE_OF = {operation.name: operation.role for operation in OPERATIONS} | {"alertmanager": "alertmanager"}
EACH = max(2, REQUESTS // len(KINDS))
"""Requests of each operation that are right, and as many that are wrong."""


@dataclass(frozen=True)
class Served:
    """A remediator with something of each kind in its record. tokens: by role, ``wrong`` and ``none`` are none."""

    url: str
    tokens: dict[str, str | None]
    known: dict[str, list[Any]]
    """Values of parameters by their names: of what there is, so that not everything asked for is missing."""
    session: requests.Session


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    print(f"seed: UPKEEPER_FUZZ_SEED={SEED} UPKEEPER_FUZZ={REQUESTS}")
    root = tmp_path_factory.mktemp("fuzzed")
    for target in TARGETS:
        (root / target).mkdir()
        (root / target / "app.log").write_bytes(b"line\n" * 2000)
    config, state, log = root / "upkeeper.yml", root / "state", root / "log"
    config.write_text(yaml.safe_dump(_config(root)))
    port = free_port()
    command = [sys.executable, "-m", "tests.remediator.api.fuzzed", config, state, f"127.0.0.1:{port}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield _filled(Api(f"http://127.0.0.1:{port}", state), process)
        assert process.poll() is None, "it has ended"
    finally:
        print(f"--- {log} ---\n{log.read_text(errors='replace')[-8000:]}")
        assert end(process) == 0


def _config(root: Path) -> dict[str, Any]:
    rotation = {"max_file_bytes": 1000}
    remedy = {"task": "log-rotation", "target_label": "directory", "cooldown": "0s"}
    return {
        "logs": [{"name": each, "path": str(root / each), "max_bytes": 5000, "rotation": rotation} for each in TARGETS],
        "docker": {"host": f"unix://{root}/none.sock"},
        "collectors": {"docker": {"enabled": False}, "docker_usage": {"enabled": False}},
        "remediator": {"ballast": 0},
        "remedies": [
            {"name": "act", "match": [f'alertname="{LABEL}"', 'directory="app0"'], "autonomy": "auto", **remedy},
            {"name": "ask", "match": [f'alertname="{LABEL}"'], "autonomy": "approve", **remedy},
        ],
    }


def _filled(api: Api, process: subprocess.Popen[bytes]) -> Served:
    def ready() -> bool:
        if process.poll() is not None:
            raise Hopeless("it has ended")
        return api.ready()

    asyncio.run(wait_until(ready, what="the remediator to be ready"))
    alerts = [firing(f"{number:016x}", alertname=LABEL, directory=each) for number, each in enumerate(TARGETS)]
    assert api.post_alerts(*alerts).status_code == 202
    asked = asyncio.run(wait_until(lambda: _asked(api), what="requests for approval", timeout=20))
    session = requests.Session()
    session.trust_env = False
    operator = (api.state / "tokens" / "operator").read_text().strip()
    headers = {"Authorization": f"Bearer {operator}"}
    made = {}
    for role in ("viewer", "operator"):
        body = {"name": f"fuzz-{role}", "role": role}
        answer = session.post(f"{api.url}{API}/tokens", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        made[role] = answer.json()["token"]
    host = api.get("runs")["items"][0]["host"]
    known: dict[str, list[Any]] = {
        "id": list(range(1, 12)),
        "run": list(range(1, 12)),
        "alert_id": list(range(1, 12)),
        "before": list(range(1, 30)),
        "after": list(range(1, 30)),
        "task": ["log-rotation", "health-check", "daily"],
        "target": [*TARGETS, "all"],
        "host": [host],
        "remedy": ["act", "ask"],
        "job": ["daily", "health-check"],
        "plan_hash": [one["plan_hash"] for one in asked],
        "labels": [{"alertname": LABEL, "directory": "app3"}],
        "name": ["spare"],
    }
    tokens = {
        **made,
        "alertmanager": (api.state / "tokens" / "alertmanager").read_text().strip(),
        "wrong": "not-a-token",
        "none": None,
    }
    return Served(api.url, tokens, known, session)


def _asked(api: Api) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = api.get("approvals?state=asked")["items"]
    return found if len(found) == len(TARGETS) - 1 else None


def expected(name: str, role: str) -> set[int] | None:
    """The statuses that refuse a role for the operation; None for a role that may ask."""
    needs = ROLE_OF[name]
    if role in ("wrong", "none"):
        return {401, 503} if needs == "alertmanager" else {401, 429}
    if role == needs or (role == "operator" and needs == "viewer"):
        return None
    return {403}


def _with_known(draw: Any, case: Any, known: dict[str, list[Any]]) -> None:
    """Puts what there is in the place of some of what was made up."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            for name in part:
                if name in known and draw(st.booleans()):
                    part[name] = draw(st.sampled_from(known[name]))


ROLES = st.sampled_from(["operator"] * 6 + ["viewer"] * 3 + ["alertmanager", "wrong", "none"])


@pytest.mark.parametrize(("name", "mode"), [pytest.param(*kind, id=f"{kind[0]}-{kind[1].value}") for kind in KINDS])
def test_whatever_is_asked_is_answered_as_the_document_says(served: Served, name: str, mode: GenerationMode) -> None:
    operation = SCHEMA.find_operation_by_id(name)
    may = [role for role in ("operator", "viewer", "alertmanager") if expected(name, role) is None]

    @seed(SEED)
    @how(
        max_examples=EACH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        print_blob=False,
    )
    @given(case=operation.as_strategy(generation_mode=mode), role=ROLES, draw=st.data())
    def ask(case: Any, role: str, draw: Any) -> None:
        if mode.is_positive:
            _with_known(draw.draw, case, served.known)
        if name == "alertmanager" and role == "operator":
            role = may[0]
        token = served.tokens[role]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = case.call(base_url=served.url, session=served.session, headers=headers, timeout=60)
        said = f"{role}: {case.as_curl_command(headers=headers)} -> {answer.status_code} {answer.content[:500]!r}"
        refusal = expected(name, role)
        if refusal is not None and mode.is_negative:
            refusal = refusal | {404}  # what is no path of ours
        if refusal is None:
            assert answer.status_code not in (401, 403, 429), said
            if answer.status_code == 503 and name == "pause" and case.body.get("silence"):
                assert "Alertmanager" in answer.text, said  # there is none here to make a silence in
            elif answer.status_code == 503 and name == "start_rollout" and case.body.get("alerts", True):
                assert "alerts cannot be known" in answer.text, said  # nor one that could be asked what fires
            else:
                case.validate_response(answer, checks=CHECKS[:-1] if name in READS_MORE else CHECKS)
        else:
            assert answer.status_code in refusal, said
        if answer.status_code >= 400:
            problem = answer.json()
            assert answer.headers["content-type"][0].partition(";")[0] == CONTENT_TYPE, said
            assert problem["status"] == answer.status_code, said
            assert {"type", "title"} <= problem.keys(), said

    ask()
