"""What can be looked at by a form: a restore as a dry run."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from remediator.config.config import Config
from remediator.console.forms import given_of, names_of, shown_of
from remediator.model.errors import RequestError
from remediator.model.params import described
from remediator.model.params import wrong as mistake
from remediator.model.task import Parameters, TaskError
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources
from remediator.tasks.restore.task import Restore
from tests.remediator.console.visits import Browser, token_of
from tests.remediator.stack import Stack, settings
from tests.remediator.tasks.backup.series import made, series, task


async def backed_up(stack: Stack, root: Path) -> str:
    """The name of a set of the series pa, which the stack's task restore restores."""
    (root / "data").mkdir()
    (root / "data" / "a <b> file").write_text("content")
    (root / "sets").mkdir()
    pa = series(root / "sets", {"files": [str(root / "data")]})
    new = await made(task(pa), root / "sets")
    about = {"remediator": {"ballast": 0}, "backups": [pa.model_dump(mode="json", exclude_unset=True)]}
    in_force = settings(stack.task, stack.remedies, Config.model_validate(about))
    restore = Restore([pa])
    stack.core.apply_settings(replace(in_force, tasks={**in_force.tasks, "restore": restore}))
    return new.name


@pytest.fixture
async def name(stack: Stack, tmp_path: Path) -> str:
    return await backed_up(stack, tmp_path)


async def test_a_restore_is_planned_step_by_step_and_nothing_is_changed(
    stack: Stack, browser: Browser, name: str, tmp_path: Path
) -> None:
    await browser.log_in(await token_of(stack, "operator"))
    page = await browser.open("/backups")
    csrf, to = page.field("csrf"), tmp_path / "it's back"
    assert f'<option value="pa/{name}">' in page.html
    before = sorted(tmp_path.rglob("*"))
    for chosen in ("latest", name):
        shown = await browser.send("/restore", csrf=csrf, set=f"pa/{chosen}", to=f" {to} ", only="")
        assert (shown.status, shown.path) == (200, "/console/restore")
        assert f"check-set {name}" in shown.text
        assert "restore-part files" in shown.text, shown.text
        assert f"finish-restore {to} all is there and on disk" in shown.text
        assert f"upkeeper restore {chosen} --name pa --to '{tmp_path}/it'\"'\"'s back'" in shown.text
        assert f'value="pa/{chosen}" selected' in shown.html, "what was asked is not asked again"
    assert sorted(tmp_path.rglob("*")) == before
    assert not (await stack.core.runs())["items"], "a look is recorded as a run"
    part = f"file:{tmp_path}/data"
    shown = await browser.send("/restore", csrf=csrf, set=f"pa/{name}", to=str(to), only=f" {part} ")
    assert f"--only {part} --to" in shown.text
    for fields, says in (
        ({"set": f"pa/{name}", "to": ""}, "say where to"),
        ({"set": f"pa/{name}", "to": str(tmp_path)}, "is not empty"),
        ({"set": f"pa/{name}", "to": str(to), "only": "volume:<script>"}, "<script>"),
        ({"set": "pa/../../etc", "to": str(to)}, "It would not be restored"),
        ({"set": "nonsense/latest", "to": str(to)}, "nonsense"),
    ):
        shown = await browser.send("/restore", csrf=csrf, **fields)
        assert says in shown.text, shown.text
        assert "<script>" not in shown.html
        assert "check-set" not in shown.text
    for wrong in ("", "pa", "/x"):
        shown = await browser.send("/restore", csrf=csrf, set=wrong, to=str(to))
        assert (shown.status, "choose a set" in shown.text) == (400, True)
    assert sorted(tmp_path.rglob("*")) == before


async def test_who_may_only_look_has_no_form_and_sends_none(
    stack: Stack, browser: Browser, name: str, tmp_path: Path
) -> None:
    await browser.log_in(await token_of(stack, "viewer"))
    page = await browser.open("/backups")
    assert name in page.text
    assert "restore" not in page.html
    csrf = page.field("csrf")  # of the button to log out
    shown = await browser.send("/restore", csrf=csrf, set=f"pa/{name}", to=str(tmp_path / "out"))
    assert "may look and not act" in shown.text
    assert "check-set" not in shown.text
    await browser.log_in(await token_of(stack, "operator"))
    shown = await browser.send("/restore", csrf="x", set=f"pa/{name}", to=str(tmp_path / "out"))
    assert "not one of this session" in shown.text


async def test_a_set_has_its_page_with_what_was_shown_of_it_and_why_it_is_kept(
    stack: Stack, browser: Browser, name: str, tmp_path: Path
) -> None:
    await browser.log_in(await token_of(stack, "operator"))
    page = await browser.open("/backups")
    [link] = [one for one in page.links() if "&set=" in one]
    before = await browser.open(link.removeprefix("/console"))
    assert "complete of pa" in before.text
    assert "checksums not tried yet readable not tried yet" in before.text
    assert "Why it is kept no keep: is configured" in before.text
    assert f'value="pa/{name}" selected' in before.html
    pa = series(tmp_path / "sets", {"files": [str(tmp_path / "data")]})
    verification = BackupVerification([pa], None, stack.clock)
    for action in (await verification.plan("pa")).actions:
        await verification.apply("pa", action)
    stack.clock.now += 3600.0
    text = (await browser.open(link.removeprefix("/console"))).text
    assert re.search(r"checksums shown 1h ago : 1 file, .* readable shown 1h ago : files: 2 entries", text), text
    assert "restored not tried yet drilled not tried yet" in text
    data = next((tmp_path / "sets" / name).rglob("*.tar*"))
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    for action in (await verification.plan("pa")).actions:
        with pytest.raises(TaskError):
            await verification.apply("pa", action)
    text = (await browser.open(link.removeprefix("/console"))).text
    assert "checksums failed 0s ago" in text, text
    for wrong in ("series=pa&set=nosuch", "series=nosuch", f"set={name}"):
        assert (await browser.open(f"/backups?{wrong}")).status == 404, wrong
    assert "say where to" not in (await browser.open(f"/restore?set=pa/{name}")).text
    await browser.log_in(await token_of(stack, "viewer"))
    assert "What would a restore" not in (await browser.open(link.removeprefix("/console"))).text


async def test_a_task_that_must_know_more_asks_for_it_and_is_started_with_it(
    stack: Stack, browser: Browser, name: str, tmp_path: Path
) -> None:
    await browser.log_in(await token_of(stack, "operator"))
    page = await browser.open("/tasks")
    assert re.search(r'name="parameter.3" value=""\s+required', page.html), "what it has to know is not asked for"
    assert 'name="parameter.1" value="latest"' in page.html
    fields = {"csrf": page.field("csrf"), "back": "/tasks", "task": "restore", "target": "pa",
              "parameters": "set only to"}  # fmt: skip
    given = {"parameter.1": name, "parameter.2": "", "parameter.3": f" {tmp_path}/back "}
    shown = await browser.send("/start", how="plan", **fields, **given)
    assert shown.path == "/console/runs/1"
    [run] = await stack.finished(1)
    assert (run["outcome"], run["params"]) == ("planned", {"set": name, "to": f"{tmp_path}/back"})
    assert not (tmp_path / "back").exists()
    await browser.send("/start", how="run", **fields, **given)
    [_, run] = await stack.finished(2)
    assert (run["outcome"], (tmp_path / "back").is_dir()) == ("effective", True), run["reason"]
    shown = await browser.send("/start", how="run", **fields)
    assert (shown.path, "say to: directory" in shown.text) == ("/console/tasks", True)
    shown = await browser.send("/start", how="run", **{**fields, **given, "parameters": "set to"})
    assert "other parameters by now" in shown.text
    assert len((await stack.core.runs())["items"]) == 2


def test_parameters_are_given_as_a_form_has_them() -> None:
    class Many(Parameters):
        days: int | None = Field(default=None, ge=7)
        warm: bool = True
        kind: Literal["", "a", "b"] = ""
        only: list[str] = Field(default=[])
        to: str = Field(description="where")

    known = described(Many)
    assert [(one["name"], one["kind"], one["required"]) for one in known] == [
        ("days", "number", False), ("warm", "flag", False), ("kind", "choice", False), ("only", "words", False),
        ("to", "text", True),
    ]  # fmt: skip
    assert given_of(known, {"parameter.5": "x", "parameter.2": "yes"}) == {"to": "x"}
    every = {"parameter.1": " 9 ", "parameter.3": "a", "parameter.4": " b  c ", "parameter.5": "x"}
    assert given_of(known, every) == {"days": "9", "warm": False, "kind": "a", "only": ["b", "c"], "to": "x"}
    assert mistake("many", Many, given_of(known, every)) is None
    with pytest.raises(RequestError, match="say to: where"):
        given_of(known, {"parameter.5": " "})


def test_what_only_looks_like_a_default_is_given() -> None:
    """A parameter that is left out lets a run do more than was asked for."""

    class Narrow(Parameters):
        name: str | None = None
        only: list[str] = Field(default=[])
        kind: Literal["", "a"] = "a"
        level: Literal["x", "y"] | None = None
        days: int = 7

    known = described(Narrow)
    numbers = {one["name"]: f"parameter.{number}" for number, one in enumerate(known, 1)}
    for name, text, value in (
        ("name", "None", "None"),
        ("only", "[]", ["[]"]),
        ("only", "None", ["None"]),
        ("kind", "", ""),
        ("level", "None", "None"),
        ("level", "x", "x"),
        ("days", "07", "07"),
    ):
        assert given_of(known, {numbers[name]: text}) == {name: value}, (name, text)
    assert given_of(known, {numbers[one["name"]]: shown_of(one) for one in known}) == {}
    with pytest.raises(RequestError, match="say days"):
        given_of(known, {numbers["days"]: " "})
    restore = described(Restore.parameters)
    assert [one["name"] for one in restore] == ["set", "only", "to"]
    given = given_of(restore, {"parameter.1": "latest", "parameter.2": "[]", "parameter.3": "/srv/x"})
    assert given == {"only": ["[]"], "to": "/srv/x"}


def test_each_task_takes_its_form_as_it_is() -> None:
    """What nobody has changed is not given, and what has to be is all that is."""
    config = Config()
    for name, one_task in build_tasks(config, Resources(config)).items():
        known = described(one_task.parameters)
        fields = {"parameters": names_of(known)}
        for number, one in enumerate(known, 1):
            value = "yes" if one["kind"] == "flag" and one["default"] else shown_of(one)
            fields[f"parameter.{number}"] = "given" if one["required"] else value
        assert mistake(name, one_task.parameters, given_of(known, fields)) is None, name
        assert list(given_of(known, fields)) == [one["name"] for one in known if one["required"]], name
