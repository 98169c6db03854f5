"""The document, put together."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Final

from stormbank import VERSION
from stormbank.deadline import DEFAULT_MS, LONGEST_MS
from stormbank.deadline import HEADER as DEADLINE_HEADER
from stormbank.openapi import shapes
from stormbank.openapi.problems import ALWAYS, PROBLEM, responses
from stormbank.openapi.shapes import Schema, Shape
from stormbank.operations import OPERATIONS, Operation

_ABOUT: Final = """\
The interface that phones have to the reference bank. Written by the bank itself; do not edit.

Every request may say how long its customer will wait; what cannot be done by then is not begun. Money carries an
Idempotency-Key: with the same key, the same movement is asked for again and booked once. Numbers are whole.

Phones talk to an edge before the bank's gateways. When none of them answers, it does: 408, 502, some of 503."""
_GENERIC: Final = Shape("", 200, {"type": "object"})


def known_shapes() -> dict[str, Shape]:
    """Return what `shapes` holds, by operation."""
    found: dict[str, Shape] = {}
    for each in pkgutil.iter_modules(shapes.__path__):
        found |= importlib.import_module(f"{shapes.__name__}.{each.name}").SHAPES
    return found


def document() -> dict[str, Any]:
    """Return the whole of it. An operation that has no shape yet is there, and says nothing of its fields."""
    by_name = known_shapes()
    paths: dict[str, Schema] = {}
    for each in OPERATIONS:
        if not each.internal:
            shape = by_name.get(each.name, _GENERIC)
            paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mobile bank", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM},
            "responses": responses(),
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "description": "the token of a login"}
            },
        },
    }


def _operation(operation: Operation, shape: Shape) -> Schema:
    statuses = {*ALWAYS, *shape.problems} if operation.session or shape.body else set(ALWAYS)
    told: Schema = {
        "operationId": operation.name,
        "summary": shape.summary,
        "description": f"Business tier {operation.tier}.",
        "parameters": _parameters(operation, shape),
        "responses": {
            str(shape.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": shape.answer}},
            },
            **{
                str(status): {"$ref": f"#/components/responses/Problem{status}"}
                for status in sorted(statuses)
            },
        },
    }
    if shape.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": shape.body}}}
    if operation.session:
        told["security"] = [{"session": []}]
    return told


def _parameters(operation: Operation, shape: Shape) -> list[Schema]:
    budget = {"type": "integer", "minimum": 1, "default": DEFAULT_MS}
    about = (
        f"how long the customer will wait, in milliseconds; more than {LONGEST_MS} is taken as {LONGEST_MS}, "
        "and with 0 or less it is over already: 408"
    )
    found = [
        {"name": name, "in": "query", "required": True, "schema": schema}
        for name, schema in shape.query.items()
    ]
    found += [
        {"name": name, "in": "header", "description": what, "schema": {"type": "string"}}
        for name, what in shape.headers.items()
    ]
    found.append({"name": DEADLINE_HEADER, "in": "header", "description": about, "schema": budget})
    if operation.money:
        about = "makes a second try the same movement"
        key = {"type": "string", "format": "uuid"}
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": True, "description": about, "schema": key}
        )
    return found
