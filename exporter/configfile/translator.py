"""From a model's validation errors to problems in words. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from exporter.base.masking import HIDDEN, secret_by_name
from exporter.base.text import nearest
from exporter.configfile.problem import Problem, dotted
from exporter.configfile.section import shown
from exporter.configfile.source import KeyPath, Position, Source


@dataclass(frozen=True)
class Translator:
    """Makes Problems of a model's validation errors.

    sections: the top-level keys that are known, also those that the model leaves to somebody else.
    """

    file: str
    source: Source
    model: type[BaseModel]
    sections: frozenset[str]

    def problem(self, details: ErrorDetails) -> tuple[Problem, KeyPath]:
        """The problem, and the path to what it is about."""
        path = self._path(details["loc"])
        message, hint = self._words(details, path)
        about_key = details["type"] in ("extra_forbidden", "missing")
        position = None if about_key else self.source.values.get(path)
        line, column = _line_and_column(position or self.source.position(path))
        return Problem(self.file, line, column, dotted(path), message, hint), path

    def _words(self, details: ErrorDetails, path: KeyPath) -> tuple[str, str]:
        kind, limits = details["type"], details.get("ctx", {})
        value = self.source.value(path) if path in self.source.keys else details["input"]
        parent, key = _model_at(self.model, path[:-1]), str(path[-1]) if path else ""
        if kind == "extra_forbidden":
            return "unknown key", self._place_of(key, parent, path)
        meaning = _meaning(parent, key)
        if kind == "missing":
            return "this key is missing", meaning
        secret = secret_by_name(path) or path in self.source.from_environment
        if kind in ("value_error", "contradiction"):
            # The word of a contradiction repeats a value as a whole or not at all; a validator may quote a part of it.
            if secret and (kind == "value_error" or repr(value) in details["msg"]):
                return f"the value is not valid; it is {HIDDEN[1:-1]} as it may be secret", meaning
            return _sentence(details["msg"]), ""
        if value is None:
            return "has no value", meaning or "give it one, or remove the key"
        seen = HIDDEN if secret else shown(value)
        if kind == "literal_error":
            words = re.findall(r"'([^']*)'", str(limits.get("expected")))
            return f"{seen} must be one of {', '.join(filter(None, words))}", nearest(str(value), words)
        shape, hint = _shape(kind, limits)
        if kind == "string_type" and isinstance(value, list | dict):
            hint = ""
        return (f"{seen} must {shape}", hint) if shape else (_sentence(details["msg"]), meaning)

    def _path(self, location: tuple[int | str, ...]) -> KeyPath:
        """The location without what pydantic adds to it that is nowhere in the file, as it does for keys of a dict."""
        path: KeyPath = ()
        for part in location:
            if (*path, part) in self.source.keys or (_model_at(self.model, path) and part == location[-1]):
                path = (*path, part)
        return path

    def _place_of(self, key: str, parent: type[BaseModel] | None, path: KeyPath) -> str:
        """Where an unknown key belongs, or what it may have been meant to be."""
        if parent is None:
            return ""
        for name, field in fields(parent):
            if any(key == inner for model in models_in(field.annotation) for inner, _ in fields(model)):
                return f"it belongs under `{name}:`"
        known = self.sections if len(path) == 1 else [name for name, _ in fields(parent)]
        return nearest(key, known) or f"known here: {', '.join(sorted(known))}"


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields of a model by the names that they have in the file."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of: Remedy of ``list[Remedy] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that describes the mapping at a path; None where none does."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and current is not None:
            field = dict(fields(current)).get(part)
            current = next(models_in(field.annotation), None) if field else None
    return current


def _meaning(model: type[BaseModel] | None, key: str) -> str:
    field = dict(fields(model)).get(key) if model else None
    return (field.description or "").replace("`", "") if field else ""


_SHAPES: Mapping[str, tuple[str, str]] = {
    "string_type": ("be text", "put it in quotes"),
    "int_parsing": ("be a whole number", ""),
    "int_type": ("be a whole number", ""),
    "int_from_float": ("be a whole number", ""),
    "float_parsing": ("be a number", ""),
    "float_type": ("be a number", ""),
    "finite_number": ("be a finite number", ""),
    "bool_parsing": ("be true or false", ""),
    "bool_type": ("be true or false", ""),
    "list_type": ("be a list", "begin each item with a dash, as in `- item`"),
    "dict_type": ("be a mapping", "write its keys below it, indented, as in `key: value`"),
    "model_type": ("be a mapping", "write its keys below it, indented, as in `key: value`"),
    "byte_size": ("be a size", "write for example 500MB, 10GiB, or a number of bytes"),
    "byte_size_unit": ("be a size", "write for example 500MB, 10GiB, or a number of bytes"),
    "greater_than": ("be more than {gt}", ""),
    "greater_than_equal": ("be at least {ge}", ""),
    "less_than": ("be less than {lt}", ""),
    "less_than_equal": ("be at most {le}", ""),
    "too_short": ("have {min_length} or more items", ""),
    "string_too_short": ("have {min_length} or more characters", ""),
}
"""What a value must be, and how that is written, by pydantic's type of error (pydantic_core's list of them)."""


def _shape(kind: str, limits: Mapping[str, Any]) -> tuple[str, str]:
    shape, hint = _SHAPES.get(kind, ("", ""))
    numbers = {key: f"{value:g}" if isinstance(value, float) else value for key, value in limits.items()}
    return shape.format_map(numbers), hint


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ")
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first[1:].islower() else text  # else it is a value, as RequireAnyClientCert


def _line_and_column(position: Position | None) -> tuple[int | None, int | None]:
    return (position.line, position.column) if position else (None, None)
