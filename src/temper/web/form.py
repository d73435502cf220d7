"""What comes with a POST, read with limits: the form of a browser, or the JSON of a program."""

from __future__ import annotations

from base64 import b64encode
from email import message_from_bytes
from email.policy import HTTP
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from temper.web.refused import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 64 * 1024
MOST_FIELDS = 50
_FILES, _HEAD = "multipart/form-data", 1024


async def form_of(
    request: Request, most: int = MOST_FIELDS, size: int = MOST_BYTES, *, file: bool = False
) -> dict[str, str]:
    """The fields of a form, the last of each name; refused where it has over `size` bytes or `most` fields, or is no
    form; a form with a `file` only where one is expected.
    """
    header = request.headers.get("content-type", "")
    if file and _kind(request) == _FILES:
        return parts(header, await _read(request, _FILES, "a form", size), most)
    return fields(await _read(request, "application/x-www-form-urlencoded", "a form", size), most)


async def json_of(request: Request) -> bytes:
    """A document, not yet parsed; nothing at all is an empty one."""
    if request.headers.get("content-length", "") == "0" or "content-type" not in request.headers:
        return b"{}"
    return await _read(request, "application/json", "JSON")


async def _read(request: Request, wanted: str, called: str, most: int = MOST_BYTES) -> bytes:
    if _kind(request) != wanted:
        raise Refused(415, f"Not {called}", f"This address takes {called} only.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise Refused(413, "Too much text", f"{called.capitalize()} may have {most // 1024:,} KB.")
    return bytes(body)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parts(header: str, body: bytes, most: int = MOST_FIELDS) -> dict[str, str]:
    """The fields of a form with a file, which comes as base64; what it is called and said to be is not believed.

    >>> text = b'--b\\r\\nContent-Disposition: form-data; name="a"; filename="x"\\r\\n\\r\\nhi\\r\\n--b--\\r\\n'
    >>> parts("multipart/form-data; boundary=b", text)
    {'a': 'aGk='}
    """
    boundary = message_from_bytes(b"Content-Type: " + header.encode("latin-1", "replace") + b"\r\n\r\n").get_boundary()
    if not boundary:
        raise Refused(400, "Not a form", "What came cannot be read as a form.")
    _, *chunks = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"), most + 2)
    found: dict[str, str] = {}
    for chunk in chunks[: next((at for at, one in enumerate(chunks) if one.startswith(b"--")), len(chunks))]:
        name, value = _part(chunk)
        if len(found) >= most:
            raise Refused(400, "Not a form", "What came cannot be read as a form.")
        found[name] = value
    return found


def _part(chunk: bytes) -> tuple[str, str]:
    """The name and the value of one part. It is cut out by its boundary alone: a parser of mails takes minutes for some
    bodies of a few kilobytes.
    """
    head, end, raw = chunk.partition(b"\r\n\r\n")
    part = message_from_bytes(head[2:_HEAD], policy=HTTP)
    name = part.get_param("name", header="content-disposition")
    if not end or not head.startswith(b"\r\n") or len(head) > _HEAD or not isinstance(name, str):
        raise Refused(400, "Not a form", "What came cannot be read as a form.")
    try:
        return name, raw.decode() if part.get_filename() is None else b64encode(raw).decode()
    except UnicodeDecodeError:
        raise Refused(400, "Not a form", "What came cannot be read as a form.") from None


def fields(body: bytes, most: int = MOST_FIELDS) -> dict[str, str]:
    """The fields of an encoded body.

    >>> fields(b"verdict=approve&reason=known%20customer")
    {'verdict': 'approve', 'reason': 'known customer'}
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise Refused(400, "Not a form", "What came cannot be read as a form.") from None
    return dict(pairs)
