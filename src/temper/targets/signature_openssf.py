"""Signatures that other tools can read: OpenSSF model-signing with a local EC key, offline (the extra `signing`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.errors import TemperError

ENDING = ".sig"


def sign_openssf(path: str | Path, key: str | Path) -> Path:
    """Sign a model file or folder with an EC private key (PEM, P-256 or larger); the path of the DSSE bundle."""
    path = Path(path)
    signature = path.parent / f"{path.name}{ENDING}"
    _asked("signing", "use_elliptic_key_signer", private_key=Path(key)).sign(path, signature)
    return signature


def verify_openssf(path: str | Path, signature: str | Path, public_key: str | Path) -> None:
    """Nothing, where every file is as it was signed by this key; else a `TemperError`.

    Files the signer left out of the bundle are refused, as with Temper's own manifest.
    """
    checked = _asked("verifying", "use_elliptic_key_verifier", public_key=Path(public_key))
    try:
        checked.verify(Path(path), Path(signature))
    except Exception as fault:  # the library, its bundle and its crypto each have errors of their own
        raise TemperError(
            f"{path} is not what {signature} speaks of, or another key signed it ({fault})",
            fix="do not load it; ask who signed it",
        ) from fault


def _asked(what: str, how: str, **key: Any) -> Any:
    try:
        from model_signing import signing, verifying
    except ImportError:
        raise TemperError(
            "OpenSSF signatures take model-signing, which is not installed", fix="pip install 'temper-ml[signing]'"
        ) from None
    for path in key.values():
        if not path.is_file():
            raise TemperError(f"the key {path} does not exist", fix="openssl ecparam -name prime256v1 -genkey -noout")
    return getattr({"signing": signing, "verifying": verifying}[what].Config(), how)(**key)
