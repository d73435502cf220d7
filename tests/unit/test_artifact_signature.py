"""A signed delivery: every way to tamper with it is one clear sentence, and the model is not opened."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.core.manifest import Entry, Manifest, parsed
from temper.targets.signature import new_key, sign, verify

TODAY = date(2026, 5, 1)


@pytest.fixture
def delivery(tmp_path: Path) -> tuple[Path, Path]:
    """A signed folder, and the public key."""
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"net" * 100)
    (folder / "part" / "weights.bin").write_bytes(bytes(range(256)))
    secret, public = new_key(tmp_path / "keys" / "signer")
    assert sign(folder, secret) == folder / "temper.manifest.json"
    return folder, public


def told(folder: Path, public: Path) -> str:
    with pytest.raises(TemperError) as error:
        verify(folder / "temper.manifest.json", public, TODAY)
    assert error.value.fix
    return error.value.message


def test_what_was_signed_is_verified(delivery: tuple[Path, Path]) -> None:
    folder, public = delivery
    found = verify(folder / "temper.manifest.json", public, TODAY)
    assert (sorted(found.files), found.whole) == (["model.onnx", "part/weights.bin"], True)
    assert os.stat(public.with_suffix(".key")).st_mode & 0o077 == 0


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (lambda folder: flip(folder / "part" / "weights.bin"), "part/weights.bin has been changed"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda folder: (folder / "extra.pkl").write_bytes(b"x"), "extra.pkl is not in the manifest"),
        (lambda folder: (folder / "link").symlink_to("/etc/hostname"), "is a link"),
        (lambda folder: (folder / "temper.manifest.json").write_text("{}"), "no manifest of Temper"),
        (lambda folder: (folder / "temper.manifest.json").write_text("[" * 9999), "no manifest of Temper"),
        (lambda folder: (folder / "temper.manifest.json").unlink(), "does not exist"),
    ],
)
def test_tampering_is_one_sentence(delivery: tuple[Path, Path], tamper: Any, words: str) -> None:
    tamper(delivery[0])
    assert words in told(*delivery)


def test_a_digest_changed_with_the_file_breaks_the_signature(delivery: tuple[Path, Path]) -> None:
    folder, public = delivery
    manifest = folder / "temper.manifest.json"
    manifest.write_text(manifest.read_text().replace('"size": 300', '"size": 301'))
    assert "was changed afterwards" in told(folder, public)


def test_another_key_and_a_key_that_has_ended(delivery: tuple[Path, Path], tmp_path: Path) -> None:
    folder, public = delivery
    assert "not signed by the key" in told(folder, new_key(tmp_path / "other")[1])
    secret, short = new_key(tmp_path / "short", until=date(2026, 4, 30))
    sign(folder, secret)
    assert "was valid until 2026-04-30" in told(folder, short)
    assert verify(folder / "temper.manifest.json", short, date(2026, 4, 30)).whole
    public.write_text("no key")
    assert "is no public Ed25519 key" in told(folder, public)
    with pytest.raises(TemperError, match="never written over"):
        new_key(tmp_path / "short")


paths = st.text(st.characters(exclude_characters='\\:/"', exclude_categories=["C"]), min_size=1).filter(
    lambda p: p != ".."
)
entries = st.builds(Entry, sha256=st.text("0123456789abcdef", min_size=64, max_size=64), size=st.integers(0, 1 << 50))
manifests = st.builds(Manifest, files=st.dictionaries(paths, entries, max_size=4), whole=st.booleans())


@given(manifests)
def test_a_manifest_comes_back_equal_and_in_one_form(manifest: Manifest) -> None:
    import json

    back = parsed(json.loads(manifest.canonical()))
    assert back == manifest
    turned = Manifest(files=dict(reversed(manifest.files.items())), whole=manifest.whole)
    assert turned.canonical() == manifest.canonical()
    assert manifest.faults(manifest.files) == ()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../b", "C:/x", "a\\..\\b"])
def test_a_manifest_names_nothing_outside_its_folder(path: str) -> None:
    document = {"format": "temper-manifest-1", "files": {path: {"sha256": "", "size": 0}}, "whole": True}
    with pytest.raises(TemperError, match="outside its folder"):
        parsed(document)


@pytest.mark.filterwarnings("ignore")
def test_openssf_signatures_are_made_and_checked_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("model_signing")
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    from temper.targets.signature_openssf import sign_openssf, verify_openssf

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"net" * 100)
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        plain = (s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        (tmp_path / f"{name}.key").write_bytes(key.private_bytes(*plain))
        public = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{name}.pub").write_bytes(public)
    signature = sign_openssf(folder, tmp_path / "ours.key")
    verify_openssf(folder, signature, tmp_path / "ours.pub")
    with pytest.raises(TemperError, match="another key signed it"):
        verify_openssf(folder, signature, tmp_path / "theirs.pub")
    (folder / "extra.pkl").write_bytes(b"x")
    with pytest.raises(TemperError, match="is not what"):
        verify_openssf(folder, signature, tmp_path / "ours.pub")
    (folder / "extra.pkl").unlink()
    flip(folder / "model.onnx")
    with pytest.raises(TemperError, match="is not what"):
        verify_openssf(folder, signature, tmp_path / "ours.pub")
