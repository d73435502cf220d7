"""Words that nobody can guess and that need not be remembered: they follow from a secret."""

from __future__ import annotations

import hashlib
import hmac

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
LONG = 14


def word(secret: bytes, purpose: bytes, about: bytes = b"") -> str:
    """A word of consonants for this purpose: no ordinary word, and no digit that another writing could change into a
    letter.

    >>> word(b"key", b"canary") == word(b"key", b"canary"), word(b"key", b"canary") == word(b"key", b"nonce")
    (True, False)
    """
    number = int.from_bytes(hmac.digest(secret, purpose + b"\0" + hashlib.sha256(about).digest(), "sha256"), "big")
    return "".join(_CONSONANTS[number // 20**at % 20] for at in range(LONG))
