"""Conditions on the JSON body of an answer."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.section import Contradiction, Regex, Section, shown


def _json_path(path: str) -> str:
    import jsonpath

    try:
        jsonpath.compile(path, strict=True)
    except jsonpath.JSONPathError as error:
        # Its str() would show the path once more, over several lines.
        message = f"must be a JSON path of RFC 9535, as in $.database.status: {error.args[0]}"
        raise ValueError(f"{shown(path)} {message}") from None
    return path


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"{shown(value)} must be text, a number, true or false")
    return value


def _scalar_or_null(value: object) -> object:
    return value if value is None else _scalar(value)


JsonPath = Annotated[str, AfterValidator(_json_path)]
"""A path into a JSON document, by RFC 9535."""

_SCALAR = ["string", "number", "boolean"]
Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": _SCALAR})]
ScalarOrNull = Annotated[Any, AfterValidator(_scalar_or_null), WithJsonSchema({"type": [*_SCALAR, "null"]})]

OPERATORS = ("equals", "one_of", "matches", "at_least", "at_most", "exists")


class JsonCondition(Section):
    """What a JSON path must find in the body: something, and everything that it finds must be as expected."""

    path: JsonPath = Field(description="JSON path of RFC 9535, as in `$.database.status` or `$.checks[*].ok`")
    equals: Scalar | None = Field(default=None, description="the value: text, a number, true or false")
    one_of: list[ScalarOrNull] | None = Field(default=None, min_length=1, description="the values that are accepted")
    matches: Regex | None = Field(default=None, description="RE2 regular expression that the value must contain")
    at_least: float | None = Field(default=None, description="the value is a number of at least this")
    at_most: float | None = Field(default=None, description="the value is a number of at most this")
    exists: bool | None = Field(default=None, description="true: such a value exists; false: it does not")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        asked = [key for key in OPERATORS if given.get(key) is not None]
        if not asked and {"path"} <= given.keys() <= {"path", *OPERATORS}:  # else an unknown key is the mistake
            yield Contradiction(("path",), f"needs one of {', '.join(OPERATORS)} as well, or nothing is expected")
        if given.get("exists") is False:
            for key in asked:
                if key != "exists":
                    yield Contradiction((key,), "cannot be asked of a value that must not exist")
