"""What the Compose Specification says of a service's keys and their values.

``compose-spec.json`` is its JSON Schema as PyPI's check-jsonschema 0.38.0 ships it, under the licence beside it: what
Compose 2.40 to 5.1 check a file by. The library for it takes 6 MB, so that it is imported with the first project only.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from exporter.base.text import counted
from exporter.findings.compose_tree import Flaw, Node
from exporter.findings.finding import word

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
"""What a value may be, for people, in the order in which that is told."""
_MADE_UNIQUE = frozenset(
    {
        *(
            (key,)
            for key in ("annotations", "cap_add", "cap_drop", "dns", "dns_opt", "dns_search", "environment", "expose")
        ),
        *((key,) for key in ("labels", "profiles", "sysctls", "tmpfs", "volumes")),
        *((key, "labels") for key in ("build", "deploy")),
    }
)
"""Lists of a service of which Compose drops what is there twice, before it looks at the specification.
https://github.com/compose-spec/compose-go/blob/main/override/uncity.go
"""
_DEFINITIONS = {"networks": "network", "volumes": "volume", "secrets": "secret", "configs": "config", "models": "model"}


@cache
def _validator() -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(files(__package__).joinpath("compose-spec.json").read_bytes()))


@cache
def service_keys() -> frozenset[str]:
    """Every key that a service may have, but for extensions (``x-...``)."""
    return frozenset(_definition("service")["properties"])


def service_flaws(name: str, service: Node) -> Iterator[Flaw]:
    """What of a service has another form than the specification says, each thing once; unknown keys of it left out."""
    for key, schema in _definition("service")["properties"].items():
        node = service.at(key)
        if node is not None and not node.tag:
            yield from _flaws(f"of {word(name)}", key, node, schema)


def section_flaws(section: str, top: Node) -> Iterator[Flaw]:
    """The same of ``networks``, ``volumes``, ``secrets``, ``configs`` or ``models``."""
    schema = _definition(_DEFINITIONS[section])
    for name, node in top.mapping.items():
        if not node.tag:
            yield from _flaws(f"in `{section}`", name, node, schema)


def _definition(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _validator().schema["$defs"][name]  # type: ignore[index]  # it is no boolean
    return found


def _flaws(whose: str, key: str, node: Node, schema: Mapping[str, Any]) -> Iterator[Flaw]:
    for error in _validator().descend(_plain(node), schema):
        error = _deepest(error)
        if error.validator == "uniqueItems" and (key, *error.absolute_path) in _MADE_UNIQUE:
            continue
        path = [str(part) for part in error.absolute_path]
        found = _at(node, list(error.absolute_path))
        shown = f"`{'.'.join((key, *path))}`" if all(map(_is_plain, (key, *path))) else f"a part of `{key}`"
        yield from _of(error, f"{shown} {whose}", found)


def _of(error: "ValidationError", what: str, node: Node) -> Iterator[Flaw]:
    wanted: Any = error.validator_value
    types = _types(error)
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties":
            for key in _unknown(error):
                yield Flaw(node.mapping.get(key, node).place, f"{word(key)} is not a key of {what}", "remove it")
        case _ if types and node.value is None:
            yield Flaw(node.place, f"{what} is empty", "remove it, or give it a value")
        case _ if types:
            yield Flaw(node.place, f"{what} must be {_either([_TYPES[one] for one in types])}", "write it as such")
        case "enum":
            yield Flaw(node.place, f"{what} is not valid", f"one of {', '.join(map(str, wanted))}")
        case "uniqueItems":
            yield Flaw(node.place, f"{what} has an item twice", "remove one of them")
        case "required":
            missing = [key for key in wanted if key not in node.mapping]
            yield Flaw(node.place, f"{what} lacks {', '.join(missing)}", "add it")
        case "minimum" | "maximum":
            least = "least" if error.validator == "minimum" else "most"
            yield Flaw(node.place, f"{what} must be at {least} {wanted}", "change it")
        case "minItems":
            yield Flaw(node.place, f"{what} must have at least {counted(wanted, 'item')}", "add one")
        case _:
            yield Flaw(node.place, f"{what} has a form that Compose does not take", "see the Compose reference")


def _types(error: "ValidationError") -> list[str]:
    """The types that a value may have, where it has another."""
    wanted: Any = error.validator_value
    if error.validator == "type":
        found = [[wanted] if isinstance(wanted, str) else wanted]
    else:
        found = [_types(one) if not one.relative_path else [] for one in error.context or ()]
    return [name for name in _TYPES if any(name in types for types in found)] if all(found) else []


def _deepest(error: "ValidationError") -> "ValidationError":
    """Of several forms that a value may have, what is wrong with the one whose type it has, if that is one thing."""
    while error.context:
        fitting = [one for one in error.context if one.relative_path or not _types(one)]
        if len(fitting) != 1:
            return error
        error = fitting[0]
    return error


def _unknown(error: "ValidationError") -> list[str]:
    schema: Any = error.schema
    patterns = [re.compile(one) for one in schema.get("patternProperties", ())]
    known = schema.get("properties", {})
    instance: Any = error.instance
    return [key for key in instance if key not in known and not any(one.search(key) for one in patterns)]


def _either(names: list[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _is_plain(part: str) -> bool:
    return len(part) <= 40 and all(one.isalnum() or one in "_-" for one in part)


def _at(node: Node, path: list[Any]) -> Node:
    for part in path:
        below = node.items[part] if isinstance(part, int) else node.mapping.get(part)
        if below is None:
            return node
        node = below
    return node


def _plain(node: Node) -> Any:
    """A node's value without places."""
    if isinstance(node.value, dict):
        return {key: _plain(value) for key, value in node.mapping.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.items]
    return node.value
