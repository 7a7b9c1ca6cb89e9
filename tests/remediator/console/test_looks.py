"""What can be looked at by a form: a restore as a dry run."""

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.config.config import Config
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
