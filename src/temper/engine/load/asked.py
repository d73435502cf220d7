"""What a service is asked: rows of the system's own data, or the bodies of a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from temper.config.service import headers_of
from temper.core.errors import TemperError
from temper.core.service import Service
from temper.core.system import Protected
from temper.traffic.address import Address
from temper.traffic.messages import filled, written

_ROWS, _LARGEST = 2_000, 16 * 2**20


def messages(service: Service, address: Address, bodies: Sequence[bytes]) -> list[bytes]:
    """Whole requests, which the generator sends in turn."""
    headers = headers_of(service)
    return [written(address, service.method, one, headers) for one in bodies or [b""]]


def contents(service: Service, system: Protected | None, bodies: Path | None) -> list[bytes]:
    """The bodies to send; none for a method without one. Errors: nothing to send is refused."""
    if bodies is not None:
        return _lines(bodies)
    if service.method == "GET":
        return []
    if system is None:
        raise TemperError(
            "there is nothing to send", fix="add --body FILE (JSON, one a line), --method GET, or --config"
        )
    columns = system.schema.columns
    if not columns or system.data.x.ndim != 2:
        raise TemperError("the rows of this system have no columns to name", fix="add --body FILE (JSON, one a line)")
    rows = system.data.x[:_ROWS]
    return [filled(service.body, columns, row) for row in rows]


def _lines(path: Path) -> list[bytes]:
    """The bodies of a file. Errors: what is no JSON is refused with its line."""
    if path.stat().st_size > _LARGEST:
        raise TemperError(f"{path} is larger than {_LARGEST // 2**20} MiB", fix="a few thousand bodies are enough")
    found = [line.strip() for line in path.read_bytes().splitlines()]
    for number, line in enumerate(found, 1):
        try:
            json.loads(line or b"null")
        except ValueError:
            raise TemperError(f"{path}:{number}: this is no JSON", fix="write one JSON document a line") from None
    if not any(found):
        raise TemperError(f"{path} holds no body", fix="write one JSON document a line")
    return [line for line in found if line]
