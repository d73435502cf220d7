"""What the data plane can be asked, as an OpenAPI document made from the Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from temper.core.schema import Column, Schema

_KEY: list[dict[str, list[str]]] = [{"key": []}]

_ID = (
    "Names this request. Sent again within ten minutes it gets the same answer, and Idempotency-Replayed: true; with "
    "other rows it gets 409. The process that answered knows it at once, every other one of this service within a "
    "second; two that have it in the meantime may both decide, so wait for a second before you send it again."
)
_SUBJECT = "Whom it is about, in your words: what is kept of them can be erased under this name."


def document(name: str, schema: Schema, most_rows: int) -> dict[str, Any]:
    """The document, version 3.1.

    >>> found = document("fraud", Schema(columns=(Column(name="amount", low=0.0, high=9.0),)), 10)
    >>> found["components"]["schemas"]["Row"]["properties"]["amount"]
    {'type': 'number', 'minimum': 0.0, 'maximum': 9.0}
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name}, guarded by Temper", "version": "1"},
        "paths": {
            "/v1/score": {"post": _post("score", "Score one row, or several.", "Asked", "Answered")},
            f"/v2/models/{name}/infer": {"post": _post("infer", "The same, as tensors.", "Infer", "Inferred")},
            f"/v2/models/{name}": {"get": _get("model", "What the model takes and gives.")},
            "/livez": {"get": _get("live", "Whether the process answers.", key=False)},
            "/healthz": {"get": _get("health", "Whether the process answers.", key=False)},
            "/readyz": {"get": _get("ready", "Whether requests should be sent here.", {"503": "Not now."}, key=False)},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(schema, most_rows),
        },
    }


def _schemas(schema: Schema, most_rows: int) -> dict[str, Any]:
    row = {
        "type": "object",
        "additionalProperties": False,
        "properties": {column.name: _column(column) for column in schema.columns},
        "required": [column.name for column in schema.columns if not column.missing],
    }
    one, id_ = {"$ref": "#/components/schemas/Row"}, {"type": "string", "maxLength": 128}
    asked = id_ | {"description": _ID}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": most_rows}
    return {
        "Row": row,
        "Asked": {
            "oneOf": [
                _closed({"id": asked, "subject": id_ | {"description": _SUBJECT}, "row": one}, "row"),
                _closed({"id": asked, "subject": id_ | {"description": _SUBJECT}, "rows": many}, "rows"),
            ]
        },
        "Answered": {"type": "object", "required": ["id", "results", "source", "degraded"]},
        "Infer": {"type": "object", "properties": {"id": asked, "inputs": {"type": "array", "items": _tensor()}},
                  "required": ["inputs"]},
        "Inferred": {"type": "object", "required": ["model_name", "outputs"]},
        "Error": _closed({"error": {"type": "string"}}, "error"),
    }  # fmt: skip


def _tensor() -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype", "data"],
    }


def _column(column: Column) -> Mapping[str, Any]:
    if column.type == "category":
        found: dict[str, Any] = {"type": "string", "enum": list(column.categories)}
    elif column.type == "boolean":
        found = {"type": ["boolean", "integer"], "minimum": 0, "maximum": 1}
    else:
        found = {"type": "number"} if column.type == "number" else {"type": "integer"}
        found |= {"minimum": column.low} if np.isfinite(column.low) else {}
        found |= {"maximum": column.high} if np.isfinite(column.high) else {}
    return {"anyOf": [found, {"type": "null"}]} if column.missing else found


def _closed(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _post(id_: str, about: str, body: str, answer: str) -> Mapping[str, Any]:
    refused = {
        "400": "It cannot be scored.", "401": "No such key.", "403": "This key may not.", "408": "It came too slowly.",
        "409": "Its id was used for something else.", "413": "It is too large.", "429": "Too many, see Retry-After.",
        "503": "Nothing can be answered now, see Retry-After.", "504": "Not in time.",
    }  # fmt: skip
    return {
        "operationId": id_,
        "summary": about,
        "security": _KEY,
        "requestBody": {"required": True, "content": _content(body)},
        "responses": {
            "200": {"description": "Every row has a decision.", "content": _content(answer)},
            **{status: {"description": text, "content": _content("Error")} for status, text in refused.items()},
        },
    }


def _get(id_: str, about: str, more: Mapping[str, str] | None = None, *, key: bool = True) -> Mapping[str, Any]:
    refused = {**({"401": "No such key."} if key else {}), **(more or {})}
    return {
        "operationId": id_,
        "summary": about,
        "security": _KEY if key else [],
        "responses": {
            "200": {"description": "Yes.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **{status: {"description": text} for status, text in refused.items()},
        },
    }


def _content(name: str) -> Mapping[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
