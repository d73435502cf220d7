"""The audit bundle of a system: its evidence, held against itself first, with policies and reports beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from temper.config.policy import policy_at, policy_text
from temper.core.count import counted
from temper.core.errors import StoreError
from temper.engine.case import known_of
from temper.report import render
from temper.report.assurance import document, page
from temper.store.codec import to_json
from temper.store.control import Control
from temper.store.database import Store
from temper.store.evidence.bundle import MANIFEST, bundle, vouched, zipped
from temper.store.evidence.following import follow
from temper.store.evidence.held import hold
from temper.store.failure import told
from temper.store.ledger.checkpoint import private_key
from temper.threats.case import case

_REPORTS = {"report.html": "html", "report.json": "json", "card.md": "card", "mlbom.json": "mlbom"}


def export(config: Path, store: Store, control: Control, out: Path, key: Path | None, now: float) -> Iterator[str]:
    """Write the bundle; what is in it and how it is verified, in lines. Evidence that was changed is not exported."""
    store.evidence.refuse()
    follow(store.evidence, control, int(now * 1e9))
    held = hold(store, control)
    if not held.holds:
        raise StoreError(f"the evidence does not hold: {held.faults[0]}", fix="run `temper ledger verify`")
    files = bundle(store, control, _beside(config, store, control))
    with told(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(zipped(files))
    counts = f"{counted(len(files), 'file')}, {counted(held.runs, 'run')}, {counted(held.changes, 'change')}"
    yield f"wrote {out}: {counts} by people"
    yield f"SHA-256 of its manifest: {sha256(files[MANIFEST]).hexdigest()} (hand it over another way than the file)"
    if key is not None:
        beside = out.with_name(f"{out.name}.sig.json")
        beside.write_text(vouched(files, private_key(key)) + "\n", encoding="ascii")
        yield f"wrote {beside}: the same, signed (DSSE)"
    yield "the auditor unpacks it and runs: python -I -S verify.py"


def _beside(config: Path, store: Store, control: Control) -> dict[str, bytes]:
    """Policies as they are in force, those that were proposed for gateways, reports of the newest run, and its
    assurance case as it stood when the ledger was told something last.
    """
    proposals = [asdict(one) for one in reversed(control.policies.page(limit=1_000_000))]
    record = store.run()
    last = store.evidence.records()[-1][1].wall / 1e9
    found = case(replace(known_of(record, store, control, last), needs=max(policy_at(config).approvals, 1)))
    return {
        "temper.yaml": config.read_bytes(),
        "policies/requirements.yaml": policy_text(config).encode(),
        "policies/gateway.json": to_json(proposals).encode(),
        "case.html": page(found).encode(),
        "case.json": document(found).encode(),
        **{f"reports/{name}": render(record, form).encode() for name, form in _REPORTS.items()},
    }
