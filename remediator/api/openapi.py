"""The API's description as an OpenAPI 3.1 document, made from the table of operations."""

import json
from typing import Any

from pydantic import TypeAdapter

from remediator.api.operations import API, OPERATIONS, Operation
from remediator.api.parameters import Parameter, answer, body, parameters

_WEBHOOK = {
    "summary": "Take a notification of Alertmanager (webhook payload version 4); stored before it is answered",
    "operationId": "alertmanager",
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {"202": {"description": "stored"}, "default": {"description": "an error"}},
}
_TYPES = {int: "integer", str: "string"}


def openapi(version: str) -> dict[str, Any]:
    """The document. Making it takes 5 MB of memory."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(API + operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    paths[f"{API}/alertmanager"] = {"post": _WEBHOOK}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Upkeeper remediator",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.name,
        "parameters": [_parameter(each) for each in parameters(operation) if each.place != "body"],
        "responses": {
            str(operation.status): {"description": operation.summary, "content": _content(answer(operation), schemas)},
            "default": {
                "description": "an error",
                "content": {"application/problem+json": {"schema": {"type": "object"}}},
            },
        },
        "x-role": operation.role,
    }
    shape = body(operation)
    if shape is not None:
        described["requestBody"] = {"required": True, "content": _content(shape, schemas)}
    return described


def _parameter(each: Parameter) -> dict[str, Any]:
    kind = "string" if each.place == "path" else _TYPES[each.kind]  # as clients that were made from it have it
    found: dict[str, Any] = {"name": each.name, "in": each.place, "schema": {"type": kind}}
    if each.required:
        found["required"] = True
    if each.about.text is not None:
        found["description"] = each.about.text
    return found


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return {"application/json": {"schema": json.loads(json.dumps(schema))}}
