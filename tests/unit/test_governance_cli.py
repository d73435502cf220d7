"""A run is approved, verified and handed to an auditor from the command line, and a change is told in one sentence."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest
from typer.testing import CliRunner

from control_store import CHEAP, PASSWORD, peopled
from temper.cli import app
from temper.core.errors import StoreError, TemperError
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.review import Forbidden
from temper.store.control.people import People
from temper.store.database import Store
from temper.targets.signature import new_key
from unit.test_approvals import quietly, record


def run(*words, code=0):
    done = CliRunner().invoke(app, list(words), input=f"{PASSWORD}\n")
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_from_a_run_to_a_bundle_and_what_a_change_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEMPER_CONTROL", raising=False)
    monkeypatch.setattr(People, "_hasher", CHEAP)
    (tmp_path / "temper.yaml").write_text("policy: bank-tier-2\n")
    store = Store.open(tmp_path)
    store.save_run(record(author="ann"))
    peopled(tmp_path / ".temper" / "control.db").close()
    new_key(tmp_path / "pat")
    assert run("people", "key", "pat", "pat.pub").endswith("pat signs with pat.pub\n")
    assert "it takes 1" in run("approvals", "ask", "last", "--as", "bob", "--reason", "for spring")
    with pytest.raises(Forbidden, match="role approver"):
        run("approve", "last", "--as", "ann", "--key", "pat.key", "--reason", "mine")
    assert "approved; by pat" in run("approve", "last", "--as", "pat", "--key", "pat.key", "--reason", "seen")
    assert run("approvals", "list").split("\t")[1:8] == ["0001", "pass", "ab" * 6, "approved", "ann", "bob", "pat"]
    assert "signatures hold" in run("approvals", "show", "1")
    verified = run("ledger", "verify")
    assert "1 run and 9 changes by people" in verified
    assert verified.endswith("PASS\n")
    assert "wrote audit.zip" in run("audit", "export", "--out", "audit.zip")
    with zipfile.ZipFile("audit.zip") as archive:
        archive.extractall("seen")
    checked = subprocess.run(
        [sys.executable, "-I", "-S", "seen/verify.py"], capture_output=True, text=True, check=False
    )
    assert checked.stdout.endswith("PASS\n"), checked.stdout
    quietly(store, "UPDATE runs SET document = replace(document, '\"value\":0.1', '\"value\":0.0')")
    assert "fault: run 0001 was changed: measurement evasion.noise.success_rate (all)" in run(
        "ledger", "verify", code=1
    )
    with pytest.raises(StoreError, match="read-only: run 0001 was changed"):
        run("audit", "export", "--out", "again.zip")


def test_two_people_waive_a_requirement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEMPER_CONTROL", raising=False)
    monkeypatch.setattr(People, "_hasher", CHEAP)
    (tmp_path / "temper.yaml").write_text("policy: bank-tier-2\n")
    rule = Requirement(id="auc", metric="performance.auc", at_least=0.99)
    failed = (Judgement(requirement=rule, verdict=Verdict.FAIL),)
    Store.open(tmp_path).save_run(record(author="ann", verdict=Verdict.FAIL, judgements=failed))
    peopled(tmp_path / ".temper" / "control.db").close()
    asked = ("waivers", "propose", "auc", "--owner", "risk office", "--reason", "capped", "--as", "bob")
    assert "temper waivers approve 1" in run(*asked, "--until", "2099-06-01")
    with pytest.raises(Forbidden, match="bob"):
        run("waivers", "approve", "1", "--as", "bob", "--reason", "mine")
    assert "is approved" in run("waivers", "approve", "1", "--as", "pat", "--reason", "fine")
    assert run("waivers", "list").split("\t")[:6] == ["1", "approved", "auc", "fraud", "risk office", "2099-06-01"]
    assert "is ended" in run("waivers", "end", "1", "--as", "bob", "--reason", "mended")
    with pytest.raises(TemperError, match="is over already"):
        run(*asked, "--until", "2020-06-01")
