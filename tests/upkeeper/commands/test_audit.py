"""``upkeeper audit``: against a remediator that runs, on its state without one, and on an exported file alone."""

import json
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from remediator.audit.record import Entry
from remediator.model.caller import Caller
from remediator.store import audit
from tests.remediator.stack import alert
from tests.upkeeper.commandline import invoke
from tests.upkeeper.conftest import Remote


async def ran(remote: Remote) -> None:
    remote.stack.clutter(2)
    await remote.stack.receive(alert())
    await remote.stack.finished()


async def records(remote: Remote, *arguments: str) -> list[dict[str, object]]:
    done = await remote.upkeeper("audit", "export", *arguments)
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


async def test_a_run_can_be_followed_record_by_record(remote: Remote) -> None:
    await ran(remote)
    done = await remote.upkeeper("audit", "list", "--run", "1", "--json", "-n", "50")
    kinds = [record["kind"] for record in json.loads(done.out)["items"]][::-1]
    assert kinds == ["run.asked", "decision", "run.planned", *["action.started", "action.finished"] * 2, "run.finished"]
    shown = await remote.upkeeper("audit", "list", "--run", "1", "-n", "1")
    assert "run.finished" in shown.out
    assert "alert tidy" in shown.out
    assert "outcome effective" in shown.out
    page = json.loads((await remote.upkeeper("audit", "list", "-n", "2", "--json")).out)
    before = ("--before", str(page["next"]))
    following = json.loads((await remote.upkeeper("audit", "list", "-n", "2", *before, "--json")).out)
    numbers = [record["number"] for record in (*page["items"], *following["items"])]
    assert numbers == list(range(numbers[0], numbers[0] - 4, -1))


async def test_a_whole_chain_is_proven_with_and_without_a_remediator(remote: Remote, tmp_path: Path) -> None:
    await ran(remote)
    done = await remote.upkeeper("audit", "verify", "--json")
    assert done.status == 0
    found = json.loads(done.out)
    (chain,) = found["chains"]
    assert found["whole"]
    assert (chain["first"], chain["records"], chain["faults"]) == (1, chain["last"], [])
    head = f"{chain['last']}:{chain['head'][:13]}"
    assert (await remote.upkeeper("audit", "verify", "--head", head)).status == 0
    file = tmp_path / "audit.jsonl"
    file.write_text((await remote.upkeeper("audit", "export")).out)
    alone = await invoke("audit", "verify", "--file", file, "--head", chain["head"])
    assert alone.status == 0, alone.out
    assert f"{chain['records']} records" in alone.out
    state = {"UPKEEPER_STATE_DIR": str(remote.stack.core.state.root)}
    assert json.loads((await invoke("audit", "verify", "--json", env=state)).out) == found


async def test_what_somebody_with_the_rights_of_the_database_did_is_found(remote: Remote) -> None:
    await ran(remote)

    def change(connection: sa.Connection) -> None:
        for name in connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
        connection.execute(sa.text("""UPDATE audit SET body = replace(body, 'effective', 'ineffective')"""))

    await remote.stack.core._database.write(change)
    done = await remote.upkeeper("audit", "verify")
    assert done.status == 1
    assert "broken" in done.out
    assert "is not what was recorded: its hash does not fit its content" in done.out


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: lines[:3] + lines[4:], "record 4 is missing"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "record 4 is missing"),
        (lambda lines: [line.replace('"pat"', '"mallory"') for line in lines], "is not what was recorded"),
        (lambda lines: lines[:-1], "which was published"),
    ],
)
async def test_a_changed_export_is_found(remote: Remote, tmp_path: Path, change, fault: str) -> None:  # type: ignore[no-untyped-def]
    database = remote.stack.core._database
    entries = [Entry("pause.set", 10.0, Caller("cli", "pat"), {"reason": "caf\u00e9 \u2028 \x00"})] * 5
    await database.write(partial(lambda connection, host: audit.append(connection, host, *entries), host=database.host))
    lines = (await remote.upkeeper("audit", "export")).out.splitlines()
    head = json.loads(lines[-1])["hash"]
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join(lines) + "\n")
    assert (await invoke("audit", "verify", "--file", file, "--head", head)).status == 0
    file.write_text("\n".join(change(lines)) + "\n")
    done = await invoke("audit", "verify", "--file", file, "--head", head)
    assert done.status == 1
    assert fault in done.out


async def test_an_export_of_some_days_is_whole_by_itself(remote: Remote, tmp_path: Path) -> None:
    database = remote.stack.core._database
    entries = [Entry("pause.set", 2e9 + 86400 * day, None, {}) for day in range(4)]
    await database.write(lambda connection: audit.append(connection, database.host, *entries))
    some = await records(remote, "--since", "2033-05-19", "--until", "2033-05-20T23:59:59Z")
    assert [str(record["at"])[:10] for record in some] == ["2033-05-19", "2033-05-20"]
    assert await records(remote, "--since", "2040-01-01") == []
    for since, count in (("2033-05-19", 3), ("2040-01-01", 0)):
        document = json.loads((await remote.upkeeper("audit", "export", "--since", since, "--json")).out)
        assert len(document["items"]) == count
    file = tmp_path / "some.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in some))
    done = await invoke("audit", "verify", "--file", file)
    assert done.status == 0
    assert "2 records, from 3 on" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "--head", "12"), "13 to 64 hexadecimal digits"),
        (("verify", "--host", "nowhere"), "there is no audit of the host nowhere"),
        (("export", "--since", "soon"), "is no time"),
        (("list", "--run", "0"), "0 is not in the range"),
    ],
)
async def test_bad_input_is_told(remote: Remote, arguments: tuple[str, ...], says: str) -> None:
    done = await remote.upkeeper("audit", *arguments)
    assert done.status == 2
    assert says in done.err


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "holds no record"), ("nonsense\n", "line 1: it is no JSON"), ('{"v": 2}\n', "line 1: it is no record"),
     ("\xff", "cannot read")],
)  # fmt: skip
async def test_a_file_that_is_no_export_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(text.encode("latin-1"))
    done = await invoke("audit", "verify", "--file", file)
    assert done.status == 2
    assert says in done.err
