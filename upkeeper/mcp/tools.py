"""The tools: those operations of the table that only read."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from remediator.api.operations import DIGITS, OPERATIONS, Operation, Operations
from remediator.api.parameters import parameters
from remediator.model.errors import ClientError

ONLY_READ = ("plan", "explain")
"""Those that read although they are asked for by POST."""
LONGEST = 200_000
"""Characters of an answer. A longer one is none that an assistant can use."""
_HINTS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


class ToolFailed(Exception):
    """A tool has no answer. The message is for whoever called it."""


class Opens(Protocol):
    """A connection to the remediator, for one call: it may have started or ended since the last one."""

    def __call__(self) -> AbstractAsyncContextManager[Operations]: ...


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


@cache
def tools() -> Mapping[str, Operation]:
    """By name."""
    return {
        each.name: each
        for each in OPERATIONS
        if not each.file and ((each.method == "GET" and each.role == "viewer") or each.name in ONLY_READ)
    }


def described() -> list[dict[str, Any]]:
    """All of them, as the protocol lists them."""
    return [
        {
            "name": name,
            "description": operation.summary,
            "inputSchema": _arguments(operation).model_json_schema(),
            "annotations": {"title": operation.summary, **_HINTS},
        }
        for name, operation in tools().items()
    ]


@cache
def _arguments(operation: Operation) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for each in parameters(operation):
        whole_number = each.kind is int
        fields[each.name] = (
            each.whole,
            Field(
                default=... if each.required else each.default,
                description=each.about.text,
                ge=1 if whole_number else None,
                le=(each.about.most or 10**DIGITS - 1) if whole_number else None,
                min_length=each.about.min_length,
                max_length=each.about.max_length,
            ),
        )
    return create_model(operation.name, __base__=_Arguments, **fields)


async def call(opens: Opens, name: str, arguments: Mapping[str, Any]) -> str:
    """The answer as JSON. Raises ToolFailed, and KeyError for a tool that there is not."""
    operation = tools()[name]
    try:
        values = _arguments(operation).model_validate(arguments).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc'])) or name}: {each['msg']}" for each in error.errors()]
        raise ToolFailed("; ".join(wrong)) from error
    if any(isinstance(value, str) and "\0" in value for value in values.values()):
        raise ToolFailed("text must not have the character NUL")
    try:
        async with opens() as remediator:
            answer = await remediator.ask(
                operation, {name: value for name, value in values.items() if value is not None}
            )
    except ClientError as error:
        raise ToolFailed(str(error)) from error
    text = json.dumps(answer, ensure_ascii=False)
    if len(text) > LONGEST:
        raise ToolFailed(f"the answer has {len(text)} characters, which is too long; ask for fewer with `limit`")
    return text
