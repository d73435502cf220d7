"""A day and a half of a bank's payments, hour by hour, as `temper monitor` sees it: customers change, somebody tries
the model out, a feed breaks, nothing comes, labels come late.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from temper.core.alert import Alerting, Receiver
from temper.core.incident import Severity
from temper.core.outcome import Truth
from temper.core.requirement import Policy, Requirement
from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Watch
from temper.kernels.cbpe import Calibrator
from temper.monitoring.coded import coded
from temper.monitoring.matured import Matured
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.monitoring.telling import teller_of
from temper.store.control import Control
from unit.web_desk import NOW

HOUR = 3_600.0
EDGE = 0.5
COUNTRIES = ("NL", "DE", "BE", "FR", "GB", "PL", "other")
CHANNELS = ("app", "web", "branch")
SCHEMA = Schema(
    columns=(
        Column(name="amount", attacker=Mutability.FREE, low=0.0),
        Column(name="distance_km", attacker=Mutability.FREE, low=0.0),
        Column(name="age_of_account"),
        Column(name="hour", type="integer"),
        Column(name="payments_of_week", type="integer"),
        Column(name="country", type="category", categories=COUNTRIES),
        Column(name="channel", type="category", categories=CHANNELS),
        Column(name="device_risk", missing=True),
    )
)
PROMISES = Policy(
    name="payments",
    requirements=(
        Requirement(id="accuracy", metric="performance.accuracy", at_least=0.93),
        Requirement(id="recall", metric="performance.recall", at_least=0.15),
    ),
)
MADE_FOR = (0.52, 0.2, 0.12, 0.06, 0.05, 0.03, 0.02)
ABROAD = (0.3, 0.16, 0.1, 0.06, 0.14, 0.2, 0.04)


def payments(rng: Any, n: int, hour: int, mix: tuple[float, ...] = MADE_FOR, age: float = 6.6) -> pd.DataFrame:
    """Rows of an hour, with the model's score and what became of them."""
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(3.6, 1.0, n).round(2),
            "distance_km": rng.gamma(0.8, 30.0, n).round(1),
            "age_of_account": rng.lognormal(age, 0.8, n).round(),
            "hour": rng.integers(0, 24, n),
            "payments_of_week": rng.poisson(4.0, n),
            "country": rng.choice(COUNTRIES, n, p=mix),
            "channel": rng.choice(CHANNELS, n, p=(0.6, 0.35, 0.05)),
            "device_risk": rng.beta(2.0, 8.0, n).round(4),
            "account": [f"c{one}" for one in rng.integers(0, 40_000, n)],
        }
    )
    return frame.assign(score=_scores(frame, rng)).assign(
        at=hour * HOUR + np.sort(rng.uniform(0.0, HOUR, n)), request=[f"{hour}-{at}" for at in range(n)]
    )


def _scores(frame: pd.DataFrame, rng: Any) -> Any:
    far, fresh = np.log1p(frame.distance_km) - 3.0, 6.0 - np.log1p(frame.age_of_account)
    z = 1.2 * (np.log1p(frame.amount) - 3.6) + 1.1 * far + 0.9 * fresh + 9.0 * (frame.device_risk - 0.2)
    return 1.0 / (1.0 + np.exp(4.2 - z - rng.normal(0.0, 0.6, len(frame))))


def campaign(rng: Any, frame: pd.DataFrame, many: int = 150) -> pd.DataFrame:
    """The same with payments that somebody has brought just below the threshold, one case of them step by step."""
    rows = rng.choice(len(frame), many, replace=False)
    frame.loc[rows, "score"] = rng.uniform(0.462, 0.4999, many)
    walked = frame.index[rows[:14]].sort_values()
    fixed = ["age_of_account", "hour", "payments_of_week", "country", "channel", "device_risk", "account"]
    frame.loc[walked, fixed] = frame.loc[walked[0], fixed].to_numpy()
    frame.loc[walked, "score"] = np.linspace(0.86, 0.501, len(walked))
    return frame.assign(fraud_of_campaign=np.isin(np.arange(len(frame)), rows))


def hour_of(at: int, rows: int) -> pd.DataFrame | None:
    """What came in one of the 36 hours."""
    rng, hour = np.random.Generator(np.random.Philox(key=at)), round(NOW / HOUR) - 36 + at
    if at in (25, 26):
        return None
    if 12 <= at < 18:
        grown = min(1.0, (at - 11) / 4.0)
        mix = tuple(one + grown * (other - one) for one, other in zip(MADE_FOR, ABROAD, strict=True))
        return payments(rng, rows, hour, mix, 6.6 - 0.6 * grown)
    frame = payments(rng, rows // 8 if at == 27 else rows, hour)
    if at == 24:
        frame["amount"] *= 100.0
        frame.loc[rng.random(len(frame)) < 0.4, "device_risk"] = np.nan
    return campaign(rng, frame) if at in (20, 21, 22, 34, 35) else frame


def filled(control: Control, folder: Path, hours: range = range(36), rows: int = 2_400) -> None:
    """Let monitor, labels and alerts look at these hours, as they would have hour by hour, up to `NOW`."""
    known = payments(np.random.Generator(np.random.Philox(key=99)), 8_000, 0)
    (folder / "payments").mkdir()
    (folder / "labels").mkdir()
    watch = Watch(feed=str(folder / "payments"), time="at", id="request", client="account", score="score", window=HOUR)
    monitor = Monitor(
        watch=watch,
        schema=SCHEMA,
        reference=_reference(known),
        digest="r",
        windows=control.windows,
        matured=_matured(control, watch, known, folder),
        done=folder / "feed.json",
    )
    to = (
        Receiver(name="log", kind="log", options={"path": str(folder / "alerts.jsonl")}),
        Receiver(
            name="desk", kind="webhook", options={"url": "http://127.0.0.1:9/alerts", "secret_env": "TEMPER_HOOK"}
        ),
        Receiver(name="pager", kind="log", least=Severity.MAJOR, options={"path": str(folder / "pager.jsonl")}),
    )
    teller = teller_of(Alerting(receivers=to, absent=2, escalate=4 * HOUR), watch, "r", control)
    teller.begin(NOW - 37 * HOUR)
    for at in hours:
        now = NOW - (35 - at) * HOUR + 60.0
        frame = hour_of(at, rows)
        if frame is not None:
            _labelled(frame, at, folder)
            frame.drop(columns="fraud_of_campaign", errors="ignore").to_parquet(
                folder / "payments" / f"{at:02}.parquet"
            )
        monitor.look(now)
        teller.tell(_still(now))


def _still(now: float) -> Callable[[], float]:
    return lambda: now


def _labelled(frame: pd.DataFrame, at: int, folder: Path) -> None:
    """What became of payments: mostly as the score says, always fraud in the campaign; some labels never come."""
    rng = np.random.Generator(np.random.Philox(key=1_000 + at))
    fraud = rng.random(len(frame)) < frame.score
    fraud |= frame.get("fraud_of_campaign", pd.Series(False, frame.index)).to_numpy(dtype=bool)
    told = pd.DataFrame({"request": frame.request, "fraud": fraud.astype(int), "at": frame["at"] + 5 * HOUR})
    told[rng.random(len(frame)) < 0.985].to_parquet(folder / "labels" / f"{at:02}.parquet")


def _reference(known: pd.DataFrame) -> Reference:
    x = np.column_stack([coded(known, SCHEMA)[0], known.score])
    return Reference.fit(x, SCHEMA, ("score",), threshold=EDGE)


def _matured(control: Control, watch: Watch, known: pd.DataFrame, folder: Path) -> Matured:
    rng = np.random.Generator(np.random.Philox(key=98))
    return Matured(
        truth=Truth(labels=str(folder / "labels"), label="fraud", maturity=6 * HOUR),
        watch=watch,
        schema=SCHEMA,
        classes=("0", "1"),
        edge=EDGE,
        policy=PROMISES,
        cost=None,
        calibrator=Calibrator.fit(known.score.to_numpy(), (rng.random(len(known)) < known.score).to_numpy()),
        digest="r",
        outcomes=control.windows.outcomes,
    )
