"""Promises of policies, approvals, evidence and descriptions that do not hold."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import temper
from bench.planted import _system
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._commands import run
from temper.core.requirement import Verdict
from temper.core.review import Role
from temper.store.control import Control
from temper.store.database import Store
from temper.targets.signature import new_key
from temper.testing.records import record

_PASSWORD = "a sentence to remember"


def waiver(setting: Setting) -> Sequence[str]:
    """A breach that somebody accepted until last spring, or for ten years: the verdict of the whole."""
    until = "2020-05-01" if setting.weak else "2099-05-01"
    policy = setting.folder / "policy.yaml"
    policy.write_text(
        "name: ours\nrequirements:\n  - id: ranks-well\n    metric: performance.auc\n    at_least: 0.99\n"
        f"    reason: it has to\n    waiver: {{by: Ada, reason: replaced soon, until: {until}}}\n",
        encoding="utf-8",
    )
    protected = tables.system(setting, lambda x: 0.003 * (x[:, 0] - 600), policy=policy)
    found = temper.assess(protected, "quick", ("validation.performance",), setting.seed, "serial", store=setting.folder)
    return [f"FAIL: {one.explanation}" for one in found.record.judgements if one.verdict is Verdict.FAIL]


def policy(text: str, sound: str, setting: Setting) -> Sequence[str]:
    """A policy that cannot be meant, or can."""
    words = "name: ours\nrequirements:\n" + (text if setting.weak else sound)
    _system.written(setting.folder, "policy: ours.yaml\n")
    (setting.folder / "ours.yaml").write_text(words, encoding="utf-8")
    code, said = run("threats", at=setting.folder)
    return [said] if code == 2 else []


def described(text: str, sound: str, setting: Setting) -> Sequence[str]:
    """A description that contradicts itself, or does not."""
    _system.written(setting.folder, text if setting.weak else sound)
    code, said = run("threats", at=setting.folder)
    return [said] if code == 2 else []


def undocumented(setting: Setting) -> Sequence[str]:
    """Nobody has written who answers for it and where it must not be used, or somebody has."""
    more = (
        "policy: default\ndocumentation: {owner: risk office, provenance: cards, limits: no credit, oversight: Ada}\n"
    )
    path = _system.written(setting.folder, "" if setting.weak else more)
    return tables.told(setting, temper.load(path), ("validation.documentation",), "documentation")


def stale(setting: Setting) -> Sequence[str]:
    """A model that was put in place of the one that the description was written for, or the same one still."""
    path = _system.written(setting.folder)
    run("assess", "--suite", "quick", "--only", "validation.performance", "--engine", "serial", at=setting.folder)
    if setting.weak:
        (setting.folder / "model.json").write_bytes(_another(setting.folder))
    _, said = run("threats", at=path.parent)
    return [line for line in said.splitlines() if "older" in line or "as it was in run" in line]


def _another(folder: Path) -> bytes:
    import xgboost

    x = _system.rows(2_000, 9)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(x, x[:, 0] > 300), 5)
    return bytes(booster.save_raw("json"))


def approval(setting: Setting) -> Sequence[str]:
    """The author of a run approves it, or somebody else does."""
    _approvable(setting)
    who = "pat"
    made = "pat" if setting.weak else "cyd"
    store = Store.open(setting.folder)
    store.save_run(replace(record("a run"), id="0001", author=made, verdict=Verdict.PASS, state="finished"))
    run("approvals", "ask", "last", "--as", "bob", "--reason", "for spring", at=setting.folder, typed=f"{_PASSWORD}\n")
    code, said = run(
        "approve",
        "last",
        "--as",
        who,
        "--key",
        "pat.key",
        "--reason",
        "seen",
        at=setting.folder,
        typed=f"{_PASSWORD}\n",
    )
    return [said] if code else []


def _approvable(setting: Setting) -> None:
    (setting.folder / "temper.yaml").write_text("policy: bank-tier-2\n", encoding="utf-8")
    Store.open(setting.folder)
    control = Control.open(str(setting.folder / ".temper" / "control.db"))
    for name, role in {"bob": Role.ANALYST, "pat": Role.APPROVER, "root": Role.ADMIN}.items():
        control.people.add(name, role, _PASSWORD, "root", 0.0)
    control.close()
    new_key(setting.folder / "pat")
    run("people", "key", "pat", "pat.pub", at=setting.folder, typed=f"{_PASSWORD}\n")


def evidence(change: Callable[[Path], None], setting: Setting) -> Sequence[str]:
    """Three kept runs, of which something was changed behind Temper's back, or nothing was: `temper ledger verify`."""
    store = Store.open(setting.folder)
    for number in range(3):
        store.save_run(replace(record(f"words of run {number}"), id=f"{number:04d}"))
    if setting.weak:
        change(Path(store.path))
    code, said = run("ledger", "verify", at=setting.folder)
    return [said] if code else []


def _figure(path: Path) -> None:
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE runs SET document = replace(document, 'run 1', 'run 7') WHERE id = '0001'")


def _gone(path: Path) -> None:
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM runs WHERE id = '0001'")


def _byte(path: Path) -> None:
    """One figure of a run's number in the ledger's own file."""
    ledger = next(file for file in Store.open(path.parent.parent).evidence.folder.rglob("*") if _tells(file))
    ledger.write_bytes(ledger.read_bytes().replace(b"0001", b"0005", 1))


def _tells(file: Path) -> bool:
    return file.is_file() and b"0001" in file.read_bytes()


def bundle(setting: Setting) -> Sequence[str]:
    """A bundle for an auditor in which one figure was changed, or none was: its own verifier, without Temper."""
    (setting.folder / "temper.yaml").write_text("policy: bank-tier-2\n", encoding="utf-8")
    store = Store.open(setting.folder)
    store.save_run(replace(record("words of a run"), id="0001"))
    run("audit", "export", "--out", "audit.zip", at=setting.folder)
    seen = setting.folder / "seen"
    with zipfile.ZipFile(setting.folder / "audit.zip") as archive:
        archive.extractall(seen)
    if setting.weak:
        file = next(one for one in seen.rglob("*") if one.is_file() and b"words of a run" in one.read_bytes())
        file.write_bytes(file.read_bytes().replace(b"words of a run", b"words of a gun", 1))
    words = [sys.executable, "-I", "-S", str(seen / "verify.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return [done.stdout[-200:]] if done.returncode else []


_ONE = "  - {id: a, metric: performance.auc, at_least: 0.7, reason: r}\n"
_POLICIES: dict[str, tuple[str, str, str]] = {
    "unknown metric": ("a policy asks for a metric that nobody measures", _ONE.replace("auc", "acu"), _ONE),
    "named twice": ("two requirements have one name", _ONE + _ONE, _ONE + _ONE.replace("id: a", "id: b")),
    "impossible limit": ("a rate has to be above one", _ONE.replace("0.7", "1.7"), _ONE),
}
_INSIDE = "interfaces:\n  - {name: api, returns: %s, public: true}\nexposure: {returns: label}\n"
_DESCRIBED: dict[str, tuple[str, str, str]] = {
    "contradiction": ("it returns labels here and scores there", _INSIDE % "score", _INSIDE % "label"),
    "unknown place": (
        "data flow from a place that is nowhere",
        "flows:\n  - {from: modle, to: training data, carries: x}\n",
        "flows:\n  - {from: model, to: training data, carries: x}\n",
    ),
}
_CHANGED = {
    "changed run": ("words of a kept run were changed", _figure),
    "lost run": ("a kept run was deleted", _gone),
    "changed ledger": ("a byte of the ledger was changed", _byte),
}


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]], *, held_out: bool = True) -> Case:
    return Case(room="governance", name=name, about=about, told=told, held_out=held_out)


CASES = (
    _case("expired waiver", "a breach was accepted until a day that is over", waiver, held_out=False),
    *(_case(name, about, partial(policy, weak, sound)) for name, (about, weak, sound) in _POLICIES.items()),
    *(_case(name, about, partial(described, *both), held_out=False) for name, (about, *both) in _DESCRIBED.items()),
    _case("undocumented", "nobody has written who answers for it", undocumented, held_out=False),
    _case("stale description", "the model was changed, its description was not", stale, held_out=False),
    _case("own approval", "the author of a run approves it", approval, held_out=False),
    *(_case(name, about, partial(evidence, change), held_out=False) for name, (about, change) in _CHANGED.items()),
    _case("changed bundle", "a word in an auditor's bundle was changed", bundle, held_out=False),
)
