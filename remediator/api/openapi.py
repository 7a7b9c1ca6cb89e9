"""The API's description as an OpenAPI 3.1 document, made from the table of operations."""

import json
from typing import Any

from pydantic import TypeAdapter

from remediator.api.operations import API, DIGITS, OPERATIONS, Operation
from remediator.api.parameters import Parameter, answer, body, parameters

_PROBLEM = {
    "description": "an error",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "description": "RFC 9457; `guard` is there when a guard blocked",
                "required": ["type", "title", "status"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer", "minimum": 400, "maximum": 599},
                    "detail": {"type": "string"},
                    "guard": {"type": "string"},
                },
            }
        }
    },
}
_ACCEPTED = {
    "description": "stored",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["accepted"],
                "properties": {"accepted": {"type": "integer", "minimum": 0}},
            }
        }
    },
}
_WEBHOOK = {
    "summary": "Take a notification of Alertmanager (webhook payload version 4); stored before it is answered",
    "operationId": "alertmanager",
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {"202": _ACCEPTED, "default": _PROBLEM},
}
_BYTES: dict[str, Any] = {"*/*": {}}  # OpenAPI 3.1: bytes have no schema
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
            str(operation.status): {
                "description": operation.summary,
                "content": _BYTES if operation.file else _content(answer(operation), schemas),
            },
            "default": _PROBLEM,
        },
        "x-role": operation.role,
    }
    shape = body(operation)
    if shape is not None:
        described["requestBody"] = {"required": True, "content": _content(shape, schemas)}
    return described


def _parameter(each: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": each.name, "in": each.place, "schema": _simple(each)}
    if each.required:
        found["required"] = True
    if each.about.text is not None:
        found["description"] = each.about.text
    return found


def _simple(each: Parameter) -> dict[str, Any]:
    """The schema of a parameter in the path or the query, as it is read there."""
    if each.kind is not int:
        more = {"enum": list(each.about.among)} if each.about.among else {}
        return {"type": _TYPES[each.kind], **more, **({"format": each.about.format} if each.about.format else {})}
    if each.place == "path":  # a string, as clients that were made from the document have it
        return {"type": "string", "pattern": f"^[0-9]{{1,{DIGITS}}}$"}
    return {"type": _TYPES[each.kind], "minimum": 1, "maximum": 10**DIGITS - 1}


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return {"application/json": {"schema": json.loads(json.dumps(schema))}}
