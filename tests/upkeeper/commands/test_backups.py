"""``sets`` and ``verify``, and a backup as a run: on a state directory without a remediator."""

import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from remediator.statedir import StateDir
from tests.upkeeper.commandline import Done, invoke

pytestmark = pytest.mark.slow

CONFIG = """
docker: {{host: "unix://{tmp}/no-docker.sock"}}
backups:
  - name: pa
    path: {tmp}/sets
    pattern: backup-*
    make: {{files: ["{tmp}/data"]}}
  - {{name: gone, path: "{tmp}/gone", pattern: "*"}}
"""

Upkeeper = Callable[..., Awaitable[Done]]


@pytest.fixture
def upkeeper(tmp_path: Path, migrated: Path) -> Iterator[Upkeeper]:
    (tmp_path / "sets").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("content")
    config = tmp_path / "upkeeper.yml"
    config.write_text(CONFIG.format(tmp=tmp_path))
    (tmp_path / "state").mkdir()
    shutil.copy(migrated, StateDir(tmp_path / "state").database)
    env = {"UPKEEPER_CONFIG": str(config), "UPKEEPER_STATE_DIR": str(tmp_path / "state")}

    async def command(*arguments: str) -> Done:
        return await invoke(*arguments, env=env)

    before = structlog.get_config()
    yield command
    structlog.configure(**before)


async def test_a_set_is_made_listed_verified_and_found_to_be_damaged(upkeeper: Upkeeper, tmp_path: Path) -> None:
    made = await upkeeper("run", "backup", "pa", "--json")
    assert (made.status, json.loads(made.out)["outcome"]) == (0, "effective"), made.err
    (new,) = (tmp_path / "sets").iterdir()
    listed = json.loads((await upkeeper("sets", "--json")).out)
    assert [(each["backup"], each["name"], each["state"], each["proofs"]) for each in listed["items"]] == [
        ("pa", new.name, "complete", {}),
    ]  # fmt: skip
    assert listed["unread"] == [
        {"backup": "gone", "reason": f"{tmp_path}/gone cannot be read: No such file or directory"}
    ]
    verified = await upkeeper("verify", "pa", "--level", "restored")
    assert verified.status == 0, verified.err
    shown = json.loads((await upkeeper("sets", "pa", "--json")).out)["items"][0]["proofs"]
    assert {proof: one["success"] for proof, one in shown.items()} == {
        "checksums": True, "readable": True, "restored": True,
    }  # fmt: skip
    data = (new / "files.tar.zst").read_bytes()
    (new / "files.tar.zst").write_bytes(data[:-1] + b"?")
    damaged = await upkeeper("verify", "pa", "--set", new.name, "--level", "checksums", "--json")
    run = json.loads(damaged.out)
    assert (damaged.status, run["outcome"]) == (1, "failed")
    assert run["reason"] == f"{new.name} is damaged: files.tar.zst has another content"
    table = await upkeeper("sets", "pa")
    assert "checksums FAILED, readable, restored" in table.out
    assert f"failed {new.name}: checksums: files.tar.zst has another content" in table.out


async def test_mistakes_in_what_is_asked(upkeeper: Upkeeper) -> None:
    twice = await upkeeper("verify", "pa", "--all", "--latest")
    assert (twice.status, "give one of them" in twice.err) == (2, True)
    unknown = await upkeeper("sets", "po")
    assert "there is no backup 'po' in a directory; those in directories: pa, gone" in unknown.err
    absent = await upkeeper("verify", "pa", "--set", "backup-x")
    assert absent.status == 1
    assert "pa has no complete set 'backup-x'; see: upkeeper sets pa" in absent.out + absent.err


async def test_a_set_is_restored(upkeeper: Upkeeper, tmp_path: Path) -> None:
    assert (await upkeeper("run", "backup", "pa")).status == 0
    (new,) = (tmp_path / "sets").iterdir()
    out = tmp_path / "out"
    asked = ["restore", "latest", "--name", "pa", "--only", f"file:{tmp_path}/data/file", "--to", str(out)]
    shown = await upkeeper(*asked, "--dry-run")
    assert shown.status == 0, shown.err
    assert "check-set" in shown.out
    assert not out.exists()
    done = await upkeeper(*asked, "--json")
    assert (done.status, json.loads(done.out)["outcome"]) == (0, "effective"), done.err
    assert (out / "files" / str(tmp_path).lstrip("/") / "data" / "file").read_text() == "content"
    again = await upkeeper(*asked)
    assert (again.status, f"{out} is not empty" in again.out + again.err) == (1, True)
    unknown = await upkeeper("restore", "backup-x", "--name", "pa", "--to", str(tmp_path / "new"))
    assert (unknown.status, "pa has no set 'backup-x'" in unknown.out + unknown.err) == (1, True)
    assert new.exists()


async def test_a_restore_in_place_waits_for_a_person_or_is_forced(upkeeper: Upkeeper, tmp_path: Path) -> None:
    assert (await upkeeper("run", "backup", "pa")).status == 0
    file = tmp_path / "data" / "file"
    file.write_text("changed")
    asked = ["restore", "latest", "--name", "pa"]
    assert (await upkeeper(*asked, "--dry-run")).status == 0
    waits = await upkeeper(*asked)
    assert (waits.status, "a person must approve each plan" in waits.out) == (3, True), waits.err
    assert file.read_text() == "changed"
    approval = json.loads((await upkeeper("approvals", "--json")).out)["items"][0]["id"]
    assert (await upkeeper("deny", str(approval), "--reason", "not now")).status == 0
    forced = await upkeeper(*asked, "--force", "--json")
    assert (forced.status, json.loads(forced.out)["outcome"]) == (0, "effective"), forced.out + forced.err
    assert file.read_text() == "content"
    (copy,) = (each for each in (tmp_path / "sets").iterdir() if each.name.startswith(".before-restore-"))
    newest = json.loads((await upkeeper("approvals", "--all", "--json")).out)["items"][0]
    assert newest["state"] == "approved"
    back = await upkeeper("restore", copy.name, "--name", "pa", "--force")
    assert (back.status, file.read_text()) == (0, "changed"), back.err
    both = await upkeeper(*asked, "--to", str(tmp_path / "out"), "--force")
    assert (both.status, "are for what is restored in place" in both.err) == (2, True)
