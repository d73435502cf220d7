"""The shipped examples, end to end on the command line: real credit data and images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.story import Folder

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


@pytest.mark.parametrize("model", ["lightgbm", "pipeline", "onnx"])
def test_every_credit_model_is_assessed_with_nothing_in_error(credit, model, terminal):
    told = terminal("assess", "-c", credit / model / "temper.yaml", "--suite", "quick", "--json")
    assert told.code == 1, told.err[-2000:]
    found = figures(told)
    assert 0.74 < found["performance", "auc"]["value"] < 0.80
    assert found["evasion.random_search", "success_rate"]["value"] > 0.2
    assert found["evasion.random_search", "success_rate"]["n"] == 100
    errors = [name for name, m in found.items() if m["status"] == "error"]
    assert errors == []
    retrains = model != "onnx"
    assert (("inversion.membership", "auc") in found) == retrains


def test_the_credit_model_hardened_holds_better_and_compare_says_so(credit, terminal):
    config = credit / "lightgbm" / "temper.yaml"
    assert terminal("assess", "-c", config, "--suite", "quick").code == 1
    found = Folder(credit / "lightgbm").store.run("last").findings
    evasion = next(finding.id for finding in found if finding.plugin == "evasion.random_search")
    hardened = terminal("harden", "-c", config, "--for", evasion)
    assert hardened.code == 0, hardened.err[-2000:]
    assert "holds better" in hardened.out
    assert (credit / "lightgbm" / "hardened" / "temper.yaml").is_file()
    last = Folder(credit / "lightgbm").store.run("last")
    compared = terminal("compare", str(int(last.id) - 1), last.id, "-c", config)
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
    assessed = terminal("assess", "-c", out, "--suite", "quick", "--json")
    assert assessed.code in (0, 1, 3), assessed.err[-2000:]
    assert figures(assessed)["performance", "auc"]["value"] > 0.74


def test_a_torch_net_on_images_is_broken_within_a_small_ball(tmp_path, terminal):
    prepare("images/prepare.py", "--out", tmp_path / "shapes")
    only = ("--only", "evasion", "--only", "stress.image.gaussian_noise", "--only", "validation.performance")
    told = terminal("assess", "-c", tmp_path / "shapes" / "temper.yaml", "--suite", "quick", *only, "--json")
    assert told.code == 1, told.err[-2000:]
    record = json.loads(told.out)["record"]
    assert record["simulated"] is True
    broken = {m["plugin"]: m["value"] for m in record["measurements"] if m["metric"] == "success_rate"}
    assert broken["evasion.apgd_targeted"] > 0.3
    assert broken["evasion.apgd_targeted"] >= broken["evasion.square"], "the weights in hand are worth something"
