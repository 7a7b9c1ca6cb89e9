"""An archive of ``upkeeper diagnose`` on the screen: what is in it, and what is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.base.text import counted
from exporter.base.units import format_bytes
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen


def show(screen: Screen, path: Path, size: int, manifest: Mapping[str, Any] | None) -> None:
    """manifest: None where it was made elsewhere, and is only in the archive."""
    screen.document({"file": str(path), "bytes": size, "manifest": manifest})
    parts = manifest["parts"] if manifest is not None else []
    missing = [part for part in parts if part["problem"]]
    if missing:
        rows: list[list[Cell | str]] = [[part["path"], part["problem"]] for part in missing]
        screen.table([Column("not in it"), Column("because", wide=True)], rows, empty="")
    for remark in manifest["remarks"] if manifest is not None else []:
        screen.line(Cell("note: ", "dim"), remark)
    there = f" with {counted(len(parts) - len(missing), 'part')}" if parts else ""
    screen.line(f"wrote {path}, {format_bytes(size)}{there}; read it before you pass it on")
