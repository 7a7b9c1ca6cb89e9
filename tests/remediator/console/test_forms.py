"""What can be done from the console."""

import re
from functools import partial

import pytest

from remediator.config.remedies import Trust
from remediator.model.evidence import Section
from remediator.store import evidence
from tests.helpers import wait_until
from tests.remediator.console.visits import Browser, Shown, token_of
from tests.remediator.stack import Stack, alert, settings
from tests.remediator.sweep import Only


@pytest.fixture
async def home(stack: Stack, browser: Browser) -> Shown:
    return await browser.log_in(await token_of(stack, "operator"))


async def test_run_now_and_plan_now(stack: Stack, browser: Browser, home: Shown) -> None:
    stack.clutter(2)
    fields = {"task": "sweep", "target": "attic", "csrf": home.field("csrf"), "back": "/tasks"}
    planned = await browser.send("/start", how="plan", **fields)
    assert planned.path == "/console/runs/1"
    assert "Planning; nothing is changed." in planned.text
    await stack.finished(1)
    assert len(list(stack.attic.iterdir())) == 2
    started = await browser.send("/start", how="run", **fields)
    assert started.path == "/console/runs/2"
    [_, run] = await stack.finished(2)
    assert not list(stack.attic.iterdir())
    assert run["caller"] == {"trigger": "console", "name": "operator"}
    assert "asked for by console operator" in (await browser.open("/runs/2")).text
    assert "Started." not in (await browser.open("/runs/2")).text, "a notice is shown once"
    stack.clutter(2)
    stack.clock.now += 3600.0
    stack.task.parameters = Only
    await browser.send("/start", how="run", **fields, parameters="only", **{"parameter.1": "None"})
    run = (await stack.finished(3))[-1]
    assert (run["params"], len(list(stack.attic.iterdir()))) == ({"only": "None"}, 2), "more was done than asked for"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": "nonsense", "target": "attic"}, "nonsense"),
        ({"task": "sweep", "target": "nowhere"}, "nowhere"),
        ({}, "task"),
    ],
)
async def test_what_cannot_be_started_is_said_where_it_was_asked(
    stack: Stack, browser: Browser, home: Shown, fields: dict[str, str], says: str
) -> None:
    shown = await browser.send("/start", csrf=home.field("csrf"), back="/tasks", how="run", **fields)
    assert shown.path == "/console/tasks"
    assert says in shown.text
    assert not (await stack.core.runs())["items"]


async def asked(stack: Stack) -> int:
    """An approval that waits."""
    stack.clutter(2)
    await stack.receive(alert())

    async def waits() -> list[int]:
        return [one["id"] for one in (await stack.core.approvals(state="asked"))["items"]]

    [id] = await wait_until(waits, what="an approval to wait")
    return id


@pytest.fixture
def approving(stack: Stack) -> None:
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies))


@pytest.mark.usefixtures("approving")
async def test_a_plan_is_looked_at_and_approved(
    stack: Stack, browser: Browser, home: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await asked(stack)
    now = await browser.open("/")
    assert "sweep on attic" in now.text
    assert "More wait" not in now.text
    monkeypatch.setattr("remediator.console.pages.WAITING", 0)
    now = await browser.open("/")
    assert "sweep on attic 2 actions" not in now.text
    assert "/console/approvals?state=asked" in now.links(), "what waits is nowhere on the first page"
    kept = [Section("log of attic", ["dust on the <shelf>"])]
    await stack.core._database.write(partial(evidence.keep, run_id=1, sections=kept, now=stack.clock.now))
    await stack.core.pause(None, "moving house", 3600.0)
    shown = await browser.open(f"/approvals/{id}")
    assert "delete f0 a file" in shown.text
    assert re.search("Guards that would block it now .*paused .*moving house", shown.text), shown.text
    assert "log of attic" in shown.text
    assert "dust on the <shelf>" in shown.text
    await stack.core.resume(None)
    assert "Guards that would block it now" not in (await browser.open(f"/approvals/{id}")).text
    fields = {name: shown.field(name) for name in ("id", "plan_hash", "csrf", "back")}
    stale = await browser.send("/answer", **{**fields, "plan_hash": "0" * 64}, verdict="approve")
    assert stale.path == f"/console/approvals/{id}"
    assert 'class="notice bad"' in stale.html
    assert len(list(stack.attic.iterdir())) == 2
    for verdict in ("", "perhaps"):
        assert "choose to approve or to deny" in (await browser.send("/answer", **fields, verdict=verdict)).text
    done = await browser.send("/answer", **fields, verdict="approve", reason="looked at it")
    assert done.path == "/console/runs/1"
    assert "sweep on attic: approved." in done.text
    [run] = await stack.finished(1)
    assert run["outcome"] == "effective"
    of_alert = f"/alerts/{run['alert_id']}"
    for page in ("/runs/1", of_alert):
        assert "dust on the <shelf>" in (await browser.open(page)).text, page
    assert "1 of 1 effective" in (await browser.open("/remedies")).text
    view = await stack.core.approval(id)
    assert (view["by"], view["reason"]) == ({"trigger": "console", "name": "operator"}, "looked at it")
    again = await browser.send("/answer", **fields, verdict="deny")
    assert 'class="notice bad"' in again.html, "it was answered twice"


@pytest.mark.usefixtures("approving")
async def test_a_plan_is_denied_and_a_viewer_can_only_look(stack: Stack, browser: Browser, home: Shown) -> None:
    id = await asked(stack)
    shown = await browser.open(f"/approvals/{id}")
    fields = {name: shown.field(name) for name in ("id", "plan_hash", "csrf", "back")}
    await browser.send("/answer", **fields, verdict="deny", reason="not today")
    [run] = await stack.finished(1)
    assert (run["outcome"], len(list(stack.attic.iterdir()))) == ("denied", 2)
    await browser.log_in(await token_of(stack, "viewer"))
    assert "denied by console operator" in (await browser.open(f"/approvals/{id}")).text
    assert 'value="approve"' not in (await browser.open(f"/approvals/{id}")).html


async def test_pause_and_resume(stack: Stack, browser: Browser, home: Shown) -> None:
    fields = {"csrf": home.field("csrf")}
    for wrong in ("", "soon", "-1h", "0", "200y"):
        shown = await browser.send("/pause", **fields, **{"for": wrong}, reason="moving")
        assert 'class="notice bad"' in shown.html, wrong
    for path in ("/pause", "/resume"):
        for wrong in ("\0", "a" * 2001):
            shown = await browser.send(path, **fields, **{"for": "2h"}, task=wrong)
            assert "task holds a NUL" in shown.text or "task is longer than" in shown.text, (path, wrong)
    assert not (await stack.core.status())["paused"], "everything is paused where one task was meant"
    shown = await browser.send("/pause", **fields, **{"for": "2h"}, reason="moving")
    assert "Paused: everything. moving by console operator" in shown.text
    assert "ends in 2h" in shown.text
    shown = await browser.send("/resume", **fields, task="")
    assert "Resumed." in shown.text
    assert not (await stack.core.status())["paused"]


async def test_a_notice_waits_for_who_reads_it(browser: Browser, home: Shown) -> None:
    data = {"csrf": home.field("csrf"), "for": "soon"}
    async with browser.client.post("/console/pause", data=data, allow_redirects=False) as answer:
        assert answer.status == 303
    async with browser.client.head("/console/") as answer:
        assert answer.status == 200
    assert "notice bad" not in (await browser.open("/", **{"HX-Request": "true"})).html
    assert "notice bad" in (await browser.open("/")).html
    assert "notice bad" not in (await browser.open("/")).html


async def test_a_run_is_cancelled_and_a_breaker_closed(stack: Stack, browser: Browser, home: Shown) -> None:
    fields = {"csrf": home.field("csrf")}
    stack.task.broken = True
    for number in range(3):
        stack.clutter(1)
        stack.clock.now += 120.0
        await stack.core.start_run("sweep", "attic")
        await stack.finished(number + 1)
    shown = await browser.open("/")
    assert "Breaker open: sweep on attic" in shown.text
    shown = await browser.send("/close-breaker", **fields, task="sweep", target="attic")
    assert "The breaker is closed." in shown.text
    assert not (await stack.core.status())["open_breakers"]
    shown = await browser.send("/cancel", **fields, id="1", back="/runs/1")
    assert shown.path == "/console/runs/1"
    assert 'class="notice bad"' in shown.html, "a finished run was cancelled"
    for wrong in ("", "x", "-1", "9" * 30):
        shown = await browser.send("/cancel", **fields, id=wrong, back="https://elsewhere.example/")
        assert shown.path == "/console/"
        assert "must be a number" in shown.text


async def test_a_form_that_fails_inside_says_so_on_a_page(
    stack: Stack, browser: Browser, home: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(stack.core.holding, "pause", fails)
    shown = await browser.send("/pause", csrf=home.field("csrf"), **{"for": "1h"}, reason="moving")
    assert shown.path == "/console/"
    assert "It failed; the remediator's log says why." in shown.text
    assert "secret" not in shown.html


async def test_a_remedy_is_promoted_once_somebody_has_confirmed_what_its_track_suggests(
    stack: Stack, browser: Browser, home: Shown
) -> None:
    changes = {"autonomy": "observe", "trust": Trust(plans=1)}
    stack.remedies[0] = stack.remedies[0].model_copy(update=changes)
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    stack.clutter(2)
    await stack.receive(alert())
    await stack.finished(1)
    page = await browser.open("/remedies")
    assert "It could be at approve: 1 of its plans had something to do" in page.text
    fields = {name: page.field(name) for name in ("csrf", "remedy", "autonomy", "back")}
    for wrong in ({}, {"sure": "no"}, {"sure": "yes", "autonomy": "auto"}, {"sure": "yes", "autonomy": "x"}):
        shown = await browser.send("/promote", **{**fields, **wrong})
        assert (shown.path, 'class="notice bad"' in shown.html) == ("/console/remedies", True), wrong
    assert (await stack.core.remedies())["items"][0]["autonomy"] == "observe"
    shown = await browser.send("/promote", **fields, sure="yes")
    assert "tidy is at approve from now on." in shown.text
    assert "The config says observe: promoted by hand: 1 of its plans" in shown.text
    [record] = [one for one in (await stack.core.audit())["items"] if one["kind"] == "autonomy.promoted"]
    assert record["caller"] == {"trigger": "console", "name": "operator"}
    await browser.log_in(await token_of(stack, "viewer"))
    assert "/promote" not in (await browser.open("/remedies")).html
