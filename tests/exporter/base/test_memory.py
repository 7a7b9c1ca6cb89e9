"""Modules that are not imported before they are used."""

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.base.memory import imported_when_used

NAME = "seldom_used"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that imports another one's class and submodule at its start, and what it imports them from."""
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "__init__.py").write_text("class Error(Exception): pass\n")
    (tmp_path / NAME / "errors.py").write_text("class Late(Exception): pass\n")
    (tmp_path / "its_user.py").write_text(f"import {NAME}\nfrom {NAME} import errors\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in (NAME, f"{NAME}.errors", "its_user"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("library")
def test_a_module_is_imported_at_its_first_use() -> None:
    with imported_when_used(NAME, "errors"):
        import its_user  # type: ignore[import-not-found]
    assert NAME not in sys.modules
    late = its_user.errors.Late
    assert late.__module__ == f"{NAME}.errors"
    assert its_user.seldom_used.Error is sys.modules[NAME].Error
    with pytest.raises(AttributeError, match="no attribute 'Absent'"):
        _ = its_user.seldom_used.Absent


@pytest.mark.usefixtures("library")
def test_one_that_is_there_already_stays() -> None:
    import seldom_used  # type: ignore[import-not-found]

    with imported_when_used(NAME, "errors"):
        import its_user
    assert its_user.seldom_used is seldom_used is sys.modules[NAME]


def test_the_engine_comes_without_the_driver_of_a_database_that_it_does_not_use() -> None:
    program = (
        "import sys; from remediator.engine import import_engine; import_engine();"
        " print('psycopg' in sys.modules, 'dbos' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
