"""The columns of one payment, what a fraudster can set in them, and the formulas that tie them together."""

from __future__ import annotations

from temper.core.schema import Column, Mutability, Schema

SEGMENTS = ("student", "household", "senior", "business")
RAILS = ("batch", "instant", "abroad")
AMOUNT_LIMIT = 25_000.0
LOWEST = 1.0
LOGIN_LIMIT = 3_600.0
STEPS = (3, 120)
OLDEST = 7_300.0

FEE = "max(0.1, round(amount * (0.2 + 0.3 * (rail == 1) + 1.3 * (rail == 2))) / 100)"
RELATIONS = (
    "amount <= limit_left",
    "balance_after >= 0",
    "since_login >= 0.5 * session_steps",
    # A payee that was paid before is that payee: it cannot be exchanged for an older account.
    "payee_known * abs(payee_age - was(payee_age)) <= 0",
)
LEAST_PACE = 0.5


def schema() -> Schema:
    """Eighteen columns in the order of the model's matrix; amounts in euros, `since_login` in seconds.

    The fraudster sets five: amount, seconds since login, steps of the session, age of the payee account (aged mule
    accounts are bought) and whether the device has served other payers. Six more follow by formula; the victim's own
    figures stay.
    """
    return Schema(columns=(*_money(), *_session(), *_parties()), relations=RELATIONS)


def _money() -> tuple[Column, ...]:
    costly, derived = Mutability.COSTLY, Mutability.DERIVED
    return (
        Column(name="amount", low=LOWEST, high=AMOUNT_LIMIT, attacker=costly, cost=1.0, scale=300.0),
        Column(name="rail", type="category", categories=RAILS),
        Column(name="fee", low=0.0, attacker=derived, formula=FEE, scale=2.0),
        Column(
            name="balance_after",
            low=0.0,
            attacker=derived,
            # Money is conserved: what is not sent, and not paid as a fee, stays on the account.
            formula="was(balance_after) + was(amount) + was(fee) - amount - fee",
            scale=1_000.0,
        ),
        Column(
            name="drain",
            low=0.0,
            high=1.0,
            attacker=derived,
            formula="(amount + fee) / (balance_after + amount + fee)",
            scale=0.2,
        ),
        Column(name="usual_amount", low=LOWEST, scale=100.0),
        Column(name="times_usual", low=0.0, attacker=derived, formula="amount / usual_amount", scale=2.0),
        Column(name="limit_left", low=LOWEST, scale=1_000.0),
    )


def _session() -> tuple[Column, ...]:
    costly, derived = Mutability.COSTLY, Mutability.DERIVED
    return (
        Column(name="since_login", low=2.0, high=LOGIN_LIMIT, attacker=costly, cost=0.2, scale=60.0),
        Column(
            name="session_steps",
            type="integer",
            low=STEPS[0],
            high=STEPS[1],
            attacker=costly,
            cost=0.3,
            scale=6.0,
        ),
        Column(name="pace", low=0.0, attacker=derived, formula="since_login / session_steps", scale=5.0),
        Column(name="rhythm", low=0.0, scale=0.3),
        Column(name="device_reused", type="boolean", attacker=costly, cost=2.5),
        Column(name="gap_hours", low=0.0, scale=48.0),
    )


def _parties() -> tuple[Column, ...]:
    costly, derived = Mutability.COSTLY, Mutability.DERIVED
    return (
        Column(name="segment", type="category", categories=SEGMENTS, sensitive=True),
        Column(name="payee_age", low=0.0, high=OLDEST, attacker=costly, cost=1.5, scale=180.0),
        Column(name="payee_known", type="boolean"),
        Column(
            name="payee_inflow",
            low=0.0,
            attacker=derived,
            # What this payee received in 24 hours, this payment included.
            formula="was(payee_inflow) + amount - was(amount)",
            scale=1_000.0,
        ),
    )
