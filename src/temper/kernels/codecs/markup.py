"""Text inside other notations: URL and HTML escapes, quoted-printable, JSON, comments, pieces put together in code."""

from __future__ import annotations

import html
import json
import quopri
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

from temper.kernels.codecs.codec import Codec, attempt, bytes_of, plain

_PIECE = 5


def _url(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in bytes_of(text))


def _unurl(text: str) -> str:
    return unquote(text, errors="strict")


def _entities(form: str) -> Callable[[str], str]:
    return lambda text: "".join(form.format(ord(sign)) for sign in text)


def _unentities(text: str) -> str:
    return re.sub(r"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));?", _point, text)


def _point(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else int(found[2])
    return chr(number) if number < 0x110000 else found[0]


def _printable(text: str) -> str:
    return "".join(f"={byte:02X}" for byte in bytes_of(text))


def _unquoted(text: str) -> bytes:
    return quopri.decodestring(bytes_of(text))


def _pieces(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)] or [""]


def _joined(text: str) -> str:
    return " + ".join(json.dumps(piece) for piece in _pieces(text))


def _unjoined(text: str) -> str:
    return "".join(json.loads(piece) for piece in re.findall(r'"(?:[^"\\]|\\.)*"', text))


def _variables(text: str) -> str:
    names = [f"p{at}" for at in range(len(_pieces(text)))]
    lines = [f"{name} = {json.dumps(piece)}" for name, piece in zip(names, _pieces(text), strict=True)]
    return "\n".join([*lines, f"print({' + '.join(names)})"])


def _unnoted(text: str) -> str:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return str(found["note"])


def _framed(before: str, after: str) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """A frame put round the text; what would end it early is split up and put together again."""

    def put(text: str) -> str:
        return before + text + after

    def take(text: str) -> str:
        start = text.index(before) + len(before)
        return text[start : text.rindex(after, start)]

    return put, take


def _exact(name: str, encode: Callable[[str], str], decode: Callable[[str], str | bytes], *, within: bool) -> Codec:
    return Codec(name=name, encode=plain(encode), decode=attempt(decode), within=within)


def _frame(name: str, before: str, after: str) -> Codec:
    put, take = _framed(before, after)
    return Codec(name=name, encode=plain(put), decode=attempt(take), readable=True)


CODECS = (
    _exact("url", _url, _unurl, within=True),
    _exact("url_double", lambda text: quote(_url(text)), lambda text: _unurl(_unurl(text)), within=True),
    _exact("html_decimal", _entities("&#{};"), _unentities, within=True),
    _exact("html_hex", _entities("&#x{:x};"), _unentities, within=True),
    _exact("html_named", html.escape, html.unescape, within=True),
    _exact("quoted_printable", _printable, _unquoted, within=True),
    _exact("joined_strings", _joined, _unjoined, within=False),
    _exact("variables", _variables, lambda text: _unjoined(text.rpartition("print(")[0]), within=False),
    _exact("json", lambda text: json.dumps({"note": text}), _unnoted, within=False),
    _frame("html_comment", "<!-- ", " -->"),
    _frame("xml_cdata", "<note><![CDATA[", "]]></note>"),
    _frame("code_block", "```text\n", "\n```"),
    _frame("code_comment", "/* ", " */"),
    _frame("quoted", "“", "”"),
)
