"""A copy that is tried beside the live system writes into nothing of it, whatever paths temper.yaml names."""

from __future__ import annotations

import asyncio
import time

import pytest
from typer.testing import CliRunner

from control_store import PASSWORD, opened
from temper.cli import app
from temper.config.reading import read
from temper.config.serving import serving_of
from temper.core.review import Role
from temper.gateway.keys import key_in
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal

YAML = """system: {{name: small}}
model: {{path: {base}/model.json}}        # below temper.yaml's folder, and named whole
data: {{test: {base}/test.csv, target: y}}
guard:
  control: {control}
  audit: {{folder: "{state}/audit", checkpoints: {root}/marks}} 
  profile: '{state}/profile.npz'
  fallback: {{challenger: {{path: {root}/other.json}}, rules: [{{when: "(a / b > 1)", score: 0.9}}]}}
"""


def live(root, control):
    """A system as the systemd units want it: temper.yaml in one place, what is written in another."""
    base, state = root / "etc", root / "state"
    base.mkdir()
    for path in (base / "model.json", base / "test.csv", root / "other.json", state / "profile.npz"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.name)
    (base / "temper.yaml").write_text(YAML.format(base=base, root=root, state=state, control=control))
    with Personal(state / "audit" / "personal.db", key_in(state / "audit")) as personal:
        personal.keep("request 1", b"rows")
    journal = Journal.open(
        state / "audit", "node", "0", key=key_in(state / "audit"), wall=time.time_ns, checkpoints=root / "marks"
    )
    asyncio.run(journal.append("note", {}))
    journal.close()
    if "://" not in control:
        store = opened(control)
        store.people.add("ann", Role.ANALYST, PASSWORD, "root", 0.0)
        store.close()
    assert run("backup", "--to", root / "backups", "--config", base / "temper.yaml").exit_code == 0
    return base / "temper.yaml"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_every_place_that_a_copy_writes_lies_in_the_copy(tmp_path):
    config = live(tmp_path, str(tmp_path / "state" / "control.db"))
    to = tmp_path / "restored"
    done = run("restore", tmp_path / "backups", "--to", to, "--apart")
    assert done.exit_code == 0, done.output
    found = serving_of(read(to / "temper.yaml"), to)
    written = (found.control, found.audit, found.checkpoints, found.profile)
    assert all(place.startswith(f"{to}/") for place in written), written
    assert "ann" in [one.name for one in opened(found.control).people.all()]
    fallback = next(options for name, _, options in found.stages if name == "fallback")
    assert fallback["challenger"]["path"].startswith(f"{to}/")
    assert [dict(one) for one in fallback["rules"]] == [{"when": "(a / b > 1)", "score": 0.9}]
    document = read(to / "temper.yaml")
    assert document.section("model").text("path") == str(to / "model.json")
    assert document.section("data").text("test") == f"{config.parent}/test.csv", "tables are read, where they are"
    assert f"ledger.key into {found.audit}" in done.output
    assert f"pepper into {to / 'elsewhere'}" in done.output
    assert "move what is" not in done.output


def test_without_it_the_document_is_what_it_was(tmp_path):
    config = live(tmp_path, str(tmp_path / "state" / "control.db"))
    done = run("restore", tmp_path / "backups", "--to", tmp_path / "restored")
    assert (tmp_path / "restored" / "temper.yaml").read_bytes() == config.read_bytes()
    assert "move what is" in done.output


@pytest.mark.parametrize("url", ["postgresql://temper@db.internal/temper"])
def test_a_copy_of_a_database_server_needs_another_one(tmp_path, url):
    live(tmp_path, url)
    refused = run("restore", tmp_path / "backups", "--to", tmp_path / "restored", "--apart")
    assert refused.exit_code != 0
    assert not (tmp_path / "restored").exists()
    other = "postgresql://temper@db.internal/temper_drill"
    done = run("restore", tmp_path / "backups", "--to", tmp_path / "restored", "--apart", "--control", other)
    assert done.exit_code == 0, done.output
    assert serving_of(read(tmp_path / "restored" / "temper.yaml"), tmp_path).control == other
    assert run("restore", tmp_path / "backups", "--to", tmp_path / "x", "--control", other).exit_code != 0
