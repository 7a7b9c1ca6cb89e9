"""Where a config says that the record is."""

from pathlib import Path

import pytest

from remediator import endpoints
from remediator.control.place import Place
from remediator.model.errors import ClientError
from remediator.statedir import StateDir

URL = "postgresql://upkeeper:secret@db.example.org/upkeeper"


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.ensure()
    return state


def config(tmp_path: Path, text: str) -> Path:
    (tmp_path / "url").write_text(f"{URL}\n")
    path = tmp_path / "upkeeper.yml"
    path.write_text(text.replace("DIR", str(tmp_path)))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "state:\n  database_url_file: DIR/url\nhost:\n  name: web-1\n",
        "{state: {database_url_file: DIR/url}, host: {name: web-1}}\n",
        '"host": {name: web-1}\n"state": {"database_url_file": DIR/url}\n',
    ],
)
def test_it_is_found_however_it_is_written(tmp_path: Path, state: StateDir, text: str) -> None:
    path = config(tmp_path, text)
    assert Place.find(path, state) == Place(URL, "web-1")
    assert Place.find(None, state) == Place(state.database)
    endpoints.write_config(state.root, path)
    assert Place.find(None, state) == Place(URL, "web-1"), "that of what ran last"


def test_else_it_is_the_state_directorys_file(tmp_path: Path, state: StateDir) -> None:
    assert Place.find(config(tmp_path, "logs: []\n"), state) == Place(state.database)
    assert Place.find(config(tmp_path, "host: {name: web-1}\n"), state) == Place(state.database, "web-1")


@pytest.mark.parametrize("content", ["", "db.example.org", "mysql://h/d", f"{URL}\n{URL}"])
def test_a_file_that_holds_no_url_is_told_without_what_it_holds(tmp_path: Path, state: StateDir, content: str) -> None:
    path = config(tmp_path, "state: {database_url_file: DIR/url}\n")
    (tmp_path / "url").write_text(content)
    with pytest.raises(ClientError, match="must hold one line, a URL like") as caught:
        Place.find(path, state)
    assert "secret" not in str(caught.value)
    (tmp_path / "url").unlink()
    with pytest.raises(ClientError, match="cannot read the URL of the database"):
        Place.find(path, state)
