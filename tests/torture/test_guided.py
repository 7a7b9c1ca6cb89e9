"""Fuzzing that is guided by coverage, of all that is read from outside: a million inputs in all in the long form.

Short ones are in ``tests/remediator/test_fuzz.py``; this begins with what other tests read. ``UPKEEPER_GUIDED`` is how
many inputs of each kind, ``UPKEEPER_GUIDED_SEED`` begins the search again.
"""

import importlib.util
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.helpers import LONG, missing, rounds
from tests.remediator.config.matcher_table import TABLE
from tests.remediator.judged import JUDGES
from tests.remediator.payloads import alert, payload

pytestmark = [pytest.mark.slow, pytest.mark.torture, LONG, pytest.mark.timeout(0)]

INPUTS = rounds("GUIDED", 10_000, 250_000)
SEED = int(os.environ.get("UPKEEPER_GUIDED_SEED", str(random.SystemRandom().randrange(1, 2**31))))
HANGS = 300
"""Seconds after which one input counts as one that hangs: each takes milliseconds on a machine that has time for it.
What is nested two thousand deep takes a second, and many where branches are counted.
"""
LARGEST = 4096
MIB = 2048
ROOT = Path(__file__).parents[2]
CRONS = ("*/10 * * * *", "0 2 * * *", "30 2 29 2 *", "0 3 * * 5L", "0 3 LW * MON#1", "@daily", "5,7-9/2 1 1 JAN-DEC 0")


def begins_with(kind: str) -> Iterable[bytes]:
    """Inputs that other tests read."""
    if kind == "payload":
        return [
            payload(alert()),
            payload(alert(), alert(status="resolved", endsAt="2026-03-01T10:25:30Z"), version="1"),
        ]
    if kind == "matchers":
        return [text.encode() for text, _ in TABLE]
    if kind == "cron":
        return [bytes([number % 4, number * 30]) + text.encode() for number, text in enumerate(CRONS)]
    corpus = ROOT / "tests" / "upkeeper" / "look" / "corpus"
    return [path.read_bytes() for path in sorted(corpus.rglob("*.yml"))]


@pytest.mark.parametrize("kind", list(JUDGES))
def test_whatever_leads_to_new_code_is_taken_or_refused(kind: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        missing("Atheris is not installed (pip install atheris; there is none but for x86-64)")
    print(f"seed: UPKEEPER_GUIDED_SEED={SEED} UPKEEPER_GUIDED={INPUTS}")
    begin, found = tmp_path / "begin", tmp_path / "found"
    for directory in (begin, found):
        directory.mkdir()
    for number, data in enumerate(begins_with(kind)):
        (begin / str(number)).write_bytes(data)
    limits = [f"-runs={INPUTS}", f"-seed={SEED}", f"-timeout={HANGS}", f"-max_len={LARGEST}", f"-rss_limit_mb={MIB}"]
    output = [f"-artifact_prefix={tmp_path}/wrong-", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.torture.guided", kind, *limits, *output, found, begin]
    ended = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, errors="replace")
    wrong = {path.name: path.read_bytes() for path in tmp_path.glob("wrong-*")}
    assert ended.returncode == 0, f"{wrong}\n{ended.stderr[-4000:]}"
    assert not wrong
    tried = re.search(r"number_of_executed_units:\s*(\d+)", ended.stderr)
    assert tried is not None, ended.stderr[-4000:]
    assert int(tried[1]) >= INPUTS
    reached = re.findall(r"cov: (\d+)", ended.stderr)
    print(f"{kind}: {tried[1]} inputs, {len(list(found.iterdir()))} that led to something new, {reached[-1]} branches")
