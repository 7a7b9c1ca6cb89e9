"""A shared database that lets nobody in: a start, and a command, end with one sentence."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from remediator.model.errors import EXIT_UNREACHABLE, ClientError
from remediator.service import Remediator
from remediator.statedir import StateDir
from remediator.store.presence import Presence
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, private_postgres
from tests.upkeeper.commandline import invoke

pytestmark = pytest.mark.servers

CONNECTIONS = 6


@pytest.fixture(scope="module")
def narrow() -> Iterator[PostgresServer]:
    few = {"max_connections": str(CONNECTIONS), "superuser_reserved_connections": "0", "max_wal_senders": "0"}
    with private_postgres(15, few) as server:
        server.sql("CREATE DATABASE fleet")
        yield server


@contextmanager
def left(server: PostgresServer, count: int) -> Iterator[None]:
    """Within the block so many connections can be had."""
    with ExitStack() as taken:
        for _ in range(CONNECTIONS - count):
            taken.enter_context(server.connect("fleet"))
        yield


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(url: str) -> Path:
        (tmp_path / "url").write_text(url)
        file = tmp_path / "upkeeper.yml"
        settings = {
            "host": {"name": "kitchen"},
            "state": {"database_url_file": str(tmp_path / "url")},
            "schedule": {"jobs": []},
        }
        file.write_text(yaml.safe_dump(settings))
        return file

    return write


@pytest.mark.parametrize(
    ("user", "name", "free", "said"),
    [
        (f"{SUPERUSER}:wrong", "fleet", CONNECTIONS, 'password authentication failed for user "admin"'),
        (f"{SUPERUSER}:{PASSWORD}", "nowhere", CONNECTIONS, 'database "nowhere" does not exist'),
        (f"{SUPERUSER}:{PASSWORD}", "fleet", 0, "sorry, too many clients already"),
        (f"{SUPERUSER}:{PASSWORD}", "fleet", 1, "sorry, too many clients already"),
    ],
)
async def test_a_database_that_lets_nobody_in_is_one_sentence(
    config: Callable[[str], Path], narrow: PostgresServer, tmp_path: Path, user: str, name: str, free: int, said: str
) -> None:
    file = config(f"postgresql://{user}@127.0.0.1:{narrow.port}/{name}")
    state = StateDir(tmp_path / "state")
    state.ensure()
    with left(narrow, free):
        with pytest.raises(ClientError) as caught:
            await Remediator(file, state).serve("127.0.0.1:0")
        if not free or free == CONNECTIONS:
            done = await invoke("history", "--config", file, env={"UPKEEPER_STATE_DIR": str(state.root)})
            assert (done.status, done.out) == (EXIT_UNREACHABLE, ""), done.err
            last = done.err.strip().splitlines()[-1]
            assert last.startswith(f"error: cannot use the database {name} on 127.0.0.1:{narrow.port}"), done.err
            assert last.endswith(f"FATAL:  {said}")
            assert PASSWORD not in done.err
    assert caught.value.exit_code == EXIT_UNREACHABLE
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert PASSWORD not in str(caught.value)
    # The name was given back.
    if name == "fleet" and "wrong" not in user:
        presence = Presence(f"postgresql://{user}@127.0.0.1:{narrow.port}/{name}", "kitchen", lambda: None)
        await presence.claim(within=5.0)
        await presence.close()
