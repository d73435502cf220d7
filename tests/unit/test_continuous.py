"""What answers is what is assessed, on rows whose labels have come; and labels say which of two models is better."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from small_gateway import COLUMNS, GUARD, folder, models, written
from temper.api import job
from temper.cli import app
from temper.core.errors import TemperError
from temper.core.job import Order
from temper.engine.monitored import monitored
from temper.gateway.tables import deploy

__all__ = ["folder", "models"]
DAY = 86_400.0
START = 20_000 * DAY
MONITOR = (
    "monitor: {feed: predictions, time: at, id: request, score: score, labels: labels, label: y, "
    "triggers: {suite: quick, engine: serial}}\n"
)


def feed(home, n=1_500, labelled=1.0):
    """A day of predictions with their truth, of which only a share is told."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    y = (x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.normal(size=n) > 0).astype(int)
    rows = pd.DataFrame(x, columns=list(COLUMNS)).assign(
        at=START + np.sort(rng.random(n)) * DAY, request=[f"r{at}" for at in range(n)], score=rng.random(n)
    )
    for name in ("predictions", "labels"):
        (home / name).mkdir(exist_ok=True)
    rows.to_csv(home / "predictions" / "0.csv", index=False)
    told = rng.random(n) < labelled
    pd.DataFrame({"request": rows.request, "y": y})[told].to_csv(home / "labels" / "0.csv", index=False)
    written(home, GUARD + MONITOR)
    return int(told.sum())


@pytest.fixture
def poor(folder):
    """A version that learnt next to nothing."""
    import xgboost

    rows = pd.read_csv(folder / "test.csv")
    data = xgboost.DMatrix(rows[list(COLUMNS)].to_numpy(), rows.y)
    settings = {"objective": "binary:logistic", "max_depth": 1}
    xgboost.train(settings, data, 1).save_model(folder / "poor.json")
    return folder / "poor.json"


def status(home):
    return "\n".join(deploy.status(home / "temper.yaml", START + 9 * DAY))


def test_labels_say_which_of_two_models_is_better(folder, poor):
    feed(folder)
    deploy.deploy(folder / "temper.yaml", poor, "shadow", 1.0, "ana", "try", START)
    assert "1,500 rows: CHAMPION BETTER" in status(folder)
    deploy.deploy(folder / "temper.yaml", poor, "live", 1.0, "ana", "oh", START)
    deploy.deploy(folder / "temper.yaml", folder / "next.json", "canary", 0.1, "ana", "try", START)
    assert "1,500 rows: CHALLENGER BETTER" in status(folder)


def test_rows_from_before_the_trial_say_nothing_of_it(folder, poor):
    feed(folder)
    deploy.deploy(folder / "temper.yaml", poor, "shadow", 1.0, "ana", "try", START + 5 * DAY)
    assert "no row of the trial is old enough" in status(folder)


def test_the_model_that_answers_is_assessed_and_on_the_rows_that_have_labels(folder):
    many = feed(folder, labelled=0.4)
    digest = deploy.deploy(folder / "temper.yaml", folder / "next.json", "live", 1.0, "ana", "new", START)
    order = Order(key="k", why="w", config=str(folder / "temper.yaml"))
    plain = job.running(order)
    assert (plain.target.digest, len(plain.data)) == (digest, 4_000)
    assert "next.json" in plain.apart
    newer = job.running(Order(key="k", why="w", config=order.config, labelled=START))
    assert len(newer.data) == many
    assert f"{many:,} rows of the feed with labels" in newer.apart
    assert monitored(newer) == (), "the reference of monitoring is of temper.yaml, and stays"
    with pytest.raises(TemperError, match="0 rows of the feed have a label"):
        job.running(Order(key="k", why="w", config=order.config, labelled=START + 2 * DAY))


def test_a_new_user_is_told_what_is_stale_and_gets_a_job_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    feed(folder)

    def asked(*words):
        return CliRunner().invoke(app, list(words), catch_exceptions=False)

    assert "job 1: everything: nothing was assessed yet" in asked("monitor", "run").stderr
    assert "job" not in asked("monitor", "run").stderr
    assert "STALE  everything: nothing was assessed yet" in asked("monitor", "status").stdout
    assert asked("jobs", "list").stdout.splitlines()[0].startswith("1\twaiting")
