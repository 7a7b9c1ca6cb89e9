"""docs/configuration.md: every key of upkeeper.yml, from the models that validate it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from docs.generators.markdown import blocks, code, table
from exporter.configfile.translator import fields, models_in
from remediator.config.config import Config

_INTRO = """\
# Configuration

<!-- Written by docs/generate.py from exporter/inventory/ and remediator/config/. Change those, and run it again. -->

Everything is in one YAML file, `upkeeper.yml`, and every key in it may be left out. It is looked for in this order:

1. `--config FILE`
2. the environment variable `UPKEEPER_CONFIG`
3. `upkeeper/upkeeper.yml` in the user's config directory (`$XDG_CONFIG_HOME`, or `~/.config`)
4. `/etc/upkeeper/upkeeper.yml`
5. none: the defaults, and what is found on the machine

`upkeeper check` names every mistake at once, with its line and what would be right. `upkeeper config show` prints the
config in force with all defaults and without secrets, and `upkeeper config schema` a JSON Schema for your editor.
A running Upkeeper reads the file again when it changes or on SIGHUP. A file with a mistake in it is not taken over:
the config before stays in force, the log says why, and the alert `UpkeeperConfigReloadFailed` fires.

The [example](../upkeeper.yml) that ships is a whole stack with the reason for each limit.

## How values are written

| type | is written |
|---|---|
| duration | as Prometheus does: `90s`, `1h30m`, `7d`, `500ms`; or a number of seconds |
| size | `500MB` (10^6), `10GiB` (2^30); or a number of bytes |
| ratio | a number from 0 to 1 |
| name | letters, digits, `_`, `.` and `-`, first a letter or digit, 63 at most. Alerts and commands select by it |
| regular expression | in RE2 syntax, unanchored. In YAML best in single quotes |
| text | plain or in quotes, as YAML 1.2 has it: `on`, `no` and dates are text, `true` and `5` are not |

In any text, `${NAME}` stands for the environment variable of that name, so that secrets stay out of the file. A
variable that is not set is an error. A dollar sign before `{` or `$` is written twice: `$${`. Anchors, aliases and
merge keys (`<<: *name`) work. A key that is not known, or stands twice, is an error."""


def page() -> str:
    """The whole page, in Markdown."""
    schema = Config.model_json_schema()
    parts = [_INTRO, "## Sections", _table(Config, schema)]
    for model, paths in _sections(Config).items():
        level = "###" if "." in paths[0] else "##"
        parts += [
            f"{level} {', '.join(map(code, paths))}",
            _text(model.__doc__ or ""),
            _table(model, schema["$defs"][model.__name__]),
        ]
    return blocks(*parts)


def _sections(top: type[BaseModel]) -> Mapping[type[BaseModel], Sequence[str]]:
    """Every model below the top one, in the order of the file, with the paths that it is found at."""
    found: dict[type[BaseModel], list[str]] = {}

    def visit(model: type[BaseModel], path: str) -> None:
        for name, field in fields(model):
            for inner in models_in(field.annotation):
                below = f"{path}.{name}".lstrip(".") + ("[]" if _is_list(field) else "")
                found.setdefault(inner, []).append(below)
                visit(inner, below)

    visit(top, "")
    return found


def _is_list(field: FieldInfo) -> bool:
    return "list[" in str(field.annotation)


def _table(model: type[BaseModel], schema: Mapping[str, Any]) -> str:
    return table(
        ["key", "type", "default", "meaning"],
        [
            [code(name), _type(schema["properties"][name]), _default(field), field.description or ""]
            for name, field in fields(model)
        ],
    )


_FORMATS = {"duration-or-seconds": "duration", "size-or-bytes": "size", "regex": "regular expression"}
_PLURALS = {"mapping": "mappings", "whole number": "whole numbers"}
_PATTERNS = {"^/": "absolute path", "^https?://": "URL", "^(https?|tcp)://": "URL", "^[#@]": "text"}


def _type(schema: Mapping[str, Any]) -> str:
    """A type of JSON Schema in the words of the page."""
    if "anyOf" in schema:
        return next(_type(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return "mapping, see below"
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    match schema["type"]:
        case "array":
            word, comma, rest = _type(schema["items"]).partition(",")
            return f"list of {_PLURALS.get(word, word)}{comma}{rest}"
        case "object":
            if "patternProperties" in schema:
                ((pattern, value),) = schema["patternProperties"].items()
                return f"mapping of {_type({'type': 'string', 'pattern': pattern})} to {_type(value)}"
            keys = f"{_type(schema['propertyNames'])} to " if "propertyNames" in schema else ""
            return f"mapping of {keys}{_type(schema['additionalProperties'])}"
        case "boolean":
            return "`true`, `false`"
        case "string" if "pattern" in schema:
            return _PATTERNS.get(schema["pattern"], "name")
        case "string":
            return "text"
        case kind:
            return _number(kind, schema.get("minimum"), schema.get("maximum"))


def _number(kind: str, low: float | None, high: float | None) -> str:
    if kind == "number" and (low, high) == (0, 1):
        return "ratio"
    word = "whole number" if kind == "integer" else "number"
    if high is not None:
        return f"{word}, {low} to {high}"
    return f"{word}, {low} or more" if low is not None else word


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if isinstance(field.default, BaseModel):
        return ""
    if field.default is None:
        return "none"
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    plain = TypeAdapter(kind).dump_python(field.default, mode="json")
    if isinstance(plain, list):
        return code(yaml.safe_dump(plain, default_flow_style=True, width=10_000).strip())
    return code(plain if isinstance(plain, str) else json.dumps(plain))


def _text(docstring: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(docstring.split()))
