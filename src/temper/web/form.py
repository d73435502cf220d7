"""The body of a form, read with limits; only what a browser sends without files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from temper.web.refused import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 64 * 1024
MOST_FIELDS = 50


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name; refused where it is too large or no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "Not a form", "This address takes forms only.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Refused(413, "Too much text", f"A form may have {MOST_BYTES // 1024} KB.")
    return fields(bytes(body))


def fields(body: bytes) -> dict[str, str]:
    """The fields of an encoded body.

    >>> fields(b"verdict=approve&reason=known%20customer")
    {'verdict': 'approve', 'reason': 'known customer'}
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused(400, "Not a form", "What came cannot be read as a form.") from None
    return dict(pairs)
