"""Keys: those of clients, kept as hashes and compared in constant time, and the one that signs a ledger."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """`hashes` maps a client's name to the SHA-256 of its key; the key itself is kept nowhere. Keys are long random
    words, which need no slow hash.

    >>> keys = Keys.of({"shop": "a-long-random-key"})
    >>> keys.client("Bearer a-long-random-key"), keys.client("Bearer other"), "random" in repr(keys)
    ('shop', '', False)
    """

    hashes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> Keys:
        """From the keys themselves."""
        return cls(hashes={name: _hash(key) for name, key in keys.items()})

    def client(self, authorization: str) -> str:
        """The name of the client with this header, "" for nobody. Every key is compared, whichever fits."""
        kind, _, key = authorization.partition(" ")
        given, found = _hash(key.strip()), ""
        for name, known in self.hashes.items():
            if hmac.compare_digest(given, known) and kind.lower() == "bearer":
                found = name
        return found


def key_in(folder: Path) -> bytes:
    """The key that signs the ledger in this folder, drawn when the first gateway starts there."""
    from temper.store.ledger import checkpoint
    from temper.targets.signature import new_key

    stem = folder / "ledger"
    private = stem.with_suffix(".key")
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True)
        private, _ = new_key(stem)
    return checkpoint.private_key(private)


def loopback(host: str) -> bool:
    """Whether only this machine is meant."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
