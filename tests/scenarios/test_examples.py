"""The shipped examples, end to end on the command line: real credit data and images."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scenarios.story import Desk, Folder, typed

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TEMPER_DATA", ROOT.parent / "shared" / "data"))
CREDIT = DATA / "credit_default_uci" / "credit-card-clients.csv.gz"
pytestmark = pytest.mark.slow


def prepare(script, *arguments):
    command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def credit(tmp_path_factory):
    if not CREDIT.is_file():
        pytest.skip("the credit-default data are absent: set TEMPER_DATA")
    out = tmp_path_factory.mktemp("credit")
    prepare("credit/prepare.py", "--data", DATA, "--out", out)
    return out


def figures(told):
    """Measurements of a --json report by plugin and metric."""
    record = json.loads(told.out)["record"]
    return {(m["plugin"], m["metric"]): m for m in record["measurements"]}


def only(*rooms):
    return [word for room in rooms for word in ("--only", room)]


def sound(found, retrains):
    """Nothing in error, and what the models of this data are known to be like."""
    assert 0.74 < found["performance", "auc"]["value"] < 0.80
    assert found["evasion.random_search", "success_rate"]["value"] > 0.2
    assert found["evasion.random_search", "success_rate"]["n"] == 100
    assert [name for name, m in found.items() if m["status"] == "error"] == []
    assert (("inversion.membership", "auc") in found) == retrains


@pytest.mark.parametrize("model", ["lightgbm", "pipeline", "onnx"])
def test_every_form_of_the_model_is_assessed_alike(credit, model, terminal):
    rooms = only("evasion.random_search", "inversion.membership", "validation.performance", "validation.calibration")
    told = terminal("assess", "-c", credit / model / "temper.yaml", "--suite", "quick", *rooms, "--json")
    assert told.code == 1, told.err[-2000:]
    sound(figures(told), retrains=model != "onnx")


@pytest.mark.campaign
def test_the_credit_model_hardened_holds_better_and_compare_says_so(credit, tmp_path, monkeypatch):
    import pandas as pd

    from temper import api
    from temper.engine.task import SUITES

    few = replace(SUITES["quick"], attacked=60, trained=1_000, references=2, doses=(0.05,), repeats=1, students=200)
    monkeypatch.setitem(SUITES, "quick", few)  # hardening measures every room anew
    terminal = Desk(typed)
    bank = Folder(shutil.copytree(credit / "lightgbm", tmp_path / "bank", ignore=shutil.ignore_patterns("runs*")))
    for part, rows in (("train", 2_500), ("test", 700)):  # every room fits models
        bank.write(pd.read_parquet(bank.path / f"{part}.parquet").iloc[:rows], part)
    assert terminal("assess", "-c", bank.config, "--suite", "quick", *only("evasion.random_search")).code == 1
    evasion = next(one.id for one in bank.store.run("last").findings if one.plugin == "evasion.random_search")
    # One defence; that all of them are tried and told is a story of the fraud demo (test_fix_and_prove).
    system, last = api.load(bank.config), api.Run(bank.store.run("last"))
    better = api.harden(system, last, finding=evasion, defences=["anchored"], engine="serial")
    assert better.taken
    assert api.save_hardened(better, bank.path / "hardened") == bank.path / "hardened" / "temper.yaml"
    last = bank.store.run("last")
    measured = {(m.plugin, m.metric): m for m in last.measurements}  # every room, not only what was asked before
    assert {"inversion.membership", "extraction.surrogate", "fairness"} <= {plugin for plugin, _ in measured}
    assert [m.name for m in last.measurements if m.status.value == "error"] == []
    monkeypatch.setenv("COLUMNS", "160")  # names are folded on a narrow terminal
    compared = terminal("compare", str(int(last.id) - 1), last.id, "-c", bank.config)
    assert compared.code == 0, compared.err
    assert "better" in compared.out
    assert "evasion.random_search.success_rate" in compared.out


def test_a_draft_for_the_credit_model_is_assessed_as_it_is(credit, tmp_path, terminal):
    folder = credit / "lightgbm"
    out = tmp_path / "own" / "temper.yaml"
    model, test, train = folder / "model.txt", folder / "test.parquet", folder / "train.parquet"
    told = terminal("init", "--model", model, "--data", test, "--train", train, "--target", "default", "--out", out)
    assert told.code == 0, told.err
    assert out.read_text(encoding="utf-8").count("# guessed") > 20
    rooms = only("evasion.random_search", "validation.performance")
    assessed = terminal("assess", "-c", out, "--suite", "quick", *rooms, "--json")
    assert assessed.code in (0, 1, 3), assessed.err[-2000:]
    assert figures(assessed)["performance", "auc"]["value"] > 0.74


@pytest.mark.campaign
def test_a_torch_net_on_images_is_broken_within_a_small_ball(tmp_path, terminal):
    prepare("images/prepare.py", "--out", tmp_path / "shapes")
    rooms = only("evasion.apgd_targeted", "evasion.square", "stress.image.gaussian_noise", "validation.performance")
    told = terminal("assess", "-c", tmp_path / "shapes" / "temper.yaml", "--suite", "quick", *rooms, "--json")
    assert told.code == 1, told.err[-2000:]
    record = json.loads(told.out)["record"]
    assert record["simulated"] is True
    broken = {m["plugin"]: m["value"] for m in record["measurements"] if m["metric"] == "success_rate"}
    assert broken["evasion.apgd_targeted"] > 0.3
    assert broken["evasion.apgd_targeted"] >= broken["evasion.square"], "the weights in hand are worth something"
