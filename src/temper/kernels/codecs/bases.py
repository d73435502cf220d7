"""Bytes as digits of some base: base16 to base91, bits, code numbers, escapes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from temper.kernels.codecs.codec import Codec, attempt, bytes_of, plain, text_of

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_LONGEST = 4_096
"""Digits of a positional base: large numbers take quadratic time."""


def _padded(text: str, block: int) -> str:
    """Without white space, and with the padding that people leave out."""
    bare = re.sub(r"\s+", "", text).rstrip("=")
    return bare + "=" * (-len(bare) % block)


def _of_bytes(encode: Callable[[bytes], bytes]) -> Callable[[str], str]:
    return lambda text: encode(bytes_of(text)).decode("ascii")


def _positional(text: str, alphabet: str) -> str:
    """The bytes as one number, after a leading one that keeps zero bytes."""
    number, digits = int.from_bytes(b"\1" + bytes_of(text), "big"), []
    while number:
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))


def _from_positional(text: str, alphabet: str) -> bytes:
    """With the leading one or without it, as other writers leave it out."""
    if len(text) > _LONGEST:
        raise ValueError("too long")
    number = 0
    for sign in text:
        number = number * len(alphabet) + alphabet.index(sign)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return raw[1:] if raw[:1] == b"\1" else raw


def _base45(text: str) -> str:
    raw, found = bytes_of(text), ""
    for at in range(0, len(raw), 2):
        number, many = int.from_bytes(raw[at : at + 2], "big"), 3 if at + 1 < len(raw) else 2
        for _ in range(many):
            number, digit = divmod(number, 45)
            found += _BASE45[digit]
    return found


def _from_base45(text: str) -> bytes:
    raw = b""
    for at in range(0, len(text), 3):
        digits = [_BASE45.index(sign) for sign in text[at : at + 3]]
        raw += sum(digit * 45**power for power, digit in enumerate(digits)).to_bytes(len(digits) - 1, "big")
    return raw


def _grouped(form: str, apart: str = " ") -> Callable[[str], str]:
    return lambda text: apart.join(format(byte, form) for byte in bytes_of(text))


def _from_groups(text: str, base: int, width: int = 0) -> bytes:
    """Code numbers apart, or, where they all have one width, run together."""
    groups = re.findall(r"[0-9a-fA-F]+", text)
    if width and len(groups) == 1:
        groups = [groups[0][at : at + width] for at in range(0, len(groups[0]), width)]
    return bytes(int(group, base) for group in groups)


def _uuencoded(text: str) -> str:
    raw = bytes_of(text)
    return "".join(binascii.b2a_uu(raw[at : at + 45]).decode("ascii") for at in range(0, len(raw), 45))


def _from_uuencoded(text: str) -> bytes:
    return b"".join(binascii.a2b_uu(line) for line in text.splitlines() if line)


def _escaped(text: str, form: str) -> str:
    return "".join(form.format(ord(sign)) for sign in text)


def _from_escapes(text: str) -> str:
    found = re.sub(r"\\u\{?([0-9a-fA-F]{4,6})\}?|\\U([0-9a-fA-F]{8})", lambda m: chr(int(m[1] or m[2], 16)), text)
    if found == text:
        raise ValueError("no escape")
    return found.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # pairs of halves become one


def _from_bytes_escaped(text: str) -> bytes:
    return bytes(int(group, 16) for group in re.findall(r"\\x([0-9a-fA-F]{2})", text))


def _code(name: str, encode: Callable[[str], str], decode: Callable[[str], str | bytes]) -> Codec:
    return Codec(name=name, encode=plain(encode), decode=attempt(decode), within=True)


CODECS = (
    _code("base16", _of_bytes(base64.b16encode), lambda text: base64.b16decode("".join(text.split()), casefold=True)),
    _code("base32", _of_bytes(base64.b32encode), lambda text: base64.b32decode(_padded(text, 8), casefold=True)),
    _code(
        "base32hex", _of_bytes(base64.b32hexencode), lambda text: base64.b32hexdecode(_padded(text, 8), casefold=True)
    ),
    _code("base36", lambda text: _positional(text, _BASE36), lambda text: _from_positional(text.lower(), _BASE36)),
    _code("base45", _base45, _from_base45),
    _code("base58", lambda text: _positional(text, _BASE58), lambda text: _from_positional(text, _BASE58)),
    _code("base62", lambda text: _positional(text, _BASE62), lambda text: _from_positional(text, _BASE62)),
    _code("base64", _of_bytes(base64.b64encode), lambda text: base64.b64decode(_padded(text, 4), validate=True)),
    _code(
        "base64url",
        _of_bytes(base64.urlsafe_b64encode),
        lambda text: base64.b64decode(_padded(text, 4), altchars=b"-_", validate=True),
    ),
    _code("base85", _of_bytes(base64.b85encode), base64.b85decode),
    _code("ascii85", _of_bytes(base64.a85encode), base64.a85decode),
    _code("uuencode", _uuencoded, _from_uuencoded),
    _code("binary", _grouped("08b"), lambda text: _from_groups(text, 2, 8)),
    _code("octal", _grouped("03o"), lambda text: _from_groups(text, 8, 3)),
    _code("decimal", _grouped("d"), lambda text: _from_groups(text, 10)),
    _code("hex_pairs", _grouped("02x"), lambda text: _from_groups(text, 16, 2)),
    _code("hex_escape", lambda text: "".join(f"\\x{byte:02x}" for byte in bytes_of(text)), _from_bytes_escaped),
    _code("unicode_escape", lambda text: _escaped(text, "\\u{{{:04x}}}"), _from_escapes),
    _code("rotated_bytes", lambda text: bytes(255 - b for b in bytes_of(text)).hex(),
          lambda text: text_of(bytes(255 - b for b in bytes.fromhex(text)))),
)  # fmt: skip
