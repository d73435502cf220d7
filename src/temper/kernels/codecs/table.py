"""Every codec by name."""

from __future__ import annotations

from temper.core.errors import TemperError
from temper.kernels.codecs import alphabets, bases, ciphers, hidden, markup, spelling
from temper.kernels.codecs.codec import Codec

TABLE: dict[str, Codec] = {
    codec.name: codec for part in (bases, ciphers, alphabets, hidden, markup, spelling) for codec in part.CODECS
}


def codec(name: str) -> Codec:
    """The codec of this name; `TemperError` names the nearest where there is none."""
    if name not in TABLE:
        import difflib

        near = difflib.get_close_matches(name, TABLE, n=1)
        raise TemperError(f"there is no codec {name!r}", fix=f"did you mean {near[0]!r}?" if near else "see the list")
    return TABLE[name]
