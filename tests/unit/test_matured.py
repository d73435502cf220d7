"""Labels of a feed, window by window: what is decided is told once, what is open is looked at again."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.config.monitor import truth_of, watch_of
from temper.config.reading import parse
from temper.core.errors import ConfigError
from temper.core.outcome import Truth
from temper.core.requirement import Policy, Requirement
from temper.core.schema import Column, Schema
from temper.core.watch import Seen, Watch
from temper.kernels.cbpe import Calibrator
from temper.monitoring.feed import arrived
from temper.monitoring.matured import Matured
from temper.report.outcomes import document, lines
from temper.store.control import Control

DAY = 86_400.0
SCHEMA = Schema(columns=(Column(name="amount"),))
PROMISE = Policy(name="p", requirements=(Requirement(id="a", metric="performance.accuracy", at_least=0.7),))


def predictions(day, n=800):
    rng = np.random.default_rng(day)
    p = rng.beta(0.4, 0.4, n)
    at = (day + np.sort(rng.uniform(0.0, 1.0, n))) * DAY
    ids = [f"{day}-{at_}" for at_ in range(n)]
    return pd.DataFrame({"amount": p * 10, "p": p, "at": at, "request": ids, "y": (rng.random(n) < p).astype(int)})


@pytest.fixture
def control(tmp_path):
    opened = Control.open(str(tmp_path / "control.db"))
    yield opened
    opened.close()


@pytest.fixture
def matured(tmp_path, control):
    for name in ("feed", "labels"):
        (tmp_path / name).mkdir()
    grid = np.linspace(0.0, 1.0, 11)
    return Matured(
        truth=Truth(labels=str(tmp_path / "labels"), label="y", maturity=2 * DAY),
        watch=Watch(feed=str(tmp_path / "feed"), time="at", id="request", score="p", window=DAY),
        schema=SCHEMA,
        classes=("0", "1"),
        edge=0.5,
        policy=PROMISE,
        cost=None,
        calibrator=Calibrator(scores=grid, probabilities=grid),
        digest="r",
        outcomes=control.windows.outcomes,
    )


def looked(matured, now, known=()):
    look = matured.begin(dict(known), now)
    for part in arrived(matured.watch, matured.schema):
        look.add(part, np.floor(part.at / DAY) * DAY)
    return look.outcomes(whole=True)


def came(tmp_path, name, frame, at=None):
    given = frame[["request", "y"]] if at is None else frame[["request", "y"]].assign(at=at)
    given.to_csv(tmp_path / "labels" / f"{name}.csv", index=False)


def asked(tmp_path, day):
    frame = predictions(day)
    frame.drop(columns="y").to_parquet(tmp_path / "feed" / f"{day}.parquet")
    return frame


def test_a_window_is_looked_at_until_its_labels_decide_and_then_never_again(tmp_path, matured):
    frame = asked(tmp_path, 0)
    came(tmp_path, "a", frame.iloc[:10])
    assert looked(matured, 2.9 * DAY) == []
    first = looked(matured, 3 * DAY)
    assert [(one.seen, one.rows, one.labelled) for one in first] == [(Seen.INCONCLUSIVE, 800, 10)]
    assert [one.seen for one in looked(matured, 3.5 * DAY)] == [Seen.INCONCLUSIVE]
    came(tmp_path, "b", frame.iloc[10:])
    again = looked(matured, 4 * DAY)
    assert [(one.seen, one.labelled, one.start) for one in again] == [(Seen.PASS, 800, 0.0)]
    assert looked(matured, 5 * DAY) == []
    (kept,) = matured.outcomes.page(matured.watch.feed)
    assert (kept, kept.figures[0].n) == (again[0], 800), "all figures are kept, and what is decided stays"
    matured.keep(first, 9.0)
    assert matured.outcomes.page(matured.watch.feed) == [kept]


def test_labels_that_never_come_pass_nothing_and_are_let_go_after_a_while(tmp_path, matured):
    asked(tmp_path, 0)
    (one,) = looked(matured, 3 * DAY)
    assert (one.seen, one.labelled) == (Seen.INCONCLUSIVE, 0)
    assert any("0 of 800 matured rows have a label" in line for line in lines(one))
    assert "no label has come yet" in one.told
    asked(tmp_path, 30)
    assert [one.start for one in looked(matured, 40 * DAY)] == [30 * DAY]


def test_a_model_that_is_wrong_now_fails_while_what_is_expected_stays(tmp_path, matured):
    good, bad = asked(tmp_path, 0), asked(tmp_path, 1)
    came(tmp_path, "a", pd.concat([good, bad.assign(y=1 - bad.y)]))
    first, second = looked(matured, 4 * DAY)
    assert (first.seen, second.seen) == (Seen.PASS, Seen.FAIL)
    early = [{m.name: m.value for m in one.figures}["cbpe.accuracy"] for one in (first, second)]
    assert early[0] == pytest.approx(early[1], abs=0.03)
    said = lines(second)
    assert said[0].startswith("performance.accuracy 0.1")
    assert "FAIL" in said[0]
    assert "blind to concept drift" in said[1]
    assert json.loads(json.dumps(document([second])))[0]["judgements"][0]["verdict"] == "fail"


def test_labels_that_are_no_class_or_nobodys_are_told(tmp_path, matured):
    frame = asked(tmp_path, 0)
    odd = frame.assign(y=["perhaps", *frame.y.astype(str)[1:]])
    came(tmp_path, "a", pd.concat([odd, predictions(7).iloc[:3].astype({"y": str})]))
    (one,) = looked(matured, 3 * DAY)
    assert "1 labels are none of 0, 1, and do not count" in one.told
    assert "3 labels belong to none of the predictions" in one.told
    assert one.labelled == 799


def test_the_time_of_a_label_decides_which_one_is_the_latest(tmp_path, matured):
    frame = asked(tmp_path, 0)
    came(tmp_path, "a", frame, at=2.5 * DAY)
    came(tmp_path, "b", frame.assign(y=1 - frame.y), at=2.0 * DAY)
    (one,) = looked(matured, 3 * DAY)
    assert one.seen is Seen.PASS
    assert "800 labels were changed, and the latest counts" in one.told


def test_nothing_that_labels_show_is_promised(tmp_path, matured):
    came(tmp_path, "a", asked(tmp_path, 0))
    (one,) = looked(replace(matured, policy=Policy(name="none")), 3 * DAY)
    assert one.seen is Seen.INCONCLUSIVE
    assert "the policy promises nothing that labels show" in one.told


def test_a_place_of_labels_that_is_not_there_is_no_silence(tmp_path, matured):
    asked(tmp_path, 0)
    (tmp_path / "labels").rmdir()
    with pytest.raises(ConfigError, match="labels does not exist"):
        looked(matured, 3 * DAY)


@pytest.mark.parametrize("missing", ["label: y", "id: request", "score: p"])
def test_what_labels_need_is_asked_for(tmp_path, missing):
    parts = [part for part in ("label: y", "id: request", "score: p") if part != missing]
    document_ = parse(f"monitor: {{feed: f, time: at, labels: l, {', '.join(parts)}}}", "temper.yaml")
    watch_of(document_, tmp_path)
    with pytest.raises(ConfigError, match=missing.split(":")[0]):
        truth_of(document_, tmp_path)


def test_a_maturity_without_labels_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"needs monitor\.labels"):
        truth_of(parse("monitor: {feed: f, time: at, maturity: 45d}", "temper.yaml"), tmp_path)


def test_a_new_user_holds_labels_against_a_promise(tmp_path, monkeypatch):
    import joblib
    from sklearn.linear_model import LogisticRegression

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    test = pd.DataFrame({"amount": rng.normal(size=2_000)})
    test["y"] = (test.amount + 0.3 * rng.normal(size=2_000) > 0).astype(int)
    model = LogisticRegression().fit(test[["amount"]].to_numpy(), test.y)
    joblib.dump(model, "m.joblib")
    test.to_csv("test.csv", index=False)
    frame = test.assign(at=np.linspace(0, DAY - 1, 2_000), request=[f"r{at}" for at in range(2_000)])
    frame["p"] = model.predict_proba(frame[["amount"]].to_numpy())[:, 1]
    for name in ("predictions", "labels"):
        (tmp_path / name).mkdir()
    frame.drop(columns="y").to_csv("predictions/0.csv", index=False)
    frame[["request", "y"]].to_csv("labels/0.csv", index=False)
    (tmp_path / "policy.yaml").write_text(
        "name: p\nrequirements:\n  - {id: right, metric: performance.accuracy, at_least: 0.95, reason: promised}\n"
    )
    (tmp_path / "temper.yaml").write_text(
        "model: {path: m.joblib, threshold: 0.5}\ndata: {test: test.csv, target: y}\npolicy: policy.yaml\n"
        "schema:\n  columns:\n    amount: {type: number}\n"
        "monitor: {feed: predictions, time: at, id: request, score: p, labels: labels, label: y, maturity: 45d}\n"
    )
    found = CliRunner().invoke(app, ["monitor", "run", "--trust-pickle", "--store", "control.db"])
    assert found.exit_code == 1, found.output
    assert "labels of 1970-01-01: FAIL" in found.output
    assert "promised at least 0.95: FAIL" in found.output
    again = CliRunner().invoke(app, ["monitor", "run", "--trust-pickle", "--store", "control.db"])
    assert again.exit_code == 0, again.output
    status = CliRunner().invoke(app, ["monitor", "status", "--store", "control.db"])
    assert "labels of 1970-01-01: FAIL (2,000 of 2,000 labels)" in status.output
    assert "expected without labels: accuracy 0." in status.output
    told = json.loads(CliRunner().invoke(app, ["monitor", "status", "--store", "control.db", "--json"]).output)
    assert [one["labelled"] for one in told if "labelled" in one] == [2_000]


def test_the_feed_is_read_once_and_of_files_that_are_done_only_what_labels_wait_for(tmp_path, matured, monkeypatch):
    from temper.monitoring import feed as feeds
    from temper.monitoring.reference import Reference
    from temper.monitoring.run import Monitor

    reads, read = [], feeds.read_parts
    monkeypatch.setattr(feeds, "read_parts", lambda path, *more: reads.append(path.stem) or read(path, *more))
    frames = [asked(tmp_path, day) for day in range(4)]
    came(tmp_path, "labels0", frames[0])
    came(tmp_path, "labels1", frames[1].iloc[:5])
    control = Control.open(str(tmp_path / "control.db"))
    monitor = Monitor(
        watch=matured.watch,
        schema=SCHEMA,
        reference=Reference.fit(frames[0][["amount", "p"]].to_numpy(), SCHEMA, ("score",)),
        digest="r",
        windows=control.windows,
        matured=matured,
        done=tmp_path / "feed.json",
    )

    def look(now):
        reads.clear()
        found = monitor.look(now)
        names = [name for name in reads if not name.startswith("labels")]
        return names, len(found.new), [(one.start / DAY, one.seen.value, one.labelled) for one in found.outcomes], found

    assert look(2 * DAY)[:3] == (["0", "1", "2", "3"], 2, [])
    first = look(4 * DAY)
    assert first[:3] == (["0", "1", "2", "3"], 2, [(0.0, "pass", 800), (1.0, "inconclusive", 5)])
    assert not any("belong to none" in text for one in first[3].outcomes for text in one.told)
    assert look(4.5 * DAY)[:3] == (["1"], 0, [(1.0, "inconclusive", 5)]), "one is decided, two are too young"
    came(tmp_path, "labels1", frames[1])
    last = look(5 * DAY)
    assert last[:2] == (["1", "2"], 1), "day 4 is told as silent"
    assert last[2] == [(1.0, "pass", 800), (2.0, "inconclusive", 0)]
    assert (last[3].late, last[3].twice) == (0, 0)
    control.close()
