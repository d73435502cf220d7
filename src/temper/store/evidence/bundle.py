"""One file for an auditor: ledger, runs, what people did, keys, policies, reports, and what verifies them by itself.

The same evidence is the same bytes: files in order of their names, with one date, not compressed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import Any

from temper.core.errors import TemperError
from temper.store.codec import to_json
from temper.store.control import Control
from temper.store.control.audit import Entry
from temper.store.database import Store
from temper.store.evidence.following import governed
from temper.store.ledger import checkpoint as notes
from temper.store.signed import sealed

FORMAT = "temper.bundle/1"
MANIFEST = "MANIFEST.json"
TYPE = "application/vnd.temper.bundle+json"
"""The type of what whoever exports it signs: its manifest."""
_DATE = (1980, 1, 1, 0, 0, 0)
READ_ME = """An audit bundle of Temper.

    python -I -S verify.py          (Python 3.11 or newer; nothing else is needed, and no network)

Compare the SHA-256 it prints first with the one you were told another way, and ask whose keys are in MANIFEST.json.

ledger/records     records of the ledger, each after its length in four bytes; msgpack, chained by SHA-256 (RFC 9162)
ledger/checkpoint  size and root, signed by ledger/key (C2SP tlog-checkpoint, Ed25519)
runs/              every run as it is stored: measurements, verdict, findings
changes.json       what people did: approvals, incidents, policies, deployments, rows of a hash chain
approvals.json     what approvers signed (DSSE, Ed25519), with what became of it
temper.yaml        as it is now; each run names the SHA-256 of the one it was made by
policies/          policies as they are in force, and those proposed for gateways
reports/           the newest run as people and machines read it
case.html .json    why the system may be relied on by that run, and what speaks against it
"""


def bundle(store: Store, control: Control | None, more: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files by their names, `more` among them, and last the manifest over all of them."""
    evidence = store.evidence
    head = evidence.head()
    lines = [data for data, _ in evidence.records()]
    if head is None or head.size != len(lines):
        raise TemperError("the end of the ledger is not under a checkpoint", fix="run `temper ledger verify`")
    key = notes.public_key(evidence.public)
    files = {
        "README.txt": READ_ME.encode(),
        "verify.py": (resources.files("temper.store.evidence") / "verifier.py").read_bytes(),
        "ledger/records": b"".join(len(line).to_bytes(4, "big") + line for line in lines),
        "ledger/checkpoint": notes.last_note(evidence.checkpoints, key).encode(),
        "ledger/key": f"{key.hex()}\n".encode(),
        **{f"runs/{run}.json": text.encode() for run, text in store.documents()},
        **{f"{name}.json": to_json(rows).encode() for name, rows in _people(control).items()},
        **more,
    }
    keys = {} if control is None else {one.key: one.person for one in control.signers.all()}
    listed = {name: sha256(data).hexdigest() for name, data in files.items()}
    return files | {MANIFEST: to_json({"format": FORMAT, "files": listed, "keys": keys}).encode()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The bundle as one file.

    >>> zipped({"b": b"1", "a": b"2"}) == zipped({"a": b"2", "b": b"1"})
    True
    """
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return whole.getvalue()


def vouched(files: Mapping[str, bytes], key: bytes) -> str:
    """The manifest's digest, signed by whoever exports the bundle: what is handed over another way than the bundle."""
    return sealed({"format": FORMAT, "manifest": sha256(files[MANIFEST]).hexdigest()}, TYPE, key)


def _people(control: Control | None) -> dict[str, list[dict[str, Any]]]:
    if control is None:
        return {"changes": [], "approvals": []}
    return {
        "changes": [_row(one) for one in governed(control)],
        "approvals": [
            {"run": one.about.run, "state": one.state, "person": vote.person, "envelope": vote.envelope}
            for one in reversed(control.approvals.page(limit=1_000_000))
            for vote in one.votes
            if vote.decision == "approve"
        ],
    }


def _row(one: Entry) -> dict[str, Any]:
    """A row of the audit as its digest is of it."""
    plain = {name: getattr(one, name) for name in ("seq", "at", "who", "action", "subject", "previous")}
    return plain | {"detail": to_json(one.detail)}
