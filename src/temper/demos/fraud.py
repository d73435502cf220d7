"""The fraud demo: SIMULATED card payments with known relations, a strong detector, and a folder to try Temper in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.demos import _transactions as world

TARGET = "is_fraud"
ALERT_RATE = 0.02
DRIFT_FROM = 0.72
"""Share of the days after which the fraudsters change what they do, when `drift` is on (inside the test days)."""

_WARM_UP = 35
_DELAY = 7
_RATES = ((world.burst, 1.1), (world.skimmed, 0.45), (world.takeover, 0.75))  # events per day and 1,000 customers
_SPLIT = (0.6, 0.72)
_PLACES = ("home_x", "home_y", "shop_x", "shop_y")
_REACH = 36  # days that the longest aggregate looks back: 28 of a terminal's frauds, 7 of delay, and today


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Frames in time order: the model learns on `train`, its threshold comes from `validation`, `test` is later."""

    train: Any
    validation: Any
    test: Any


def schema() -> Schema:
    """The columns with what a fraudster can do to them, as written in the demo's temper.yaml.

    >>> schema().columns[0].name
    'amount'
    """
    written = _document()["schema"]
    columns = tuple(_column(name, dict(settings)) for name, settings in written["columns"].items())
    return Schema(columns=columns, relations=tuple(written["relations"]))


def generate(seed: int = 0, customers: int = 1000, days: int = 60, drift: bool = False) -> Any:
    """SIMULATED payments as a DataFrame in time order: the schema's columns, `is_fraud`, and who did what.

    `day`, `customer`, `terminal` and `pattern` are the truth behind the row and never features. The same seed with
    `drift` gives the same fraudsters until the day they change. About 1,200 payments a day and 1,000 customers.
    """
    frame = _payments(seed, customers, days, drift)
    return frame[frame["day"] >= 0].drop(columns=list(_PLACES)).reset_index(drop=True)


def _payments(seed: int, customers: int, days: int, drift: bool) -> Any:
    """The frame of `generate` with the days before the first one (negative), and where customers and terminals are."""
    import pandas as pd

    if customers < 50 or days < 10:
        raise TemperError(
            f"the fraud demo needs 50 customers and 10 days, got {customers} and {days}", fix="ask for more of them"
        )
    people, shops, payments = _happenings(Draws(seed, "demos.fraud"), customers, days + _WARM_UP, drift)
    columns = payments | _features(payments, people, shops, days + _WARM_UP)
    names = {column.name: column.categories for column in schema().columns}
    table = {name: _words(columns[name], categories) for name, categories in names.items()}
    table[TARGET] = (payments["pattern"] != world.HONEST).astype(int)
    table["day"] = payments["day"] - _WARM_UP
    table |= {name: payments[name] for name in ("customer", "terminal")}
    table["pattern"] = np.array(world.PATTERNS, dtype=object)[payments["pattern"]]
    who, place = payments["customer"], payments["terminal"]
    table |= dict(zip(_PLACES, (people.x[who], people.y[who], shops.x[place], shops.y[place]), strict=True))
    return pd.DataFrame(table)


def split(frame: Any) -> Split:
    """By day: the first 60 % to learn, the next 12 % for the threshold, the rest to test; never at random."""
    last = frame["day"].max() + 1
    first, second = (int(last * share) for share in _SPLIT)
    return Split(
        train=frame[frame["day"] < first],
        validation=frame[(frame["day"] >= first) & (frame["day"] < second)],
        test=frame[frame["day"] >= second],
    )


def rows(frame: Any) -> Data:
    """The frame as a matrix of the schema (categories as codes), with `is_fraud` as truth and the index as ids."""
    matrix = np.column_stack([_codes(frame[column.name], column.categories) for column in schema().columns])
    return Data(x=matrix, y=frame[TARGET].to_numpy(dtype=np.int64), ids=frame.index.to_numpy(dtype=np.int64))


def train(frame: Any) -> Any:
    """The detector: an XGBClassifier with fixed rounds, fitted on `rows(frame)`.

    Everything but the rounds is XGBoost's default: a model file does not keep its training parameters, so only a model
    of defaults is fitted again from its file exactly as it was.
    """
    from xgboost import XGBClassifier

    data = rows(frame)
    return XGBClassifier(n_estimators=60, n_jobs=1, random_state=0).fit(data.x, data.y)


def operating_threshold(model: Any, frame: Any, alert_rate: float = ALERT_RATE) -> float:
    """The score that alerts on `alert_rate` of these payments; give it the validation days, never the test."""
    scores = model.predict_proba(rows(frame).x)[:, 1]
    return float(np.quantile(scores, 1.0 - alert_rate))


def write(folder: Path | str, seed: int = 0, customers: int = 1000, days: int = 60, drift: bool = False) -> Path:
    """Write train.parquet, test.parquet, history.parquet, model.ubj and temper.yaml into `folder`; the path of the
    temper.yaml.

    An existing temper.yaml is not overwritten.
    """
    folder = Path(folder)
    system = folder / "temper.yaml"
    if system.exists():
        raise TemperError(f"{system} is already there", fix="choose an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    known = _payments(seed, customers, days, drift)
    parts = split(known[known["day"] >= 0])
    model = train(parts.train)
    columns = [*schema().names, TARGET]
    parts.train[columns].reset_index(drop=True).to_parquet(folder / "train.parquet")
    parts.test[[*columns, "day"]].reset_index(drop=True).to_parquet(folder / "test.parquet")
    _write_history(known, int(parts.test["day"].min()), folder)
    model.save_model(folder / "model.ubj")
    threshold = operating_threshold(model, parts.validation)
    text = _template().replace("threshold: 0.5}", f"threshold: {threshold:.6f}}}")
    text = text.replace("from: 0 ", f"from: {int(parts.test['day'].min())} ")
    system.write_text(text, encoding="utf-8")
    return system


def _write_history(known: Any, start: int, folder: Path) -> None:
    """The payments that the aggregates of the test days know of, each at its hour."""
    recent = known[known["day"] >= start - _REACH].drop(columns="pattern")
    moment = (recent["day"] + recent["hour"] / 24).rename("moment")
    recent.drop(columns="day").assign(moment=moment).reset_index(drop=True).to_parquet(folder / "history.parquet")


def _happenings(
    draws: Draws, customers: int, days: int, drift: bool
) -> tuple[world.Customers, world.Terminals, world.Payments]:
    """Customers, terminals, and all payments in time order, amounts within the limits and in whole cents."""
    shops = world.terminals(draws.generator(0), max(60, customers // 2))
    people = world.customers(draws.generator(1), customers, shops)
    parts = [world.honest(draws.generator(2), people, shops, days)]
    change = _WARM_UP + int((days - _WARM_UP) * DRIFT_FROM) if drift else days
    for at, (pattern, rate) in enumerate(_RATES):
        counts = draws.generator(10 + at).poisson(rate * customers / 1000, days)
        starts = np.repeat(np.arange(days), counts)
        # Both worlds are drawn whole and cut at the day of the change, so that drift alters nothing before it.
        usual = pattern(draws.generator(20 + at), people, shops, starts, False)
        later = pattern(draws.generator(30 + at), people, shops, starts, True)
        parts += [_cut(usual, usual["day"] < change), _cut(later, later["day"] >= change)]
    payments = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((payments["customer"], payments["hour"], payments["day"]))
    order = order[payments["day"][order] < days]
    payments = _cut(payments, order)
    payments["amount"] = np.round(np.clip(payments["amount"], 0.5, people.limit[payments["customer"]]), 2)
    return people, shops, payments


def _cut(payments: world.Payments, rows: world.Column) -> world.Payments:
    return {name: column[rows] for name, column in payments.items()}


def _features(payments: world.Payments, people: world.Customers, shops: world.Terminals, days: int) -> world.Payments:
    """The columns that follow from the payments: customer and terminal attributes, aggregates, ratios."""
    who, place, amount, hour = (payments[name] for name in ("customer", "terminal", "amount", "hour"))
    km = np.round(np.hypot(people.x[who] - shops.x[place], people.y[who] - shops.y[place]), 1)
    found = _customer_windows(payments, km, days) | _terminal_windows(payments, days)
    return found | {
        "distance_km": km,
        "night": (hour < 6).astype(int) + (hour >= 22),
        "amount_ratio": amount / found["avg_amount_30d"],
        "limit_share": amount / people.limit[who],
        "limit": people.limit[who],
        "tenure_months": people.tenure[who],
        "age_band": people.age[who],
    }


def _customer_windows(payments: world.Payments, km: world.Column, days: int) -> world.Payments:
    """Counts and means over the complete days before today and this payment itself."""
    who, day, amount = payments["customer"], payments["day"], payments["amount"]
    people = int(who.max()) + 1
    past = {
        name: _cumulated(who, day, weights, people, days)
        for name, weights in (("n", None), ("sum", amount), ("km", km))
    }
    found: world.Payments = {}
    for width in (1, 7, 30):
        found[f"n_{width}d"] = _before(past["n"], who, day, width) + 1
        found[f"avg_amount_{width}d"] = (_before(past["sum"], who, day, width) + amount) / found[f"n_{width}d"]
    found["avg_km_30d"] = (_before(past["km"], who, day, 30) + km) / found["n_30d"]
    return found


def _terminal_windows(payments: world.Payments, days: int) -> world.Payments:
    """Payments and share of frauds at the terminal over 28 days; frauds are known after the delay only."""
    place, day, fraud = payments["terminal"], payments["day"], payments["pattern"] != world.HONEST
    shops = int(place.max()) + 1
    count = _cumulated(place, day, None, shops, days)
    frauds = _cumulated(place, day, fraud.astype(float), shops, days)
    known = np.maximum(day - _DELAY, 0)
    seen = _before(count, place, known, 28)
    return {
        "terminal_n_28d": _before(count, place, day, 28),
        "terminal_risk_28d": _before(frauds, place, known, 28) / np.maximum(seen, 1),
    }


def _cumulated(
    key: world.Column, day: world.Column, weights: world.Column | None, keys: int, days: int
) -> world.Column:
    """(keys, days + 1): the sum of the weights of each key on all days before a day."""
    daily = np.bincount(key * days + day, weights, keys * days).reshape(keys, days)
    return np.concatenate([np.zeros((keys, 1)), np.cumsum(daily, axis=1)], axis=1)


def _before(cumulated: world.Column, key: world.Column, day: world.Column, width: int) -> world.Column:
    window: world.Column = cumulated[key, day] - cumulated[key, np.maximum(day - width, 0)]
    return window


def _document() -> dict[str, Any]:
    import yaml

    document: dict[str, Any] = yaml.safe_load(_template())
    return document


def _template() -> str:
    return (files("temper.demos") / "fraud.yaml").read_text(encoding="utf-8")


def _column(name: str, settings: dict[str, Any]) -> Column:
    settings["attacker"] = Mutability(settings["attacker"])
    settings["categories"] = tuple(settings.get("categories", ()))
    return Column(name=name, **settings)


def _words(values: world.Column, categories: tuple[str, ...]) -> world.Column:
    return np.array(categories, dtype=object)[values] if categories else values


def _codes(values: Any, categories: tuple[str, ...]) -> world.Column:
    if not categories:
        return np.asarray(values, dtype=np.float64)
    import pandas as pd

    return np.asarray(pd.Categorical(values, categories=categories).codes, dtype=np.float64)
