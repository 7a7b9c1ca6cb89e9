"""Markdown of the generated pages."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Cells are Markdown; only what would end a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: str) -> str:
    """Text as it is written in a program."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def sentence(text: str) -> str:
    """Text with a capital first and a full stop last. Code at its start stays as it is."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ")")) else ".") if text else ""


def blocks(*parts: str) -> str:
    """Paragraphs, headings and tables, as a page."""
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
