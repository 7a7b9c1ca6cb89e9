"""Sections of a config, and other documents, without what is secret in them by its name. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from exporter.base.masking import HIDDEN, secret_by_name
from exporter.base.redact import without_marked
from exporter.base.wiresecrets import wire_secrets, without_wire_secrets
from exporter.configfile.dialect import literal
from exporter.configfile.source import KeyPath

_REFERENCE_ONLY = re.compile(r"([A-Za-z]+ )?\$\{\w+\}")
"""A value that is a reference to the environment and no more, but perhaps the name of a scheme such as Bearer."""


_SENT = "send"
"""The key of what a probe sends line by line."""


def plain(section: BaseModel) -> Any:
    """A section as the file would have it."""
    return _document(section, section.model_dump(mode="json", by_alias=True))


def _document(value: object, dumped: Any) -> Any:
    """The plain form of a value without the keys that are null and are so by default."""
    if isinstance(value, BaseModel):
        parts = zip(type(value).model_fields.items(), dumped.items(), strict=True)
        return {
            name: _document(getattr(value, attribute), part)
            for (attribute, field), (name, part) in parts
            if part is not None or field.default is not None
        }
    if isinstance(value, list):
        return [_document(item, part) for item, part in zip(value, dumped, strict=True)]
    return dumped


def masked(document: Any, from_environment: Mapping[KeyPath, str] | None = None) -> Any:
    """The document with references instead of what came from the environment, and without other secrets.

    from_environment: what those values are in the file, by their paths.
    """
    return _masked(document, (), from_environment or {})


def _masked(value: Any, path: KeyPath, from_environment: Mapping[KeyPath, str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(part, (*path, key), from_environment) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, (*path, index), from_environment) for index, part in enumerate(value)]
    reference = from_environment.get(path)
    if secret_by_name(path) and not (reference and _REFERENCE_ONLY.fullmatch(reference)):
        return HIDDEN
    shown = reference or (literal(value) if isinstance(value, str) else value)
    if not isinstance(shown, str):
        return shown
    return without_marked(without_wire_secrets(shown) if path and path[-1] == _SENT else shown)


def secret_values(document: Any, path: KeyPath = ()) -> Iterator[str]:
    """The texts in a document that are secret by their names."""
    if isinstance(document, dict):
        for key, part in document.items():
            yield from secret_values(part, (*path, key))
    elif isinstance(document, list):
        for index, part in enumerate(document):
            yield from secret_values(part, (*path, index))
    elif isinstance(document, str | int) and not isinstance(document, bool) and secret_by_name(path):
        yield str(document)
    elif isinstance(document, str) and path and path[-1] == _SENT:
        yield from wire_secrets(document)
