"""``autonomy`` against a running remediator, on a remedy that may do less by itself than the config says."""

import json
from functools import partial

import pytest

from remediator.model.level import Level
from remediator.store import levels
from tests.upkeeper.conftest import Remote

pytestmark = pytest.mark.slow


async def test_a_remedy_gets_back_what_the_config_says(remote: Remote) -> None:
    core = remote.stack.core
    lower = Level("tidy", "auto", "approve", "two runs in a row did not help", remote.stack.clock.now)
    await core._database.write(partial(levels.change, host=core._database.host, level=lower, before="auto"))
    await core.trusting.load()
    shown = (await remote.upkeeper("remedies")).out
    assert "approve" in shown
    assert "two runs in a row did not help" in shown
    done = await remote.upkeeper("autonomy", "reset", "tidy")
    assert (done.status, done.out) == (0, "tidy is auto again\n")
    (remedy,) = json.loads((await remote.upkeeper("remedies", "--json")).out)["items"]
    assert (remedy["autonomy"], remedy["configured_autonomy"]) == ("auto", "auto")
    again = await remote.upkeeper("autonomy", "reset", "tidy", "--json")
    assert again.status == 2
    assert json.loads(again.out)["error"]["message"] == "remedy tidy has the autonomy that the config says: auto"
    more = await remote.upkeeper("autonomy", "promote", "tidy", "--to", "auto")
    assert (more.status, more.err) == (3, "error: remedy tidy is at auto, and its track does not suggest more\n")
    unknown = await remote.upkeeper("autonomy", "reset", "tidi")
    assert unknown.status == 2
    assert unknown.err == "error: there is no remedy 'tidi'; the remedies: tidy\n"
