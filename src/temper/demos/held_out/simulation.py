"""From agents to a table: populate, wish, replay, derive, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.expression import parse
from temper.core.seed import Draws
from temper.demos.held_out.campaign import fraud
from temper.demos.held_out.columns import RAILS, SEGMENTS, schema
from temper.demos.held_out.ledger import replay
from temper.demos.held_out.ordinary import ordinary
from temper.demos.held_out.people import People, populate
from temper.demos.held_out.wish import Wishes, in_order

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

FRAUD_RATE = 0.015
FALSE_CLAIMS = 0.01  # share of honest payments claimed to be fraud, as a part of the label noise
_RATIOS = ("drain", "times_usual", "pace")


def generate(seed: int = 0, payers: int = 2_700, days: int = 60, label_noise: float = 0.04) -> pd.DataFrame:
    """SIMULATED payments in order of time: the columns of `schema()`, then `is_fraud`, by `hour` since the start.

    About 0.25 payments per payer and day, 1.5 % of them fraud. `is_fraud` is what was reported: a share `label_noise`
    of the frauds never is, and a hundredth of that share of honest payments is claimed to be. Raises `TemperError` for
    sizes that leave no fraud.

    >>> generate(payers=200, days=10).columns[0]
    'amount'
    """
    if payers < 50 or days < 5 or not 0.0 <= label_noise < 1.0:
        raise TemperError(
            f"generate got payers={payers}, days={days}, label_noise={label_noise}",
            fix="use at least 50 payers and 5 days, and a label_noise in [0, 1)",
        )
    rng = Draws(seed, "demos.held_out")
    people = populate(payers, rng.child("people").generator())
    honest = ordinary(people, days, rng.child("ordinary").generator())
    count = max(round(FRAUD_RATE * len(honest)), 1)
    wishes = in_order(honest, fraud(people, days, count, rng.child("fraud").generator()))
    return _table(people, wishes, label_noise, rng.child("report").generator())


def _table(people: People, wishes: Wishes, label_noise: float, rng: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    booked = {name: np.asarray(values) for name, values in replay(people, wishes).items()}
    made = wishes.take(booked.pop("wish"))
    codes = booked | {
        "rail": made.rail,
        "segment": people.segment[made.payer],
        "since_login": made.since_login,
        "session_steps": made.session_steps.astype(np.int64),
        "rhythm": made.rhythm,
        "payee_age": np.round(made.payee_age, 2),
    }
    codes |= _derived(codes)
    shown = codes | {"rail": np.array(RAILS)[made.rail], "segment": np.array(SEGMENTS)[codes["segment"]]}
    frame = pd.DataFrame({name: shown[name] for name in schema().names})
    frame["is_fraud"] = _report(made.fraud, label_noise, rng)
    return frame.set_index(pd.Index(np.round(made.hour, 4), name="hour"))


def _derived(codes: dict[str, Array]) -> dict[str, Array]:
    """Ratios by the very formulas of the schema, so that recomputing them gives what was recorded."""
    formulas = {column.name: column.formula for column in schema().columns if column.name in _RATIOS}
    return {name: parse(formula).value(codes, codes) for name, formula in formulas.items()}


def _report(fraud: Array, label_noise: float, rng: np.random.Generator) -> Array:
    luck = rng.uniform(size=len(fraud))
    missed = (fraud == 1) & (luck < label_noise)
    claimed = (fraud == 0) & (luck < FALSE_CLAIMS * label_noise)
    return np.where(missed, 0, np.where(claimed, 1, fraud)).astype(np.int64)
