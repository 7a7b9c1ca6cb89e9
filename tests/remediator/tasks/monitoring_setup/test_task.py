"""monitoring-setup beside a real Prometheus and Alertmanager that belong to a person, and a real mail server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from remediator import endpoints
from remediator.config.config import Config
from remediator.model.task import Action, Plan, TaskError
from remediator.monitoring.look import Arrival, Look
from remediator.monitoring.owned import Seen, look, marked
from remediator.monitoring.prometheus import JOBS
from remediator.share import share_path
from remediator.tasks.monitoring_setup.rows import CheckRow
from remediator.tasks.monitoring_setup.task import MonitoringSetup
from tests import servers
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.exporter.serving import answering

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),  # it is on loopback
]

NOW_ARRIVED = Arrival(True, 12.0)


@dataclass
class Theirs:
    """What a person has, below one directory, with the task beside it."""

    task: MonitoringSetup
    root: Path
    mailbox: Mailbox

    async def states(self) -> dict[str, str]:
        return {row.name: row.state for row in rows(await self.task.plan("all"))}

    async def applied(self, plan: Plan, kind: str) -> str:
        action = next(action for action in plan.actions if action.kind == kind)
        effect = await self.task.apply("all", action)
        assert effect.state == "done"
        return effect.detail


def rows(plan: Plan) -> Sequence[CheckRow]:
    return [row for row in plan.rows if isinstance(row, CheckRow)]


@asynccontextmanager
async def theirs(
    root: Path, *, prometheus: dict[str, Any], routes: Sequence[Any] = (), people: bool = True, lifecycle: bool = True
) -> AsyncIterator[Theirs]:
    """A person's Prometheus with this config and Alertmanager with these routes, and our services' ports answering."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text="up 1\n")

    async with AsyncExitStack() as stack:
        mailbox = stack.enter_context(served(Mailbox(), login=False))
        ours = [await stack.enter_async_context(answering(metrics)) for _ in range(2)]
        state, home = root / "state", root / "theirs"
        state.mkdir()
        (home / "rules").mkdir(parents=True)
        endpoints.write(state, endpoints.Endpoints(exporter=ours[0], remediator=ours[1]))
        mail = {"to": "ann@example.org", "from": "am@example.org", "smarthost": mailbox.address, "require_tls": False}
        receivers: list[dict[str, Any]] = [
            {"name": "ann", **({"email_configs": [mail]} if people else {})},
            {"name": "remediator", "webhook_configs": [{"url": f"{ours[1]}/api/v1/alertmanager"}]},
        ]
        pace = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        (home / "alertmanager.yml").write_text(
            yaml.safe_dump({"route": {"receiver": "ann", "routes": list(routes), **pace}, "receivers": receivers})
        )
        am = await stack.enter_async_context(servers.alertmanager(root / "am", home / "alertmanager.yml"))
        posts = {"alerting": {"alertmanagers": [{"static_configs": [{"targets": [am.url.removeprefix("http://")]}]}]}}
        more = ["--web.enable-lifecycle"] if lifecycle else []
        prom = await stack.enter_async_context(servers.prometheus(home, {**posts, **prometheus}, *more))
        config = Config.model_validate(
            {
                "prometheus": {"url": prom.url},
                "alertmanager": {"url": am.url},
                "configuration": {"alertmanager_configs": [str(home / "alertmanager.yml")]},
            }
        )

        async def arrival() -> Arrival:
            return NOW_ARRIVED

        yield Theirs(MonitoringSetup(Look(config, state, share_path()), arrival), home, mailbox)


TO_US = [{"receiver": "remediator", "continue": True}, {"receiver": "ann"}]


async def test_what_may_be_put_in_place_is_and_what_is_a_persons_stays(tmp_path: Path) -> None:
    """Rules go into his directory of rules; of scrape jobs and routes the lines lie beside his files."""
    async with theirs(tmp_path, prometheus={"rule_files": ["rules/*.yml"], "scrape_configs": []}) as found:
        his = {path: path.read_bytes() for path in found.root.glob("*.yml")}
        before, plan = await found.task.measure("all"), await found.task.plan("all")
        assert before.breached
        states = {row.name: row.state for row in rows(plan)}
        for name in ("rules", "scrapes upkeeper-exporter", "scrapes upkeeper-remediator", "tells the remediator"):
            assert states[name] == "missing"
        assert states["posts alerts"] in ("ok", "unknown")  # it takes seconds to find it
        assert states["retention"] == "wrong"
        assert states["messages by email"] == "unknown"
        assert [action.kind for action in plan.actions] == [
            "write-rules",
            "write-beside",
            "write-beside",
            "test-message",
        ]

        for action in plan.actions:
            effect = await found.task.apply("all", action)
            assert effect.state == "done", effect

        assert {path: path.read_bytes() for path in found.root.glob("*.yml")} == his
        after = await found.task.measure("all")
        states = await found.states()
        assert states["rules"] == "ok"
        assert states["messages by email"] == "ok"
        assert states["scrapes upkeeper-exporter"] == "missing"  # until a person has added the lines
        assert found.task.improved(before, after)
        assert after.breached

        again = await found.task.plan("all")
        assert not again.actions
        assert [one.name for one in again.made] == ["prometheus.yml.upkeeper", "alertmanager.yml.upkeeper"]
        # On a busy machine the rules that were put in place have fired by then, and that was mailed before.
        [sent] = [mail for _, mail in found.mailbox.mails if "UpkeeperTestMessage" in str(mail["Subject"])]
        assert "alerts reach you" in part(sent, "html")

        lines = yaml.safe_load((found.root / "prometheus.yml.upkeeper").read_text())
        document = yaml.safe_load((found.root / "prometheus.yml").read_text())
        (found.root / "prometheus.yml").write_text(yaml.safe_dump(document | lines))
        await found.task._reload([], JOBS)
        states = await found.states()
        assert states["scrapes upkeeper-exporter"] == states["scrapes upkeeper-remediator"] == "ok"


async def test_rules_of_another_version_are_renewed_and_a_persons_get_a_file_beside_them(tmp_path: Path) -> None:
    shipped = share_path() / "prometheus" / "rules"
    async with theirs(
        tmp_path, prometheus={"rule_files": ["rules/*.yml"], "scrape_configs": []}, routes=TO_US
    ) as found:
        rules = found.root / "rules"
        # A copy of his of one that is current, a copy of his that is old, and one of ours that no longer ships.
        (rules / "web.yml").write_bytes((shipped / "web.yml").read_bytes())
        old = (shipped / "sqlite.yml").read_text().replace("severity: ", "severity: very-")
        (rules / "sqlite.yml").write_text(old)
        plan = await found.task.plan("all", {"test_message": "no"})
        await found.applied(plan, "write-rules")
        # What we wrote is renewed, and what a person has changed is his.
        renewed, changed = rules / "upkeeper-logs.yml", rules / "upkeeper-neo4j.yml"
        renewed.write_bytes(marked(b"groups: []\n"))
        changed.write_text(changed.read_text().replace("severity: warning", "severity: page"))
        gone = rules / "upkeeper-gone.yml"
        gone.write_bytes(marked(b"groups: []\n"))
        await found.task._reload([])

        plan = await found.task.plan("all", {"test_message": "no"})
        (told,) = [row for row in rows(plan) if row.name == "rules"]
        assert told.state == "wrong"
        assert "of another version: UpkeeperNeo4j" in told.detail
        assert f"{changed} holds rules of another version and is yours" in " ".join(plan.notes)
        assert f"{rules}/sqlite.yml holds rules" in " ".join(plan.notes)
        assert not [note for note in plan.notes if "web.yml" in note]
        await found.applied(plan, "write-rules")
        assert look(renewed).whose == "ours"
        assert b"UpkeeperLog" in renewed.read_bytes()
        assert not gone.exists()
        assert "severity: page" in changed.read_text()
        assert (rules / "sqlite.yml").read_text() == old
        assert not (rules / "upkeeper-sqlite.yml").exists()  # else it would fire twice

        beside = next(action for action in plan.actions if action.kind == "write-beside" and "rules" in action.object)
        await found.task.apply("all", beside)
        for name in ("upkeeper-neo4j.yml", "sqlite.yml"):
            (rules / f"{name}.upkeeper").rename(rules / name)
        await found.task._reload([])
        states = await found.states()
        assert states["rules"] == "ok"
        assert states["tells people"] == "ok"


async def test_what_changed_since_the_plan_is_left_alone_and_what_is_refused_taken_away(tmp_path: Path) -> None:
    async with theirs(tmp_path, prometheus={"rule_files": ["rules/*.yml"], "scrape_configs": []}) as found:
        plan = await found.task.plan("all", {"test_message": "no"})
        action = next(action for action in plan.actions if action.kind == "write-rules")
        # A rule file of his that is not valid: whatever is reloaded now fails.
        broken = found.root / "rules" / "broken.yml"
        broken.write_text("groups: nonsense\n")
        with pytest.raises(TaskError, match="nothing was left there"):
            await found.task.apply("all", action)
        assert list(broken.parent.iterdir()) == [broken]
        broken.unlink()
        (found.root / "rules" / "upkeeper-web.yml").write_text("groups: []\n")
        with pytest.raises(TaskError, match="something else than was planned"):
            await found.task.apply("all", action.model_copy(update={"params": {"files": {}}}))
        effect = await found.task.apply("all", action)  # it does less than was planned
        assert effect.state == "done"
        assert (found.root / "rules" / "upkeeper-web.yml").read_text() == "groups: []\n"
        assert look(found.root / "rules" / "upkeeper-logs.yml").whose == "ours"


async def test_nobody_is_told_is_said_loudly_and_without_lifecycle_a_person_reloads(tmp_path: Path) -> None:
    scrapes = {"rule_files": [], "scrape_configs": [], "global": {"scrape_interval": "1s"}}
    async with theirs(tmp_path, prometheus=scrapes, routes=TO_US, people=False, lifecycle=False) as found:
        plan = await found.task.plan("all")
        (people,) = [row for row in rows(plan) if row.name == "tells people"]
        assert people.state == "missing"
        assert people.detail == "WATCHING, TELLING NOBODY: no alert reaches a person"
        assert "test-message" not in [action.kind for action in plan.actions]
        assert any("--web.enable-lifecycle" in note for note in plan.notes)
        assert "have Prometheus read its config again" in await found.applied(plan, "write-rules")
        directory = found.root / "upkeeper-rules"
        assert look(directory / "upkeeper-services.yml").whose == "ours"
        await found.applied(plan, "write-beside")
        lines = yaml.safe_load((found.root / "prometheus.yml.upkeeper").read_text())
        assert lines["rule_files"] == [f"{directory}/*.yml"]
        assert (await found.states())["tells the remediator"] == "ok"

        # Of those that `upkeeper up` starts it writes everything itself.
        look_here, state = found.task._look, tmp_path / "state"
        urls = {"prometheus": look_here._config.prometheus, "alertmanager": look_here._config.alertmanager}
        endpoints.update(state, **{name: peer.base_urls[0] for name, peer in urls.items() if peer is not None})
        plan = await MonitoringSetup(Look(Config(), state, share_path()), found.task._arrival).plan("all")
        assert not plan.actions
        assert "rules" in {row.name for row in rows(plan) if row.state == "missing"}


async def test_what_does_not_answer_is_wrong_and_what_nobody_named_is_missing(tmp_path: Path) -> None:
    async def arrival() -> Arrival:
        return Arrival()

    config = Config.model_validate({"prometheus": {"url": "http://127.0.0.1:1"}})
    plan = await MonitoringSetup(Look(config, tmp_path, share_path()), arrival).plan("all")
    assert {row.area: row.state for row in rows(plan) if row.name == "answers"} == {
        "prometheus": "wrong",
        "alertmanager": "missing",
    }
    with pytest.raises(TaskError, match="has one target"):
        await MonitoringSetup(Look(config, tmp_path, share_path()), arrival).measure("other")
    with pytest.raises(TaskError, match="no receiver of people"):
        await MonitoringSetup(Look(config, tmp_path, share_path()), arrival).apply(
            "all", Action(kind="test-message", object="email", reason="")
        )


def test_a_link_is_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"his")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert look(tmp_path / "link") == Seen("theirs")
