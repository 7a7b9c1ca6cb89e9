"""What the pages show."""

import html
import re
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from exporter.configfile.file import load
from remediator.config.config import Config
from remediator.console.pages import MOST_STEPS, PAGES, most_telling
from remediator.forecast.row import ForecastRow
from remediator.model.caller import Caller
from remediator.model.rollout import Member, Rollout
from remediator.model.shapes.runs import StepView
from remediator.model.words import Step
from remediator.store import artefacts, fleet, rollouts, rows
from remediator.store.fleet import Arrived
from tests.remediator.console.test_forms import asked
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import START, Stack, alert, notification, settings

HOSTILE = """</title><script>alert("x")</script><img src=x onerror=alert(1)>'"--><svg onload=a>{{7*7}}"""


async def filled(stack: Stack, **labels: str) -> None:
    """A run for an alert, one that fails, an alert that no remedy knows, a pause."""
    stack.clutter(2)
    await stack.receive(alert(severity="critical", **labels), alert(alertname="Unknown", **labels))
    await stack.finished(1)
    stack.task.broken = True
    stack.clutter(1)
    stack.clock.now += 120.0
    await stack.core.start_run("sweep", "attic")
    await stack.finished(2)


async def test_every_page_opens_for_a_viewer_and_an_operator_empty_and_filled(stack: Stack, browser: Browser) -> None:
    for role in ("viewer", "operator"):
        await browser.log_in(await token_of(stack, role))
        for page in PAGES:
            shown = await browser.open(page.path.replace("{id}", "1"))
            assert shown.status == (404 if "{id}" in page.path and role == "viewer" else 200) or page.path in (
                "/approvals/{id}",
            ), (page.path, shown.text)
        if role == "viewer":
            await filled(stack)


async def test_now_says_what_is_wrong_what_was_done_and_what_comes(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    await stack.core.pause(None, "moving house", 3600.0)
    stack.clock.now += 30
    await browser.log_in(await token_of(stack, "operator"))
    text = (await browser.open("/")).text
    assert "Paused: everything. moving house" in text
    assert "critical began" in text
    assert "will not no remedy matches" in text
    assert "critical began 2m ago done sweep on attic ended effective" in text
    assert re.search(r"1 sweep attic effective 2 B alert tidy 2m ago", text), text
    assert re.search(r"2 sweep attic failed", text)
    assert "health-check in 2m" in text
    assert "Nothing." in text, "something waits for a person"
    assert "Watched file systems, the host and its containers" in text
    web = {"name": "web", "probes": [{"url": "http://127.0.0.1/"}]}
    logs = [{"name": name, "path": f"/{name}", "max_bytes": 1} for name in "ab"]
    watching = Config.model_validate({"services": [web], "logs": logs, "remediator": {"ballast": 0}})
    stack.core.apply_settings(settings(stack.task, stack.remedies, watching))
    assert "Watched 1 service, 2 log directories, file systems" in (await browser.open("/")).text


async def test_the_audit_page_says_whether_the_chain_is_whole(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    await browser.log_in(await token_of(stack, "viewer"))
    assert "not looked at yet" in (await browser.open("/audit")).text
    await stack.core.auditing.verify()
    assert re.search(r"\d+ records; whole when last looked at 0s ago", (await browser.open("/audit")).text)


async def test_a_run_shows_its_actions_measurements_and_why(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    await browser.log_in(await token_of(stack, "viewer"))
    text = (await browser.open("/runs/1")).text
    assert "sweep on attic effective" in text
    assert "breached 2 files" in text
    assert re.search(r"delete f0 a file done 1 B", text), text
    failed = (await browser.open("/runs/2")).text
    assert "f0 will not go" in failed
    assert "Cancel this run" not in failed


async def test_a_run_that_waited_has_each_of_its_steps_on_its_timeline(stack: Stack, browser: Browser) -> None:
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    asked_for = await asked(stack)
    await browser.log_in(await token_of(stack, "viewer"))
    waits = await browser.open("/runs/1")
    steps = re.findall(r"<strong>(\w+)</strong>", waits.html)
    assert steps == ["accepted", "decided", "begun", "planned", "asked"]
    assert re.search(r"asked goes on a person must approve", waits.text), waits.text
    now = await browser.open("/")
    assert "waits for you sweep on attic has a plan" in now.text
    assert f'/console/approvals/{asked_for}">Look at its plan and answer' in now.html
    stack.clock.now += 90.0
    view = await stack.core.approval(asked_for)
    await stack.core.decide_approval(asked_for, "approve", view["plan_hash"], reason="looked at it")
    await stack.finished(1)
    text = (await browser.open("/runs/1")).text
    for step in (
        "accepted its alert came",
        "asked a person must approve",
        "took 90.0 s",
        "approved looked at it by",
        "planned again: 2 actions",
        "action done delete f0",
        "verified 0 files",
        "ended effective",
    ):
        assert step in text, (step, text)
    assert text.index("took 90.0 s") < text.index("approved looked") < text.index("planned again")
    assert "2027-01-15 08:01:30 UTC" in text
    now = await browser.open("/")
    assert "done sweep on attic ended effective" in now.text, "a card says what was so"


async def test_an_alert_shows_why_its_remedy_does_what_it_does(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    await browser.log_in(await token_of(stack, "viewer"))
    text = (await browser.open("/alerts/1")).text
    assert "tidy matches sweep, auto; on attic" in text
    assert "blocked cooldown the last run on this target is too recent" in text


async def test_a_message_leads_to_what_is_done_about_its_alert(stack: Stack, browser: Browser) -> None:
    """All that it knows is the fingerprint, which Alertmanager told the remediator too."""
    await filled(stack)
    again = alert(severity="critical", starts_at=START + 90)
    await browser.log_in(await token_of(stack, "viewer"))
    shown = await browser.open(f"/alerts/of/{again.fingerprint}")
    assert shown.path == "/console/alerts/1"
    assert "What Upkeeper does about it done sweep on attic ended effective" in shown.text
    stack.clock.now += 7200.0
    await stack.receive(again)
    await stack.finished(3)
    # The newest episode is shown, and the run for it.
    await browser.log_in(await token_of(stack, "operator"))
    shown = await browser.open(f"/alerts/of/{again.fingerprint}")
    assert "What Upkeeper does about it done sweep on attic ended" in shown.text
    assert 'href="/console/runs/3"' in shown.html
    unknown = await browser.open("/alerts/of/0123456789abcdef")
    assert unknown.status == 404
    assert "There is no such alert in the record" in unknown.text


async def test_lists_are_paged(stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediator.console.pages.ON_A_PAGE", 2)
    await stack.core.pause(None, "no run", 3600.0)
    for number in range(5):
        await stack.receive(alert(alertname=f"Alert{number}", starts_at=START + number))
    await browser.log_in(await token_of(stack, "viewer"))
    seen: list[str] = []
    path = "/alerts"
    while path:
        shown = await browser.open(path)
        seen += re.findall(r">(Alert\d)</a>", shown.html)
        older = [link for link in shown.links() if "before=" in link]
        path = older[0].removeprefix("/console") if older else ""
    assert seen == ["Alert4", "Alert3", "Alert2", "Alert1", "Alert0"]


@pytest.mark.parametrize("path", ["/runs/9", "/runs/" + "9" * 30, "/approvals/9", "/alerts/9"])
async def test_what_is_not_there_is_said_on_a_page(stack: Stack, browser: Browser, path: str) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    shown = await browser.open(path)
    assert shown.status == 404
    assert re.search(r"there is no|there is nothing", shown.text)


async def test_an_address_that_is_wrong_is_said_to_be_so_on_a_page(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    lists = ("/runs", "/alerts", "/decisions", "/approvals", "/audit")
    wrong = [f"{path}?before={text}" for path in lists for text in ("-1", "x", "9" * 30, "%00")]
    wrong += ["/runs?state=nonsense", "/runs?outcome=nonsense", "/alerts?status=nonsense", "/approvals?state=nonsense",
              "/decisions?alert=x", "/audit?run=-1", "/schedule?job=daily&at=nonsense"]  # fmt: skip
    for path in wrong:
        shown = await browser.open(path)
        assert (shown.status, 'class="notice bad"' in shown.html) == (400, True), path
    assert (await browser.open("/schedule?job=nosuch")).status == 404
    for path in ("/static/0/console.css", "/static/0/nosuch.js", "/static/x", "/nowhere"):
        shown = await browser.open(path)
        assert (shown.status, "There is no such page." in shown.text) == (404, True), path
    for path in ("", "/", "/runs"):
        shown = await browser.send(path)
        assert (shown.status, "Nothing can be sent there." in shown.text) == (405, True), path
    browser.client.session.cookie_jar.clear()
    for path in ("/static/0/nosuch.js", "/nowhere", *lists):
        assert (await browser.open(path)).path == "/console/login", path
    assert (await browser.send("")).path == "/console/login"


async def test_why_a_job_did_not_run(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    assert "not-due" in (await browser.open("/schedule?job=daily&at=2027-01-10+13:00")).text
    assert "nonsense" in (await browser.open("/schedule?job=nonsense")).text


class Seen(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


async def test_what_others_wrote_is_text_on_every_page(stack: Stack, browser: Browser) -> None:
    (stack.attic / "<b onclick=x>").touch()
    hostile = alert(alertname="Cluttered", severity=HOSTILE, **{"instance": HOSTILE})
    hostile.annotations["summary"] = HOSTILE
    await stack.core.inbox.accept(notification(hostile))
    await stack.receive(alert(alertname=HOSTILE))
    await stack.finished(1)
    await stack.core.pause(None, HOSTILE, 3600.0)
    shown = await browser.log_in(await token_of(stack, "operator"))
    await browser.send("/cancel", id="1", reason=HOSTILE, csrf=shown.field("csrf"), back="/runs/1")
    pages = [page.path.replace("{id}", "1") for page in PAGES] + ["/alerts/2", "/sessions"]
    found = 0
    for path in pages:
        shown = await browser.open(path, **{"User-Agent": HOSTILE.replace('"', "")})
        found += html.escape(HOSTILE, quote=False).partition('"')[0] in shown.html.replace("&#34;", '"')
        seen = Seen()
        seen.feed(shown.html)
        assert not {"img", "svg", "b"} & set(seen.tags), path
        assert not [name for name in seen.attributes if name.startswith("on")], path
        assert all(script and script.startswith("/console/static/") for script in seen.scripts), path
        assert "49" not in re.sub(r"[^<{]*{{7\*7}}", "", shown.text) or "{{7*7}}" in shown.text
    assert found >= 4, "what others wrote was on no page, so nothing was shown by this"


async def test_runs_and_alerts_are_narrowed_by_the_address(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    await browser.log_in(await token_of(stack, "viewer"))
    for query, ids in (
        ("outcome=failed", ["2"]),
        ("task=sweep", ["2", "1"]),
        ("target=nowhere", []),
        ("task=", ["2", "1"]),
        ("state=finished", ["2", "1"]),
        ("state=waiting", []),
        ("host=elsewhere", []),
    ):
        shown = await browser.open(f"/runs?{query}")
        assert re.findall(r'runs/(\d+)">', shown.html) == ids, query
    assert (await browser.open("/alerts?status=resolved")).text.count("Cluttered") == 0
    shown = await browser.open("/alerts?status=firing")
    assert "Cluttered" in shown.text
    for path, found in (("/decisions?alert=1", 1), ("/decisions?alert=9", 0), ("/decisions?host=elsewhere", 0)):
        assert (await browser.open(path)).html.count("/console/alerts/1") == found, path
    assert "/console/runs/1" not in (await browser.open("/audit?run=2")).html
    assert "/console/runs/2" in (await browser.open("/audit?run=2")).html


async def test_an_alert_that_began_long_ago_is_still_wrong_now(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remediator.console.pages.ON_A_PAGE", 2)
    await stack.receive(alert(alertname="Old"))
    for number in range(3):
        await stack.receive(alert(alertname="Short", starts_at=START + number, status="resolved"))
    await stack.receive(alert(alertname="Watchdog", severity="none"))
    await browser.log_in(await token_of(stack, "viewer"))
    text = (await browser.open("/")).text
    assert "Old" in text
    assert "no remedy matches" in text
    assert "Watchdog" not in text


async def test_what_a_run_made_is_shown_as_of_no_site_and_without_a_script(stack: Stack, browser: Browser) -> None:
    await filled(stack)
    for name, kind in (("report.html", "text/html; charset=utf-8"), ("all.tar.gz", "application/gzip")):
        made = partial(artefacts.keep, run_id=1, name=name, media_type=kind, content=HOSTILE.encode(), now=START)
        await stack.core._database.write(made)
    async with browser.client.get("/console/artefacts/1", allow_redirects=False) as answer:
        assert answer.status == 303, "it is for those who are logged in"
    await browser.log_in(await token_of(stack, "viewer"))
    shown = await browser.open("/runs/1")
    links = re.findall(r'href="(/console/artefacts/\d+)">(?:report|all)', shown.html)
    for link, disposition in zip(links, ("inline", "attachment"), strict=True):
        async with browser.client.get(link) as answer:
            assert answer.headers["Content-Disposition"].startswith(disposition)
            assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert await answer.read() == HOSTILE.encode()
    assert (await browser.open("/artefacts/99")).status == 404


async def test_a_page_that_fails_is_said_on_a_page(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))

    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(stack.core.reading, "runs", fails)
    shown = await browser.open("/runs")
    assert (shown.status, "cannot be made" in shown.text, "secret" in shown.html) == (500, True, False)
    assert (await browser.open("/tasks")).status == 200


async def test_a_record_that_cannot_be_read_is_said_before_anything_is_shown(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))

    async def fails(digest: str) -> None:
        raise OperationalError("SELECT", {}, Exception("the inside"))

    monkeypatch.setattr(stack.core.access, "grant_of", fails)
    shown = await browser.open("/runs")
    assert (shown.status, "cannot be read" in shown.text, "inside" in shown.html) == (503, True, False)


async def test_the_forecast_shows_what_the_newest_run_foretold(
    stack: Stack, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    assert "Nothing has been foretold yet" in (await browser.open("/forecast")).text
    found = [
        ForecastRow(sink="filesystem:/<b>", unit="bytes", says="not within 60 days", limit=2e9, used=1e9,
                    reach_days=60),
        ForecastRow(sink="logs:app", unit="bytes", says="in 5 days (4 to 9)", limit=2e9, used=1.9e9, used_ratio=0.95,
                    days=5.0, days_earliest=4.0, days_latest=9.0, reach_days=60),
    ]  # fmt: skip
    await stack.core.start_run("sweep", "attic", dry_run=True)
    await stack.finished(1)
    await stack.core._database.write(partial(rows.replace, run_id=1, rows=found))
    monkeypatch.setattr(stack.core.forecasting, "_foretells", lambda: ["sweep"])
    shown = await browser.open("/forecast")
    assert shown.text.index("in 5 days (4 to 9)") < shown.text.index("not within 60 days")
    assert re.search(r"1\.77 GiB 1\.86 GiB \(95\.0%\)", shown.text), shown.text
    assert "<svg" in shown.html
    assert "/<b>" not in shown.html


async def test_the_config_is_shown_without_secrets_and_its_problems_with_their_lines(
    stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    assert "No file: all of it is the default." in (await browser.open("/config")).text
    path = tmp_path / "upkeeper.yml"
    good = "services:\n  - name: web\n    probes:\n      - url: http://127.0.0.1/\n        headers: {Cookie: geheim}\n"
    path.write_text(good)
    loaded = load(path, Config)
    in_force = settings(stack.task, stack.remedies, loaded.value)
    stack.core.apply_settings(replace(in_force, loaded=loaded))
    text = (await browser.open("/config")).text
    assert "name: web" in text
    assert "geheim" not in text
    path.write_text(good + "ballast: 3\nremediator: {workers: many}\n")
    text = (await browser.open("/config")).text
    assert f"2 problems in {path}" in text
    assert "line 6: ballast" in text
    assert "line 7: remediator.workers" in text
    assert "name: web" in text, "what is in force is no longer shown"
    path.write_text(good + "remediator: {workers: 3}\n")
    assert "something else than what is in force" in (await browser.open("/config")).text


async def test_the_hosts_are_shown_with_what_each_says_of_itself(stack: Stack, browser: Browser) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    other = Arrived("cellar", "0.9.7", "rack-3", None)
    await stack.core._database.write(partial(fleet.arrive, one=other, now=START - 600))
    text = (await browser.open("/hosts")).text
    assert re.search(r"cellar on rack-3 down 10m\S* ago 0 0 0 0\.9\.7", text), text
    assert "Rollouts" not in text
    rolled = Rollout(
        host="kitchen", task="sweep", target="attic", caller=Caller("cli", "anna"), label=None, wait=60.0, alerts=True,
        members=[Member("cellar", None, 1, "failed", "so", 7), Member("roof", None, 2)], state="stopped",
        reason="cellar: <so>", asked_at=START, since=START, driver="kitchen",
    )  # fmt: skip
    await stack.core._database.write(partial(rollouts.create, rollout=rolled, now=START))
    text = (await browser.open("/hosts")).text
    assert re.search(r"1 sweep on attic stopped cellar failed\s?, roof pending cellar: <so> .* by anna", text), text


def test_of_very_many_actions_the_timeline_has_the_first_and_the_last() -> None:
    def step(word: Step, text: str = "") -> StepView:
        at = "2026-11-28T10:00:00.000Z"
        return {"step": word, "at": at, "until": at, "text": text, "state": "", "by": None, "run": None}

    few = [step("begun"), *(step("action", str(n)) for n in range(MOST_STEPS)), step("ended")]
    assert most_telling(few) == (few, 0)
    many = [step("begun"), *(step("action", str(n)) for n in range(500)), step("ended")]
    shown, left_out = most_telling(many)
    told = [None if one is None else one["text"] or one["step"] for one in shown]
    half = MOST_STEPS // 2
    assert told == ["begun", *map(str, range(half)), None, *map(str, range(500 - half, 500)), "ended"]
    assert left_out == 500 - MOST_STEPS
