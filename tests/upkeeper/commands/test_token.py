"""``upkeeper token``: a token in a file, used by a command elsewhere, and void at once when revoked."""

import json
from pathlib import Path

from tests.remediator.stack import Stack
from tests.upkeeper.commandline import invoke
from tests.upkeeper.conftest import Remote


async def test_a_token_is_printed_alone_and_works_until_it_is_revoked(remote: Remote, tmp_path: Path) -> None:
    done = await remote.upkeeper("token", "create", "laptop", "--role", "viewer", "--expires", "90d")
    assert done.status == 0
    assert done.out.startswith("upk_")
    assert len(done.out.splitlines()) == 1
    assert "shown this once" in done.err
    file = tmp_path / "laptop.token"
    file.write_text(done.out)
    env = {**remote.env, "UPKEEPER_TOKEN_FILE": str(file)}
    assert (await invoke("history", env=env)).status == 0
    denied = await invoke("pause", env=env)
    assert denied.status == 2
    assert "the token laptop has the role viewer, and this needs operator" in denied.err
    listed = await remote.upkeeper("token", "list")
    assert "laptop" in listed.out
    assert done.out.strip() not in listed.out
    (shown,) = json.loads((await remote.upkeeper("token", "list", "--json")).out)["items"]
    assert (shown["name"], shown["role"], shown["state"]) == ("laptop", "viewer", "valid")
    assert shown["last_used_at"] is not None
    assert (await remote.upkeeper("token", "revoke", "laptop")).status == 0
    assert (await invoke("history", env=env)).status == 2
    assert (await remote.upkeeper("token", "revoke", "laptop")).status == 2


async def test_bad_input_is_told(remote: Remote) -> None:
    for arguments, says in (
        (("create", "a b", "--role", "viewer"), "cannot be the name of a token"),
        (("create", "operator", "--role", "viewer"), "choose another one"),
        (("create", "x", "--role", "root"), "is not one of"),
        (("create", "x"), "Missing option '--role'"),
    ):
        done = await remote.upkeeper("token", *arguments)
        assert done.status == 2
        assert says in done.err


async def test_without_a_remediator_it_is_made_in_the_state(stack: Stack) -> None:
    env = {"UPKEEPER_STATE_DIR": str(stack.core.state.root)}
    done = await invoke("token", "create", "ci", "--role", "alertmanager", "--json", env=env)
    made = json.loads(done.out)
    assert made["created_by"]["trigger"] == "cli"
    grant = await stack.core.access.grant(made["token"].encode())
    assert grant is not None
    assert (grant.name, grant.role) == ("ci", "alertmanager")
