"""Writes the dashboards. With --check it writes nothing, and fails if one is out of date."""

import argparse
import sys
from pathlib import Path

from scripts.dashboards.boards import (
    backups,
    configuration,
    containers,
    databases,
    host,
    overview,
    remediation,
    services,
)

DASHBOARDS = Path(__file__).resolve().parents[2] / "grafana" / "dashboards"
BOARDS = (overview, services, containers, databases, backups, host, configuration, remediation)


def stale(directory: Path) -> dict[Path, str]:
    """The dashboards in a directory that are missing or differ, each with the text that it should have."""
    made = [module.board() for module in BOARDS]
    files = {directory / f"{board.uid}.json": board.text() for board in made}
    return {path: text for path, text in files.items() if not path.exists() or path.read_text() != text}


def main() -> int:
    """Returns the exit status: 1 when --check finds a dashboard out of date."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dashboards", description="Write grafana/dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a dashboard is out of date")
    parser.add_argument("--directory", type=Path, default=DASHBOARDS, help="where they are (default: in grafana/)")
    options = parser.parse_args()
    files = stale(options.directory)
    for path, text in files.items():
        if options.check:
            print(f"{path} is out of date", file=sys.stderr)
        else:
            path.write_text(text)
            print(f"wrote {path}")
    if options.check and files:
        print("run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
