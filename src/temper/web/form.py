"""What comes with a POST, read with limits: the form of a browser, without files, or the JSON of a program."""

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
    return fields(await _read(request, "application/x-www-form-urlencoded", "a form"))


async def json_of(request: Request) -> bytes:
    """A document, not yet parsed; nothing at all is an empty one."""
    if request.headers.get("content-length", "") == "0" or "content-type" not in request.headers:
        return b"{}"
    return await _read(request, "application/json", "JSON")


async def _read(request: Request, wanted: str, called: str) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise Refused(415, f"Not {called}", f"This address takes {called} only.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Refused(413, "Too much text", f"{called.capitalize()} may have {MOST_BYTES // 1024} KB.")
    return bytes(body)


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
