"""The privacy example on the command line: real census data, a forest that remembers and one that does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TEMPER_DATA", ROOT.parent / "shared" / "data"))
ADULT = DATA / "adult" / "adult.csv.gz"
MODELS = ("forest", "restrained")
pytestmark = pytest.mark.slow


def run(*arguments):
    """The finished preparation script."""
    command = [sys.executable, str(ROOT / "examples" / "adult" / "prepare.py"), *map(str, arguments)]
    settings = {k: v for k, v in os.environ.items() if k != "TEMPER_DATA"} | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=settings)


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    if not ADULT.is_file():
        pytest.skip("the adult data are absent: set TEMPER_DATA")
    out = tmp_path_factory.mktemp("adult")
    done = run("--data", DATA, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "note:" not in done.stdout
    return out


@pytest.mark.parametrize("name", MODELS)
def test_adult_systems_load_with_rows_in_the_described_domain(adult, name):
    from sklearn.metrics import roc_auc_score

    from temper.config.system import load_system

    system = load_system(adult / name / "temper.yaml")
    assert (len(system.train), len(system.data)) == (24_341, 24_342)
    assert system.schema.reason(system.data.x, system.data.x) == ""
    sensitive = {column.name for column in system.schema.columns if column.sensitive}
    assert sensitive == {"age", "race", "sex", "native-country"}
    area = roc_auc_score(system.data.y, np.asarray(system.target.scores(system.data.x))[:, 1])
    assert area == pytest.approx({"forest": 0.894, "restrained": 0.912}[name], abs=0.005)


def test_adult_nobody_is_on_both_sides(adult):
    import pandas as pd

    both = pd.concat([pd.read_parquet(adult / "forest" / f"{part}.parquet") for part in ("train", "test")])
    assert not both.duplicated().any()


def test_adult_without_data_says_where_the_original_is(tmp_path):
    done = run("--data", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "archive.ics.uci.edu" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.campaign
def test_the_forest_tells_on_its_people_and_the_restrained_one_does_not(adult, terminal):
    found, verdicts = {}, {}
    for name in MODELS:
        told = terminal(
            "assess", "-c", adult / name / "temper.yaml", "--suite", "quick", "--only", "inversion", "--json"
        )
        record = json.loads(told.out)["record"]
        verdicts[name] = told.code
        for m in record["measurements"]:
            found[name, m["metric"], m["slice"]] = m
    assert verdicts == {"forest": 1, "restrained": 0}
    members = [found[name, "tpr_at_1pct", "same recipe, random halves"] for name in MODELS]
    assert members[0]["low"] > 0.15
    assert members[1]["high"] < 0.05
    gains = [found[name, "gain", "column:race"] for name in MODELS]
    assert gains[0]["low"] > 0.1
    assert gains[1]["value"] < 0.03
    assert found["forest", "leak", "column:race"]["low"] > 0.15
