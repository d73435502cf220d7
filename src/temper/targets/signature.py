"""Manifests signed offline with Ed25519, and files held against them before anything is loaded."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from temper.core.errors import TemperError
from temper.core.manifest import Entry, Manifest, parsed

ENDING = ".manifest.json"
_CHUNK = 1 << 20
_UNTIL = "Valid-Until:"
_PURPOSE = b"temper manifest\n"  # a signature made for something else is none here


def new_key(stem: Path, until: date | None = None) -> tuple[Path, Path]:
    """A key pair: `stem`.key, readable by its owner alone, and `stem`.pub, which may say until when it is valid."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, secret, public = Ed25519PrivateKey.generate(), stem.with_suffix(".key"), stem.with_suffix(".pub")
    for path in (secret, public):
        if path.exists():
            raise TemperError(f"{path} exists, and a key is never written over", fix="choose another name")
    stem.parent.mkdir(parents=True, exist_ok=True)
    content = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    head = f"{_UNTIL} {until.isoformat()}\n".encode() if until else b""
    public.write_bytes(head + key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    return secret, public


def sign(path: str | Path, key: str | Path) -> Path:
    """Write a signed manifest of a file (beside it) or of a whole folder (in it); the path of the manifest."""
    path = Path(path)
    if not path.exists():
        raise TemperError(f"there is no {path} to sign", fix="give a model file or a folder")
    folder = path if path.is_dir() else path.parent
    target = folder / (f"temper{ENDING}" if path.is_dir() else f"{path.name}{ENDING}")
    names = _below(folder, target) if path.is_dir() else [path.name]
    manifest = Manifest(files=_entries(folder, names), whole=path.is_dir())
    signature = _private(Path(key)).sign(_PURPOSE + manifest.canonical())
    document = {"manifest": json.loads(manifest.canonical()), "signature": base64.b64encode(signature).decode()}
    target.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return target


def verify(manifest: str | Path, public_key: str | Path, today: date) -> Manifest:
    """The manifest, once its signature is that of this key and every file is as it says; else a `TemperError`.

    A key that is no longer valid signs nothing: its public file says until when. What is loaded later than it was
    verified can have been changed in between.
    """
    path, public = Path(manifest), Path(public_key)
    document = _read(path)
    key, until = _public(public)
    if until is not None and today > until:
        raise TemperError(
            f"the key {public} was valid until {until.isoformat()}", fix="sign again with a key that is valid"
        )
    found = parsed(document.get("manifest"))
    if not _signed(key, document.get("signature"), found):
        raise TemperError(
            f"{path} is not signed by the key {public}, or was changed afterwards",
            fix="ask who signed it, and use that key",
        )
    there = _below(path.parent, path) if found.whole else [n for n in found.files if (path.parent / n).is_file()]
    if faults := found.faults(_entries(path.parent, there)):
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise TemperError(
            f"{path}: {'; '.join(faults[:3])}{more}",
            fix="do not load it; fetch the delivery again, or sign what is new",
        )
    return found


def _below(folder: Path, but: Path) -> list[str]:
    """Every file below a folder, links to folders included as one entry, without the manifest itself."""
    paths = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.resolve() != but.resolve())


def _entries(folder: Path, names: Iterable[str]) -> dict[str, Entry]:
    return {name: _entry(folder / name) for name in names}


def _entry(path: Path) -> Entry:
    if path.is_symlink():
        raise TemperError(f"{path} is a link, and what it points at can be exchanged", fix="put the file itself there")
    total, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            total.update(piece)
            size += len(piece)
    return Entry(sha256=total.hexdigest(), size=size)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise TemperError(f"the manifest {path} does not exist", fix="write it with `temper sign`") from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TemperError(f"{path} is no manifest of Temper", fix="write it with `temper sign`")
    return document


def _signed(key: Any, signature: Any, manifest: Manifest) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature, validate=True), _PURPOSE + manifest.canonical())
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _private(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return _loaded(path, lambda raw: load_pem_private_key(raw, password=None), Ed25519PrivateKey, "private")


def _public(path: Path) -> tuple[Any, date | None]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _loaded(path, load_pem_public_key, Ed25519PublicKey, "public")
    said = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(_UNTIL)]
    try:
        return key, date.fromisoformat(said[0].removeprefix(_UNTIL).strip()) if said else None
    except ValueError:
        raise TemperError(f"{path} says {said[0]!r}", fix=f"write it as `{_UNTIL} 2027-01-31`") from None


def _loaded(path: Path, load: Any, kind: type[Any], what: str) -> Any:
    """An Ed25519 key from PEM; text in front of it is left out."""
    if not path.is_file():
        raise TemperError(f"the key {path} does not exist", fix="make a pair with `temper sign --new-key NAME`")
    raw = path.read_bytes()
    try:
        key = load(raw[max(raw.find(b"-----BEGIN"), 0) :])
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, kind):
        raise TemperError(f"{path} is no {what} Ed25519 key", fix="make a pair with `temper sign --new-key NAME`")
    return key
