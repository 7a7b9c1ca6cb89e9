"""A run on which a real remediator is killed again and again, always in the same action, is given up."""

import random
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.control.queue import MAX_DEATHS
from tests.e2e.processes import firing
from tests.helpers import wait_until
from tests.torture.ledger import Ledger
from tests.torture.test_kills import CONFIG, Torture

pytestmark = [pytest.mark.servers, pytest.mark.slow]


class Stuck(Ledger):
    """Answers a bump only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.let_go = threading.Event()

    def bump(self, name: str, state: int) -> bool:
        self.asked += 1
        self.let_go.wait(120)
        return super().bump(name, state)


async def test_killed_in_the_same_action_again_and_again_it_is_given_up_and_the_next_alert_is_not(
    tmp_path: Path,
) -> None:
    ledger = Stuck()
    with ledger.served() as port:
        torture = Torture(tmp_path, ledger, port, random.Random(0))
        torture.config.write_text(yaml.safe_dump({**CONFIG, "schedule": {"jobs": []}}))

        def ended(number: int) -> Any:
            runs = torture.api.get("runs")["items"]
            return next((run for run in runs if run["id"] == number and run["state"] == "finished"), None)

        try:
            with torture.street():
                for deaths in range(MAX_DEATHS):
                    with torture.house() as house:
                        if not deaths:
                            await wait_until(torture.api.ready, what="the remediator to be ready")
                            torture.api.post_alerts(firing(f"{0:016x}", alertname="act", thing="thing0"))
                        await wait_until(lambda: ledger.asked, equals=deaths + 1, what="the action to be under way")
                        assert house.end(signal.SIGKILL) == -signal.SIGKILL
                ledger.let_go.set()
                with torture.house():
                    await wait_until(torture.api.ready)
                    given_up = await wait_until(lambda: ended(1), what="the run to be given up")
                    torture.api.post_alerts(firing(f"{1:016x}", alertname="act", thing="thing1"))
                    other = await wait_until(lambda: ended(2), what="the other run")
        finally:
            ledger.let_go.set()
    assert (given_up["outcome"], given_up["reason"]) == (
        "failed",
        f"the remediator died {MAX_DEATHS} times in a row in the same step",
    )
    assert other["outcome"] == "effective"
    assert ledger.asked == MAX_DEATHS + 1
