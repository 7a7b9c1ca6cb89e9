"""``restore --from``: a machine that has only Upkeeper, no config and no state, gets a set back."""

import json
from pathlib import Path

import pytest

from remediator.tasks.backup.journal import Owner
from tests.helpers import require_program
from tests.remediator.tasks.backup.series import applied, made, series, task
from tests.restic import Real, make_cheap, write_password
from tests.upkeeper.commandline import invoke


@pytest.fixture
async def house(tmp_path: Path) -> Path:
    """One set of a directory, of a Compose project and of Upkeeper's config."""
    for each in ("sets", "pa", "etc", "state"):
        (tmp_path / each).mkdir()
    (tmp_path / "pa" / "compose.yaml").write_text("services: {app: {image: app}}\n")
    (tmp_path / "pa" / ".env").write_text("N8N_ENCRYPTION_KEY=secret\n")
    (tmp_path / "etc" / "real.yml").write_text("backups: []\n")
    (tmp_path / "etc" / "upkeeper.yml").symlink_to(tmp_path / "etc" / "real.yml")
    return tmp_path


def backup_of(house: Path, **keys: object) -> object:
    one = series(house / "sets", {"compose": str(house / "pa" / "compose.yaml")}, **keys)
    return task(one, owner=Owner(host="kitchen", state=str(house / "state")), config_file=f"{house}/etc/upkeeper.yml")


async def test_a_set_in_a_directory_comes_back_and_says_where_config_and_compose_file_are(house: Path) -> None:
    one = await made(backup_of(house), house / "sets")  # type: ignore[arg-type]
    for source, name in ((house / "sets", "latest"), (house / "sets", one.name), (one, "latest")):
        to = house / f"back-{source.name}-{name}"
        tried = await invoke("restore", name, "--from", str(source), "--to", str(to), "--dry-run")
        assert (tried.status, to.exists()) == (0, False), tried.err
        done = await invoke("restore", name, "--from", str(source), "--to", str(to), "--json")
        assert done.status == 0, done.err
        below = to / "files" / str(house).lstrip("/")
        assert json.loads(done.out)["found"] == [
            {"what": "config", "path": f"{below}/etc/real.yml"},
            {"what": "Compose file", "path": f"{below}/pa/compose.yaml"},
        ]
        assert (below / "pa" / ".env").read_text() == "N8N_ENCRYPTION_KEY=secret\n"
        assert (below / "etc" / "real.yml").read_text() == "backups: []\n"
        assert (below / "etc" / "upkeeper.yml").is_symlink()
    archive = (one / "files.tar.zst").read_bytes()
    (one / "files.tar.zst").write_bytes(archive[:-1])
    damaged = await invoke("restore", "latest", "--from", str(one), "--to", str(house / "no"))
    assert (damaged.status, (house / "no").exists()) == (1, False)
    assert f"files.tar.zst has {len(archive) - 1} bytes instead of {len(archive)}" in damaged.err


async def test_what_is_missing_is_said(house: Path) -> None:
    for source, expected in (
        (house / "nowhere", f"{house}/nowhere is not there, or is no directory"),
        (house / "sets", f"{house}/sets holds no set: nothing in it has a file upkeeper-manifest.json"),
    ):
        done = await invoke("restore", "latest", "--from", str(source), "--to", str(house / "back"))
        assert done.status == 1
        assert expected in done.err
    for arguments in (["--from", "restic:/r", "--to", "/x"], ["--from", "/r"], ["--password-file", "/p", "--to", "/x"]):
        assert (await invoke("restore", "latest", *arguments)).status == 2


@pytest.mark.servers
async def test_a_set_in_a_repository_comes_back_and_what_was_fetched_is_gone(house: Path) -> None:
    require_program("restic", "restic")
    real = Real(house / "repo", write_password(house))
    real.run("init")
    make_cheap(real)
    to = [{"restic": {"repository": str(real.path), "password_file": str(real.password_file)}}]
    effects = await applied(backup_of(house, copy_to=to))  # type: ignore[arg-type]
    assert not [each for each in effects if isinstance(each, str)], effects
    (one,) = (house / "sets").iterdir()
    (house / "new").mkdir()
    arguments = ["--from", f"restic:{real.path}", "--password-file", str(real.password_file)]
    back = house / "new" / "back"
    done = await invoke("restore", "latest", *arguments, "--to", str(back), "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["set"] == one.name
    assert (back / "files" / str(house).lstrip("/") / "pa" / ".env").read_text() == "N8N_ENCRYPTION_KEY=secret\n"
    assert [each.name for each in (house / "new").iterdir()] == ["back"]
    missing = await invoke("restore", "backup-x", *arguments, "--to", str(house / "new" / "b2"))
    assert missing.status == 1
    assert f"has no set 'backup-x'; it has: {one.name}" in missing.err
