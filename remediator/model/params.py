"""What a task takes as parameters, and whether what is given is that. Pure."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.base.text import nearest
from remediator.model.shapes.tasks import ParameterKind, ParameterView
from remediator.model.task import Parameters


class Wrong(NamedTuple):
    """A parameter that a task does not take, or not with that value: its name, what is wrong, what would be right."""

    name: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def wrong(task: str, takes: type[Parameters], given: Mapping[str, Any]) -> Wrong | None:
    """The first of the given parameters that the task of that name cannot be run with; None if it can."""
    try:
        takes.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            return Wrong(name, f"parameter {name} of {task}: {_message(first)}")
        known = list(takes.model_fields)
        hint = nearest(name, known) or f"its parameters: {', '.join(known) or 'none'}"
        return Wrong(name, f"{task} has no parameter {name}", hint)
    return None


def _message(error: ErrorDetails) -> str:
    """What a validator of ours says, without pydantic's words before it."""
    own = error.get("ctx", {}).get("error")
    return str(own) if error["type"] == "value_error" and own is not None else error["msg"]


@cache
def described(takes: type[Parameters]) -> Sequence[ParameterView]:
    """The parameters for people and forms, in the order of the class."""
    schema = takes.model_json_schema()
    required = schema.get("required", ())
    return [_described(name, one, name in required) for name, one in schema.get("properties", {}).items()]


_KINDS: Mapping[str, ParameterKind] = {"boolean": "flag", "integer": "number", "number": "number", "array": "words"}


def _described(name: str, schema: Mapping[str, Any], required: bool) -> ParameterView:
    given = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    choices = [str(word) for word in given[0].get("enum", ())]
    return {
        "name": name,
        "kind": "choice" if choices else _KINDS.get(str(given[0].get("type")), "text"),
        "required": required,
        "default": schema.get("default"),
        "choices": choices,
        "description": schema.get("description", ""),
    }
