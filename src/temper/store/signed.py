"""Statements that somebody signed, as DSSE envelopes with an Ed25519 key: in-toto's form, read by other tools too.

Source: DSSE 1.0 (Dead Simple Signing Envelope), protocol and envelope.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from temper.store.codec import to_json


def sealed(statement: Mapping[str, Any], kind: str, key: bytes) -> str:
    """The envelope of a statement, signed with this Ed25519 key of 32 bytes; the same bytes for the same statement.

    >>> envelope = sealed({"run": "0001"}, "application/x", bytes(32))
    >>> opened(envelope, "application/x", public_of(bytes(32)))
    {'run': '0001'}
    >>> opened(envelope, "application/y", public_of(bytes(32))) is None
    True
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    payload = to_json(dict(statement)).encode()
    signature = Ed25519PrivateKey.from_private_bytes(key).sign(encoded(kind, payload))
    name = sha256(bytes.fromhex(public_of(key))).hexdigest()
    return _envelope(payload, kind, {"keyid": name, "sig": _text(signature)})


def unsealed(statement: Mapping[str, Any], kind: str) -> str:
    """The envelope of a statement that nobody signed: `opened` gives it for no key."""
    return _envelope(to_json(dict(statement)).encode(), kind)


def said(envelope: str, kind: str) -> dict[str, Any] | None:
    """The statement in an envelope of this type that carries no signature; None where it carries one.

    >>> said(unsealed({"run": "0001"}, "application/x"), "application/x")
    {'run': '0001'}
    >>> said(sealed({"run": "0001"}, "application/x", bytes(32)), "application/x") is None
    True
    """
    try:
        plain = json.loads(envelope)
        if plain["payloadType"] != kind or plain["signatures"] != []:
            return None
        found = json.loads(base64.b64decode(plain["payload"], validate=True))
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, dict) else None


def opened(envelope: str, kind: str, key: str) -> dict[str, Any] | None:
    """The statement in an envelope of this type, None where this public key (hexadecimal) has not signed it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        plain = json.loads(envelope)
        payload = base64.b64decode(plain["payload"], validate=True)
        signature = base64.b64decode(plain["signatures"][0]["sig"], validate=True)
        if plain["payloadType"] != kind:
            return None
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, encoded(kind, payload))
        found = json.loads(payload)
    except (InvalidSignature, ValueError, TypeError, KeyError, IndexError):
        return None
    return found if isinstance(found, dict) else None


def encoded(kind: str, payload: bytes) -> bytes:
    """What is signed (PAE of DSSE): no type can pass for another, and no length for a payload."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def public_of(key: bytes) -> str:
    """The public key, in hexadecimal, of an Ed25519 key of 32 bytes."""
    from temper.store.ledger.checkpoint import public

    return public(key).hex()


def _envelope(payload: bytes, kind: str, *signatures: Mapping[str, str]) -> str:
    return to_json({"payload": _text(payload), "payloadType": kind, "signatures": [dict(one) for one in signatures]})


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
