"""Rows as the requests a client would send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from temper.core.schema import Column, Schema
from temper.traffic.address import Address

Array = np.ndarray[Any, Any]


def messages(schema: Schema, rows: Array, *, key: str, path: str = "/v1/score", host: str = "temper") -> list[bytes]:
    """One whole HTTP/1.1 message per row of the Schema's matrix.

    >>> schema = Schema(columns=(Column(name="n", type="integer"), Column(name="night", type="boolean")))
    >>> messages(schema, np.array([[3.0, 1.0]]), key="k")[0].split(b"\\r\\n\\r\\n")[1]
    b'{"row":{"n":3,"night":true}}'
    """
    return [message(b'{"row":' + body(schema.columns, row) + b"}", key=key, path=path, host=host) for row in rows]


def message(content: bytes, *, key: str, path: str = "/v1/score", host: str = "temper") -> bytes:
    """One whole POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode("latin-1") + content


def written(address: Address, method: str, content: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """One whole message to a service; its own headers come first, and what is sent is JSON unless they say otherwise.

    >>> written(Address(host="localhost", port=80), "GET")
    b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'
    """
    lines = [f"{method} {address.path} HTTP/1.1", f"Host: {address.told}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if content:
        if "content-type" not in {name.lower() for name, _ in headers}:
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + content


def filled(template: str, columns: Sequence[Column], row: Array) -> bytes:
    """A row in the place of $row (an object) and $values (a list, null where it is missing).

    >>> filled('{"instances":[$values]}', (Column(name="n", type="integer"),), np.array([3.0]))
    b'{"instances":[[3]]}'
    """
    content = template.replace("$row", body(columns, row).decode())
    if "$values" in content:
        values = [_value(column, float(value)) for column, value in zip(columns, row, strict=True)]
        content = content.replace("$values", json.dumps(values, separators=(",", ":")))
    return content.encode()


def body(columns: Sequence[Column], row: Array) -> bytes:
    """A row as the JSON object that the gateway reads."""
    told = {column.name: _value(column, float(value)) for column, value in zip(columns, row, strict=True)}
    return json.dumps(
        {name: value for name, value in told.items() if value is not None}, separators=(",", ":")
    ).encode()


def _value(column: Column, value: float) -> Any:
    if np.isnan(value):
        return None
    if column.type == "category":
        return column.categories[int(value)]
    if column.type == "boolean":
        return bool(value)
    return int(value) if column.type == "integer" else value
