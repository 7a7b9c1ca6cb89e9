"""A security update from its alert to its record, with the real engine, an approval, and real apt."""

import time
from pathlib import Path

import pytest

from remediator.config.config import Config
from remediator.config.remedies import Remedy
from remediator.control.core import Core
from remediator.control.settings import Settings
from remediator.decide.remedies import Remedies
from remediator.model.shapes.runs import RunView
from remediator.statedir import StateDir
from remediator.tasks.resources import Resources
from tests.apt_chroot.debian import Deb
from tests.helpers import wait_until
from tests.remediator.stack import alert, notification
from tests.remediator.tasks.packages.conftest import House

REMEDY = Remedy.model_validate(
    {
        "name": "update-security",
        "match": ['alertname="UpkeeperSecurityUpdatesOverdue"'],
        "task": "security-update",
        "target_label": "manager",
        "autonomy": "approve",
    }
)


@pytest.mark.servers
async def test_an_approval_holds_for_these_versions_only(house: House, tmp_path: Path) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"), Deb("lib", "1.0"))
    debian.publish(Deb("lib", "1.1", security=True), Deb("app", "1.1"))
    config = Config.model_validate({"remediator": {"ballast": 0}})
    state = StateDir(tmp_path / "state")
    state.ensure()
    settings = Settings(config, Remedies([REMEDY]), {"security-update": house.security}, Resources(config))
    core = Core(state, settings)
    await core.open()
    await core.start_engine()
    try:
        due = alert(starts_at=time.time(), alertname="UpkeeperSecurityUpdatesOverdue", manager="apt")
        await core.inbox.accept(notification(due))
        await core.decider.decide_batch()

        async def asked(number: int) -> str:
            found = [one for one in (await core.approvals())["items"] if one["id"] == number]
            return found[0]["plan_hash"] if found else ""

        first = await wait_until(lambda: asked(1), what="the first question")
        assert debian.version("lib") == "1.0"
        debian.publish(Deb("lib", "1.2", security=True), Deb("app", "1.1"))
        await core.decide_approval(1, "approve", first)
        second = await wait_until(lambda: asked(2), what="the second question, as a newer version has come")
        assert second != first
        assert debian.version("lib") == "1.0", "what was approved is not what would be installed"
        await core.decide_approval(2, "approve", second)

        async def over() -> RunView | None:
            (run,) = (await core.runs())["items"]
            return run if run["outcome"] else None

        run = await wait_until(over, what="the end of the run")
        assert (run["outcome"], run["reason"]) == ("effective", "0 updates to install, 0 for security")
        record = await core.run(run["id"])
        versions = [(row["package"], row["installed"], row["candidate"]) for row in record["rows"]]
        assert versions == [("lib", "1.0", "1.2")], "what it was and what it is, for the way back"
        assert record["actions"][0]["detail"].startswith("1 package updated; ")
        assert (debian.version("lib"), debian.version("app")) == ("1.2", "1.0")
    finally:
        await core.close()
