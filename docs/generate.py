#!/usr/bin/env python3
"""Writes the pages of docs/ that follow from the code. With --check it writes nothing, and fails if one is out of date.

A page is a module in docs/generators with a function that returns its text; PAGES says where each goes.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from docs.generators import commands, configuration, metrics, tasks  # noqa: E402 - only now can they be found

PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands.page,
    "configuration.md": configuration.page,
    "metrics.md": metrics.page,
    "tasks/README.md": tasks.page,
}
"""What makes the text of each generated page, by the page's path below docs/."""

HELP = DOCS.parent / "upkeeper" / "quick" / "help.txt"
"""Goes with the pages of docs/, and ships in the package."""


def stale(directory: Path) -> dict[Path, str]:
    """The pages below a directory that are missing or differ, each with the text that it should have."""
    pages = {directory / name: page() for name, page in PAGES.items()}
    if directory == DOCS:
        pages[HELP] = commands.main_help()
    return {path: text for path, text in pages.items() if not path.exists() or path.read_text() != text}


def main() -> int:
    """Returns the exit status: 1 when --check finds a page out of date."""
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    parser.add_argument("--directory", type=Path, default=DOCS, help="where the pages are (default: docs/)")
    options = parser.parse_args()
    pages = stale(options.directory)
    for path, text in pages.items():
        if options.check:
            print(f"{path} is out of date", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path}")
    if options.check and pages:
        print("run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
