"""Files that a config names, as the types of its keys declare them: those that hold a secret, and public ones.

By this one declaration the audit and ``upkeeper check`` know which files only their owner may read.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, get_args

from pydantic.fields import FieldInfo

from exporter.configfile.section import AbsolutePath, Section
from exporter.configfile.source import KeyPath

_SECRET, _PUBLIC = "secret file", "public file"
"""Marks in the type of a key."""

SecretFile = Annotated[AbsolutePath, _SECRET]
"""Path of a file that holds a secret: a password, a token, a private key, or text that may contain one."""

PublicFile = Annotated[AbsolutePath, _PUBLIC]
"""Path of a file that everybody may read, such as a certificate."""

_SECRET_KEY = re.compile(r"_file$")
"""Keys of secret files in sections of another program, whose types are not known here."""


class NamedFile(NamedTuple):
    """A file that a config names."""

    key: KeyPath
    path: str
    secret: bool


def named_files(section: Section, above: KeyPath = ()) -> Iterator[NamedFile]:
    """The files that a section and those below it name, in the order of the model. above: the key of the section."""
    for name, field in type(section).model_fields.items():
        key = (*above, field.alias or name)
        value = getattr(section, name)
        kinds = set(_kinds(field))
        if isinstance(value, str) and kinds:
            yield NamedFile(key, value, _SECRET in kinds or section.keeps_secret_in(name))
        elif isinstance(value, Section):
            yield from named_files(value, key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Section):
                    yield from named_files(item, (*key, index))


def secret_files(section: Section) -> list[str]:
    """The paths of the secret files that a section and those below it name, each once."""
    return list(dict.fromkeys(file.path for file in named_files(section) if file.secret))


def secret_files_elsewhere(document: object) -> Iterator[str]:
    """The paths of secret files in sections of another program, going by the names of their keys. Pure."""
    if isinstance(document, Mapping):
        for key, part in document.items():
            if isinstance(part, str) and part.startswith("/") and _SECRET_KEY.search(str(key)):
                yield part
            yield from secret_files_elsewhere(part)
    elif isinstance(document, list):
        for part in document:
            yield from secret_files_elsewhere(part)


def _kinds(field: FieldInfo) -> Iterator[object]:
    """The marks of a key's type, also where it may be None."""
    yield from (mark for mark in field.metadata if mark is _SECRET or mark is _PUBLIC)
    yield from _marks(field.annotation)


def _marks(annotation: Any) -> Iterator[object]:
    for part in (*getattr(annotation, "__metadata__", ()), *get_args(annotation)):
        if part is _SECRET or part is _PUBLIC:
            yield part
        else:
            yield from _marks(part)
