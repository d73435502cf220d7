"""What there is to back up of the system in a temper.yaml."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from temper.config.document import Section
from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.core.count import counted
from temper.store.backup.make import Sources, make
from temper.store.backup.manifest import Manifest
from temper.store.backup.restore import Restored
from temper.store.database import Store, home

SIGNING = "ledger.key"
PEPPER = "pepper"
DATA = ("test", "train", "accepted", "history")


def sources(config: Path, *, data: bool = False) -> Sources:
    """The files a gateway of this temper.yaml needs and writes; with `data` its tables too."""
    base, document = config.absolute().parent, read(config)
    serving = serving_of(document, base)
    audit, control = Path(serving.audit), None if "://" in serving.control else _file(Path(serving.control))
    if control is not None and not (control.exists() or audit.exists()):
        control = None  # nothing was ever served, and nobody did anything
    deployed = [found] if (found := audit.parent / "models").exists() else []
    named = [config.absolute(), Path(serving.profile), audit / "ledger.pub", *deployed, *_models(document, serving)]
    runs = home(base) / ".temper" / "temper.db"
    secrets = [audit / SIGNING, *([] if control is None else [control.parent / PEPPER])]
    tables = [base / document.section("data").text(name) for name in DATA if document.section("data").has(name)]
    return Sources(
        config=config,
        control=control,
        audit=audit,
        checkpoints=Path(serving.checkpoints) if serving.checkpoints else None,
        store=runs if runs.exists() else None,
        files=tuple(base / one for one in (*named, *(tables if data else ()))),
        secrets=(*secrets, *([Store(runs).evidence.secret] if runs.exists() else [])),
    )


def backup(config: Path, to: Path, version: str, *, secrets: bool, data: bool) -> Iterator[str]:
    """Make a backup in the folder `to`, by this version of Temper; what to know of it, in a few lines."""
    found = sources(config, data=data)
    target, manifest = make(found, to, time.time(), version, secrets=secrets)
    yield f"{target}"
    yield from _contents(manifest)
    yield f"SHA-256 of its manifest: {manifest.digest} (keep it elsewhere: it vouches for every file)"
    if absent := [str(one) for one in found.files if not one.exists()]:
        yield f"not there, and so not in it: {', '.join(absent)}"
    if not manifest.control:
        yield "without a control store: there is none, or it is PostgreSQL's, which has tools of its own (pg_dump)"
    if not data:
        yield "without the tables that `data:` names; --data copies them too"
    yield from _about_secrets(found, manifest)


def told(restored: Restored, seconds: float) -> Iterator[str]:
    """What was restored, in a few lines."""
    yield f"{restored.backup} is in {restored.to} after {seconds:.1f} s"
    yield from _contents(restored.manifest)
    yield from (f"fault: {one}" for one in restored.faults)
    signed = sum(one.signed for one in restored.ledger)
    if restored.manifest.store and not restored.faults:
        yield "the runs, and what people did, are what the ledger of evidence was told"
    if restored.ledger and not restored.faults:
        yield f"the ledger follows from record to record; {signed:,} records are under signed checkpoints"


def left_to_do(restored: Restored, *, apart: bool = False) -> Iterator[str]:
    """What somebody has to do before a gateway starts on it; one set `apart` has its absolute paths seen to."""
    if restored.outside and not apart:
        yield f"temper.yaml names absolute paths: move what is in {restored.to / 'elsewhere'} to where it points"
    if not restored.manifest.secrets:
        manifest = restored.manifest
        if manifest.logs:
            yield f"before you serve, put {SIGNING} into {restored.place(manifest.audit)}"
        if manifest.store:
            folder = Store(restored.place(manifest.store)).evidence.folder
            yield f"before you assess, put the {SIGNING} of the evidence into {folder}"
        if manifest.control:
            yield f"and {PEPPER} into {restored.place(manifest.control).parent}"


def _contents(manifest: Manifest) -> Iterator[str]:
    size = sum(one.size for one in manifest.files.values())
    records = sum(manifest.logs.values())
    yield f"{counted(len(manifest.files), 'file')}, {size / 1e6:,.1f} MB, {counted(records, 'record')} of the ledger"
    if manifest.rows:
        yield "control store: " + ", ".join(f"{manifest.rows[table]:,} {word}" for table, word in WORDS.items())
    if manifest.store:
        yield f"run store: {counted(manifest.runs, 'run')}, with the arrays of findings and the ledger of evidence"


WORDS = {
    "audit": "audit rows",
    "person": "people",
    "access_key": "keys",
    "review": "cases",
    "decision": "decisions on them",
    "record": "records",
    "policy": "policies",
}
"""What people call the tables of a control store."""


def _about_secrets(found: Sources, manifest: Manifest) -> Iterator[str]:
    names = ", ".join(str(one) for one in found.secrets)
    if manifest.secrets:
        yield f"it holds secrets ({names}): whoever reads it can sign as this ledger and try keys; encrypt it"
    else:
        yield f"without the secrets ({names}): keep copies of them apart, or no key works and nothing sealed is read"


def _models(document: Section, serving: Serving) -> list[Path]:
    """The model, what it is signed with, and the challenger that may answer for it."""
    model = document.section("model")
    found = [Path(model.text(name)) for name in ("path", "manifest", "public_key") if model.has(name)]
    fallback: Mapping[str, Any] = next((options for name, _, options in serving.stages if name == "fallback"), {})
    given = fallback.get("challenger")
    path = given.get("path") if isinstance(given, Mapping) else given
    return [*found, *([Path(str(path))] if path else [])]


def _file(place: Path) -> Path:
    return place / "control.db" if place.is_dir() else place
