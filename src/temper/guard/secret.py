"""Words that nobody can guess and that need not be remembered: they follow from a secret."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

from temper.core.errors import ConfigError

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
LONG = 14
_LEAST = 32
_MOST = 65_536


def word(secret: bytes, purpose: bytes, about: bytes = b"") -> str:
    """A word of consonants for this purpose: no ordinary word, and no digit that another writing could change into a
    letter.

    >>> word(b"key", b"canary") == word(b"key", b"canary"), word(b"key", b"canary") == word(b"key", b"nonce")
    (True, False)
    """
    number = int.from_bytes(hmac.digest(secret, purpose + b"\0" + hashlib.sha256(about).digest(), "sha256"), "big")
    return "".join(_CONSONANTS[number // 20**at % 20] for at in range(LONG))


def key_from(path: Path) -> bytes:
    """The key in this file. Raises `ConfigError` where others may read it, or where it is short.

    Modes are looked at where there are any (not on Windows).
    """
    made = f"head -c 48 /dev/urandom | base64 > {path} && chmod 600 {path}"
    try:
        with path.open("rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(_MOST).rstrip(b"\r\n")
    except OSError as error:
        raise ConfigError(f"the guard's key cannot be read: {error}", fix=made) from error
    if os.name == "posix" and mode & 0o077:
        words = f"{path} has mode {stat.S_IMODE(mode):04o}: others may read the guard's key"
        raise ConfigError(words, fix=f"chmod 600 {path}, and draw a new key where others have read it")
    if len(key) < _LEAST:
        raise ConfigError(f"{path} holds {len(key)} bytes, a key has at least {_LEAST}", fix=made)
    return key
