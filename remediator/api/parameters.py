"""The parameters and the answer of each operation, as its signature in the table has them."""

import inspect
import pkgutil
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import NoneType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from remediator.api import operations
from remediator.api.operations import DIGITS, About, Operation
from remediator.model import shapes

Place = Literal["path", "query", "body"]


@dataclass(frozen=True)
class Parameter:
    """One parameter. kind: its type without None."""

    name: str
    place: Place
    kind: Any
    required: bool
    default: Any
    about: About
    whole: Any
    """Its type as it stands in the table."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


@cache
def _shapes() -> Mapping[str, Any]:
    """Every shape by its name; no two nouns have one of the same name."""
    modules = [import_module(f"{shapes.__name__}.{each.name}") for each in pkgutil.iter_modules(shapes.__path__)]
    return {name: value for module in modules for name, value in vars(module).items()}


@cache
def _hints(operation: Operation) -> Mapping[str, Any]:
    known = {**vars(operations), **_shapes()}
    return typing.get_type_hints(operation.declared, known, include_extras=True)


def answer(operation: Operation) -> Any:
    """The type of what it answers."""
    return _hints(operation)["return"]


@cache
def parameters(operation: Operation) -> tuple[Parameter, ...]:
    """All of them, in the order of the signature."""
    _, *given = inspect.signature(operation.declared).parameters.values()
    return tuple(_parameter(operation, each, _hints(operation)[each.name]) for each in given)


def _parameter(operation: Operation, given: inspect.Parameter, hint: Any) -> Parameter:
    whole, about = hint, About()
    if typing.get_origin(hint) is typing.Annotated:
        whole, about = typing.get_args(hint)
    kinds = [kind for kind in typing.get_args(whole) if kind is not NoneType]
    optional = NoneType in typing.get_args(whole)
    place: Place = "path" if f"{{{given.name}}}" in operation.path else "body" if operation.body else "query"
    return Parameter(
        name=given.name,
        place=place,
        kind=kinds[0] if optional else whole,
        required=given.default is given.empty and not optional,
        default=None if given.default is given.empty else given.default,
        about=about,
        whole=whole,
    )


@cache
def body(operation: Operation) -> type[BaseModel] | None:
    """The shape of its body; None where it takes none."""
    if operation.body is None:
        return None
    fields: dict[str, Any] = {
        each.name: (
            each.whole,
            Field(
                default=... if each.required else each.default,
                description=each.about.text,
                gt=each.about.more_than,
                ge=1 if each.kind is int else None,
                le=10**DIGITS - 1 if each.kind is int else each.about.at_most,
                min_length=each.about.min_length,
                max_length=each.about.max_length,
            ),
        )
        for each in parameters(operation)
        if each.place == "body"
    }
    return create_model(operation.body, __base__=_Body, __doc__=operation.declared.__doc__, **fields)
