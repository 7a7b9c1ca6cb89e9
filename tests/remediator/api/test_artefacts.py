"""What a run makes, from the task's hands to a file on the machine of whoever asks for it."""

from pathlib import Path
from typing import Any

import pytest

from remediator.model.artefact import Made
from remediator.model.errors import ClientError
from remediator.model.task import NO_PARAMS, Action, Effect, Params, Plan
from remediator.statedir import read_token
from tests.remediator.stack import Stack
from tests.upkeeper.served import serve
from upkeeper.client.artefacts import named, save_all
from upkeeper.client.http import HttpClient

ODD = bytes(range(256))


def makes(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task makes a file when it plans and another one when it acts."""
    plans, acts = stack.task.plan, stack.task.apply

    async def plan(target: str, params: Params = NO_PARAMS) -> Plan:
        page = Made(name="page.html", media_type="text/html; charset=utf-8", content=b"<script>alert(1)</script>")
        return (await plans(target, params)).model_copy(update={"made": [page]})

    async def apply(target: str, action: Action) -> Effect:
        odd = Made(name="odd.tar.gz", media_type="application/gzip", content=ODD)
        return (await acts(target, action)).model_copy(update={"made": [odd]})

    monkeypatch.setattr(stack.task, "plan", plan)
    monkeypatch.setattr(stack.task, "apply", apply)


async def test_what_a_plan_and_an_action_make_comes_over_http_as_it_was_and_becomes_files(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makes(stack, monkeypatch)
    stack.clutter(1)
    looked: Any = await stack.core.plan("sweep", "attic")
    assert "made" not in looked["plan"]
    await stack.core.start_run("sweep", "attic")
    (run,) = await stack.finished()
    token = read_token(stack.core.state.operator_token)
    async with serve(stack.core) as url, HttpClient(url, token) as client:
        run = await client.run(run["id"])
        assert {one["name"]: one["size"] for one in run["artefacts"]} == {"page.html": 25, "odd.tar.gz": 256}
        saved = await save_all(client, run, tmp_path / "there")
        assert {path.name: path.read_bytes() for path in saved} == {
            "page.html": b"<script>alert(1)</script>",
            "odd.tar.gz": ODD,
        }
        assert {path.stat().st_mode & 0o777 for path in saved} == {0o600}
        assert (await named(client, run, "odd.tar.gz"))["content"] == ODD
        with pytest.raises(ClientError, match="has made no other"):
            await named(client, run, "other")
        with pytest.raises(ClientError, match="there is no artefact 99"):
            await client.artefact(99)
        page = next(one["id"] for one in run["artefacts"] if one["name"] == "page.html")
        answer = await client._http.get(f"{url}/api/v1/artefacts/{page}")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="page.html"'
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_damaged_artefact_is_said_to_be_damaged(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    makes(stack, monkeypatch)
    stack.clutter(1)
    await stack.core.start_run("sweep", "attic")
    (run,) = await stack.finished()
    made = (await stack.core.run(run["id"]))["artefacts"][0]["id"]
    from remediator.store.tables import artefacts

    await stack.core._database.write(lambda one: one.execute(artefacts.update().values(content=b"other")))
    with pytest.raises(ClientError, match="is damaged"):
        await stack.core.artefact(made)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", ".hidden", ""])
async def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    class Hostile:
        async def artefact(self, id: int) -> Any:
            return {"name": name, "media_type": "text/plain", "content": b""}

    run: Any = {"id": 1, "artefacts": [{"id": 1}]}
    with pytest.raises(ClientError, match="no name of a file"):
        await save_all(Hostile(), run, tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
