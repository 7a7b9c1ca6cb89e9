"""The generated pages say what the code says, and the generator notices when they do not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"


def generate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(DOCS / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_pages_are_up_to_date() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stderr


def test_a_page_that_is_missing_or_was_edited_is_reported_and_then_mended(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path, dirs_exist_ok=True)
    page, removed = tmp_path / "configuration.md", tmp_path / "tasks" / "README.md"
    written = page.read_text()
    page.write_text(written.replace("duration", "time span"))
    removed.unlink()
    done = generate("--check", "--directory", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"{page} is out of date", f"{removed} is out of date", "run: make docs"]
    assert generate("--directory", str(tmp_path)).returncode == 0
    assert page.read_text() == written
    assert removed.exists()
