"""Reads a config file plainly, without the models: invalid parts are skipped."""

from collections.abc import Iterable, Sequence

from remediator.model.taskfacts import Document


def entries(document: Document, section: str) -> Sequence[Document]:
    """The mappings of a list."""
    found = document.get(section)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def words(values: Iterable[object]) -> list[str]:
    """Those that are texts."""
    return [value for value in values if isinstance(value, str)]


def names(document: Document, section: str) -> list[str]:
    """The names of what a section lists."""
    return words(entry.get("name") for entry in entries(document, section))
