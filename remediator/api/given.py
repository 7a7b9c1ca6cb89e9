"""What an operation is given by whoever is no HTTP client of this host, held to the same as what comes over HTTP."""

from typing import Any

from pydantic import ValidationError

from remediator.api.operations import DIGITS, Operation
from remediator.api.parameters import body, parameters
from remediator.model.errors import bad_request

LONGEST = 4096
"""Characters of a text that a path or a query would hold."""


def checked(operation: Operation, given: Any) -> dict[str, Any]:
    """The values by name. Raises RequestError where one is missing, unknown, or of another kind than the table says."""
    if not isinstance(given, dict):
        raise bad_request("what is given must be values by name")
    known = {each.name: each for each in parameters(operation)}
    if strange := sorted(set(given) - set(known)):
        raise bad_request(f"{operation.name} takes no {strange[0]}")
    shape, values = body(operation), {}
    if shape is not None:
        try:
            made = shape.model_validate({name: one for name, one in given.items() if known[name].place == "body"})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise bad_request(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        values = {name: getattr(made, name) for name in shape.model_fields}
    for each in known.values():
        if each.place == "body":
            continue
        value = given.get(each.name, each.default)
        if value is None and each.required:
            raise bad_request(f"{each.name} is missing")
        if value is not None and not _fits(value, each.kind):
            raise bad_request(f"{each.name} is not of its kind")
        values[each.name] = value
    return values


def _fits(value: Any, kind: Any) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**DIGITS
    return isinstance(value, str) and len(value) <= LONGEST and "\0" not in value
