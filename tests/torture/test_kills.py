"""kill -9 at random points under a load of webhooks, jobs that are due and approvals that are given meanwhile.

Every alert that was accepted has its decision; every effect that is not idempotent happened once, counted outside of
the process; no job runs twice for one due time; the audit's chain verifies; the database is whole. ``make torture`` is
the long form: 500 kills. A failure is repeated by its seed.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import Api, command, firing
from tests.helpers import wait_until
from tests.ports import free_port
from tests.torture.ledger import Ledger

KILLS = int(os.environ.get("UPKEEPER_TORTURE_KILLS", "6"))
SECONDS = float(os.environ.get("UPKEEPER_TORTURE_SECONDS", "inf"))
"""After which nothing is killed any more, and what must be true is checked."""
SEED = int(os.environ.get("UPKEEPER_TORTURE_SEED", str(random.SystemRandom().randrange(2**32))))
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(600 + 60 * KILLS)]
BEGINS = 600.0
"""Seconds after which a house that is not ready counts as one that hangs: the long form runs beside much else."""
NEW_EACH = 3
"""Alerts that come for the first time between two kills, at most."""
ROOT = Path(__file__).parents[2]

CONFIG = {
    "collectors": {"docker": {"enabled": False}},
    "remedies": [
        {
            "name": name,
            "match": [f'alertname="{name}"'],
            "task": "bump",
            "target_label": "thing",
            "autonomy": autonomy,
            "cooldown": "1d",
            "rate": {"per_hour": 1000, "per_day": 10000},
            "breaker": {"failures": 1000},
            "trust": {"demote_after": 1000},
        }
        for name, autonomy in (("act", "auto"), ("ask", "approve"))
    ],
    "schedule": {"jobs": [{"name": "tick", "at": "* * * * *", "task": "tick", "cooldown": "0s",
                           "rate": {"per_hour": 1000, "per_day": 10000}}]},
}  # fmt: skip


class House:
    """A remediator's process, begun now."""

    def __init__(self, many: subprocess.Popen[str]) -> None:
        assert many.stdin is not None
        assert many.stdout is not None
        self._answers = many.stdout
        many.stdin.write("go\n")
        many.stdin.flush()
        self._pid = int(self._answers.readline())
        self.status: int | None = None
        """The exit status, negative for a signal, once it is known."""

    def end(self, by: signal.Signals) -> int:
        """Sends the signal, and waits for the end. The status."""
        os.kill(self._pid, by)
        self.status = int(self._answers.readline())
        return self.status


class Torture:
    """A house, what was sent to it, and what it answered."""

    def __init__(self, root: Path, ledger: Ledger, port: int, dice: random.Random) -> None:
        self.ledger = ledger
        self.dice = dice
        self.things = KILLS * NEW_EACH + 10
        self.config = root / "upkeeper.yml"
        self.config.write_text(yaml.safe_dump(CONFIG))
        self.state = root / "state"
        self.log = root / "house.log"
        self._ledger_port = port
        self._port = free_port()
        self._many: subprocess.Popen[str] | None = None
        self.api = Api(f"http://127.0.0.1:{self._port}", self.state)
        self.may_send = 0
        """Alerts so far: more of them than can be worked off between two kills would only make a queue."""
        self.sent: list[dict[str, Any]] = []
        self.accepted: set[str] = set()
        """Fingerprints of alerts of which at least one notification was answered 202."""
        self.approved: set[int] = set()
        self.denied: set[int] = set()
        """Runs whose request was answered with 200."""

    @contextmanager
    def street(self) -> Iterator[None]:
        """Where houses can be started."""
        arguments = [self.config, self.state, f"127.0.0.1:{self._port}", self._ledger_port, self.things]
        with self.log.open("ab") as output:
            self._many = subprocess.Popen(
                [sys.executable, "-m", "tests.torture.house", "--many", *map(str, arguments)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True,
            )  # fmt: skip
        with self._many:
            yield
            assert self._many.stdin is not None
            self._many.stdin.close()

    @contextmanager
    def house(self) -> Iterator["House"]:
        assert self._many is not None, "there is no street"
        house = House(self._many)
        try:
            yield house
        except BaseException:
            print(f"--- {self.log} ---\n{self.log.read_text(errors='replace')[-8000:]}")
            raise
        finally:
            if house.status is None:
                house.end(signal.SIGKILL)

    def post(self) -> None:
        """A notification with some new alerts and some that came before, in any order, now and then twice."""
        for _ in range(self.dice.randint(0, NEW_EACH)):
            number = len(self.sent)
            if number < min(self.things, self.may_send):
                name = self.dice.choice(("act", "ask"))
                self.sent.append(firing(f"{number:016x}", alertname=name, thing=f"thing{number}"))
        batch = self.dice.sample(self.sent, min(len(self.sent), self.dice.randint(1, 5)))
        batch += [each for each in self.sent[-NEW_EACH:] if each not in batch]
        batch += self.dice.choices(batch, k=self.dice.randint(0, 2)) if batch else []
        self.dice.shuffle(batch)
        self._send(batch)

    def send_again(self) -> None:
        """What was never accepted, as Alertmanager does while it fires."""
        self._send([each for each in self.sent if each["fingerprint"] not in self.accepted][:50])

    def _send(self, batch: list[dict[str, Any]]) -> None:
        with suppress(httpx.TransportError):
            if batch and self.api.post_alerts(*batch).status_code == 202:
                self.accepted |= {each["fingerprint"] for each in batch}

    def answer(self) -> None:
        """Answers what waits, some of it twice."""
        with suppress(ConnectionError, httpx.TransportError, httpx.HTTPStatusError):
            for one in self.api.get("approvals?state=asked&limit=500")["items"]:
                verdict = "deny" if one["run"] % 7 == 0 else "approve"
                for _ in range(self.dice.randint(1, 2)):
                    if self._answered(one, verdict):
                        (self.denied if verdict == "deny" else self.approved).add(one["run"])

    def _answered(self, one: dict[str, Any], verdict: str) -> bool:
        body = {"verdict": verdict, "plan_hash": one["plan_hash"], "reason": "torture"}
        return self.api.post(f"approvals/{one['id']}", body).status_code == 200

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{(self.state / 'upkeeper.db').as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def torture(tmp_path: Path) -> Iterator[Torture]:
    print(f"seed: UPKEEPER_TORTURE_SEED={SEED} UPKEEPER_TORTURE_KILLS={KILLS}")
    ledger = Ledger()
    with ledger.served() as port:
        torture = Torture(tmp_path, ledger, port, random.Random(SEED))
        with torture.street():
            yield torture


async def test_kills_at_random_points_lose_nothing_and_do_nothing_twice(torture: Torture) -> None:
    began, number = time.monotonic(), 0
    while number < KILLS and time.monotonic() - began < SECONDS:
        number += 1
        with torture.house() as house:
            await wait_until(torture.api.ready, timeout=BEGINS, what="the house to be ready")
            torture.may_send += NEW_EACH
            until = time.monotonic() + torture.dice.uniform(0, 2)
            while time.monotonic() < until:
                torture.post()
                torture.answer()
                time.sleep(torture.dice.uniform(0, 0.1))
            house.end(signal.SIGKILL if torture.dice.random() < 0.9 else signal.SIGTERM)
        if number % 50 == 0:
            print(f"{number} kills in {time.monotonic() - began:.0f} s", flush=True)

    with torture.house() as house:
        await wait_until(torture.api.ready, timeout=BEGINS, what="the last house to be ready")

        def at_rest() -> bool:
            torture.send_again()
            torture.answer()
            everything = len(torture.accepted) == len(torture.sent)
            return everything and not torture.query("SELECT 1 FROM runs WHERE state != 'finished'")

        left = len(torture.query("SELECT 1 FROM runs WHERE state != 'finished'"))
        await wait_until(at_rest, timeout=BEGINS + 3 * left, what="everything to be accepted, and every run to end")
        await wait_until(lambda: torture.query(UNDECIDED) == [], timeout=BEGINS, what="every alert to be decided about")
        assert house.end(signal.SIGTERM) == 0
    check(torture, number)


UNDECIDED = """SELECT fingerprint FROM alerts WHERE NOT EXISTS
               (SELECT 1 FROM decisions WHERE decisions.alert_id = alerts.id)"""


def check(torture: Torture, kills: int) -> None:
    """Everything that must be true after it."""
    stored = {fingerprint for (fingerprint,) in torture.query("SELECT fingerprint FROM alerts")}
    assert torture.accepted <= stored, "an alert that was accepted is lost"
    assert torture.query(UNDECIDED) == []

    runs = torture.query("SELECT id, target, outcome, reason FROM runs WHERE task = 'bump'")
    ran: Counter[str] = Counter()
    for number, target, outcome, reason in runs:
        if outcome == "effective":
            ran[target] += 1
        else:
            given_up = outcome == "failed" and "died 5 times in a row" in reason
            assert outcome == "denied" or given_up, (number, target, outcome, reason)
    for number, target, outcome, _ in runs:
        assert ran[target] <= 1, f"{target} was done twice"
        if outcome != "failed":
            assert torture.ledger.state(target) == ran[target], (target, outcome)
        assert torture.ledger.state(target) <= 1
        if number in torture.approved:
            assert outcome in ("effective", "failed"), f"run {number} was approved, and is {outcome}"
        if number in torture.denied:
            assert outcome == "denied"

    due = [json.loads(targets) for (targets,) in torture.query("SELECT targets FROM due_times")]
    by_due = [each["run_id"] for targets in due for each in targets if each.get("run_id") is not None]
    assert len(by_due) == len(set(by_due))
    ticks = torture.query("SELECT id, outcome FROM runs WHERE task = 'tick'")
    assert {number for number, _ in ticks} == set(by_due), "a job ran that no due time knows"
    assert torture.ledger.state("clock") == sum(outcome == "effective" for _, outcome in ticks)

    assert torture.query("PRAGMA integrity_check") == [("ok",)]
    assert torture.query("PRAGMA foreign_key_check") == []
    assert command("audit", "verify", "--state-dir", torture.state)
    outcomes = Counter(outcome for _, _, outcome, _ in runs)
    print(f"{kills} kills, {len(torture.accepted)} alerts, {len(torture.approved)} approvals, {len(ticks)} due times, "
          f"runs: {dict(outcomes)}")  # fmt: skip
