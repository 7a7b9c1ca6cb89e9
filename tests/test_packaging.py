"""What the wheel holds: `pip install` alone is enough to run."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers import missing

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("prometheus", "alertmanager", "grafana", "docs/runbooks")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a wheel leaves it, built from this tree."""
    if importlib.util.find_spec("hatchling") is None:
        missing("hatchling is not installed (make .venv/.dev)")
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


def test_everything_that_is_not_code_ships_as_it_is(installed: Path) -> None:
    sources = [path for part in SHIPPED for path in (ROOT / part).rglob("*") if path.is_file()]
    assert len(sources) > len(SHIPPED)
    for source in [*sources, ROOT / "upkeeper.yml"]:
        shipped = installed / "upkeeper" / "share" / source.relative_to(ROOT)
        assert shipped.read_bytes() == source.read_bytes()


def test_only_our_packages_ship(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"exporter", "remediator", "upkeeper"}


def test_it_finds_its_own_files_and_not_those_of_this_tree(installed: Path) -> None:
    code = "from upkeeper.share import share_path; print(share_path())"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(installed / "upkeeper" / "share")
