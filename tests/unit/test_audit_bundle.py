"""The bundle of an auditor: the same bytes each time, verified without Temper, and every changed byte is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from control_store import peopled
from temper.core.errors import StoreError
from temper.engine.audit import export
from temper.report import render
from temper.store.database import Store
from temper.store.evidence import verifier
from temper.store.evidence.approving import approve, ask
from temper.store.signed import opened, public_of
from temper.targets.signature import new_key
from unit.test_approvals import KEYS, NOW, record


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A system with two runs, one of them approved by two, and its bundle twice."""
    base = tmp_path_factory.mktemp("audited")
    (base / "temper.yaml").write_text("policy: default\n")
    store, control = Store.open(base), peopled(base / ".temper" / "control.db")
    for name, key in KEYS.items():
        control.signers.add(name, public_of(key), "root", 1.0)
    for number in ("0001", "0002"):
        store.save_run(record(number))
    ask(store, control, "0001", 2, "ann", "please look: ümlaut", NOW)
    for name in ("pat", "root"):
        approve(store, control, "0001", name, "seen", KEYS[name], NOW + 1)
    ask(store, control, "0002", 1, "ann", "a word is enough", NOW + 1, signed=False)
    approve(store, control, "0002", "pat", "seen", None, NOW + 1)
    new_key(base / "exporter")
    for name in ("one.zip", "two.zip"):
        told = [*export(base / "temper.yaml", store, control, base / name, base / "exporter.key", NOW + 2)]
    control.close()
    with zipfile.ZipFile(base / "one.zip") as archive:
        archive.extractall(base / "out")
    return base, told


def verified(folder, *words):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    return done.returncode, done.stdout


def test_it_verifies_on_a_machine_without_temper(made):
    base, told = made
    code, said = verified(base / "out")
    assert (code, said.splitlines()[-1]) == (0, "PASS"), said
    assert "2 runs" in said
    assert "3 approvals, 1 of them given in a console and not signed" in said
    digest = said.splitlines()[0].split()[-1]
    assert digest in told[1]
    assert verified(base / "out", "../one.zip") == (0, said)


def test_the_same_evidence_is_the_same_bytes_and_its_exporter_vouches(made):
    base, _ = made
    assert (base / "one.zip").read_bytes() == (base / "two.zip").read_bytes()
    from temper.store.evidence.bundle import TYPE
    from temper.store.ledger.checkpoint import public_key

    key = public_key(base / "exporter.pub").hex()
    assert opened((base / "one.zip.sig.json").read_text(), TYPE, key)["format"] == "temper.bundle/1"


def test_one_flipped_byte_in_any_file_is_found(made, capsys):
    base, _ = made
    names = sorted(one.relative_to(base / "out").as_posix() for one in (base / "out").rglob("*") if one.is_file())
    assert {"MANIFEST.json", "verify.py", "ledger/records", "runs/0001.json", "approvals.json"} <= set(names)
    for name in names:
        path = base / "out" / name
        whole = path.read_bytes()
        for at in {len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert verifier.main(base / "out") == 1, (name, at)
            if name not in ("MANIFEST.json", "ledger/records"):
                assert f"fault: {name} was changed" in capsys.readouterr().out
        path.write_bytes(whole)
    assert verifier.main(base / "out") == 0


def resealed(folder):
    """The manifest made anew over what is there now, as somebody would who changes a bundle with care."""
    from hashlib import sha256

    listed = json.loads((folder / "MANIFEST.json").read_text())
    for name in listed["files"]:
        listed["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    (folder / "MANIFEST.json").write_bytes(verifier.canonical(listed))


@pytest.mark.parametrize(("name", "old", "new", "what"), [
    ("runs/0001.json", '"verdict":"pass"', '"verdict":"fail"', "run 0001 is not what the ledger was told"),
    ("changes.json", '"who":"pat"', '"who":"bob"', "is not what the ledger was told"),
    ("approvals.json", '"person":"pat"', '"person":"ann"', "not signed by a key of ann"),
    ("MANIFEST.json", '":"root"', '":"vera"', "not signed by a key of root"),
    ("ledger/checkpoint", "\n22\n", "\n21\n", "the checkpoint is not signed"),
])  # fmt: skip
def test_a_careful_change_with_a_new_manifest_is_found_all_the_same(made, tmp_path, capsys, name, old, new, what):
    shutil.copytree(made[0] / "out", tmp_path / "out")
    path = tmp_path / "out" / name
    text = path.read_text()
    if name == "ledger/checkpoint":
        size = text.splitlines()[1]
        old, new = f"\n{size}\n", f"\n{int(size) - 1}\n"
    assert old in text
    path.write_text(text.replace(old, new))
    resealed(tmp_path / "out")
    assert verifier.main(tmp_path / "out") == 1
    assert what in capsys.readouterr().out


def test_evidence_that_was_changed_is_not_exported(tmp_path):
    (tmp_path / "temper.yaml").write_text("policy: default\n")
    store, control = Store.open(tmp_path), peopled(tmp_path / ".temper" / "control.db")
    store.save_run(record())
    store.evidence.condemn(["run 0001 was changed"])
    with pytest.raises(StoreError, match="read-only"):
        next(export(tmp_path / "temper.yaml", store, control, tmp_path / "out.zip", None, NOW))
    control.close()


def test_the_card_has_every_figure_and_is_read_by_yaml():
    import yaml

    front = render(record(), "card").split("---\n")[1]
    metrics = yaml.safe_load(front)["model-index"][0]["results"][0]["metrics"]
    assert [(one["type"], one["value"]) for one in metrics] == [
        ("performance.auc", 0.9), ("evasion.noise.success_rate", 0.1),
    ]  # fmt: skip
    assert metrics[0]["args"] == {"low": 0.8, "high": 0.95, "confidence": 0.95, "n": 100}


def test_a_changed_byte_of_the_ledger_is_found_and_placed(tmp_path):
    """A short turn of `bench.governance.tamper`: no crash, nothing that is read changes unseen."""
    import random

    from bench.governance.tamper import _ledger

    store = Store.open(tmp_path)
    for number in range(1, 4):
        store.save_run(record(f"{number:04d}"))
    trials = [*_ledger(store, random.Random(1), 40)]
    assert sum(one.read for one in trials) > 8
    assert all(one.found and one.placed for one in trials)


def test_what_a_changed_byte_makes_of_a_record_or_a_checkpoint_is_a_fault_and_no_crash(tmp_path):
    from temper.store.evidence.held import hold

    store = Store.open(tmp_path)
    store.save_run(record())
    store.save_run(record("0002"))
    marks = store.evidence.checkpoints
    whole = marks.read_text()
    for old, new in (("temper/audit", "temper/au\x1cit"), ("\n1\n", "\n2\n"), ("\n\n— ", "\n\nx ")):
        marks.write_text(whole.replace(old, new, 1))
        assert "checkpoint" in hold(store).faults[0], new
        (store.evidence.folder / "FAULTS").unlink()
    marks.write_text(whole)
    assert hold(store).holds
