"""The columns of one credit transfer, what a fraudster can set in them, and the formulas that tie them together."""

from __future__ import annotations

from temper.core.schema import Column, Mutability, Schema

RAILS = ("standing", "standard", "instant")
CHANNELS = ("app", "web", "desk")
STANDING, STANDARD, INSTANT = range(3)
APP, WEB, DESK = range(3)
LOWEST = 0.5
OLDEST = 4_000.0


def schema() -> Schema:
    """Sixteen columns in the order of the model's matrix; amounts in dollars, ages in days, `session` in minutes.

    A fraudster sets seven: amount, hour, rail, channel, session, the age of the device and that of the payee's account
    (aged ones are bought). Two follow by formula; what the victim's account and the payee's past say stays.

    >>> schema().names[:3]
    ('amount', 'hour', 'rail')
    """
    return Schema(columns=(*_order(), *_payer(), *_payee()))


def _order() -> tuple[Column, ...]:
    free, costly = Mutability.FREE, Mutability.COSTLY
    return (
        Column(name="amount", low=LOWEST, high=50_000.0, attacker=free, scale=200.0),
        Column(name="hour", low=0.0, high=24.0, attacker=free, scale=4.0),
        Column(name="rail", type="category", categories=RAILS, attacker=free),
        Column(name="channel", type="category", categories=CHANNELS, attacker=costly, cost=0.5),
        Column(name="session", low=0.0, high=240.0, attacker=costly, cost=0.2, scale=3.0),
        Column(name="device_age", low=0.0, high=OLDEST, attacker=costly, cost=1.0, scale=30.0),
    )


def _payer() -> tuple[Column, ...]:
    derived = Mutability.DERIVED
    return (
        Column(name="usual", low=LOWEST, scale=50.0),
        Column(name="balance", low=LOWEST, scale=1_000.0),
        Column(name="times_usual", low=0.0, attacker=derived, formula="amount / usual", scale=2.0),
        Column(name="drain", low=0.0, attacker=derived, formula="amount / balance", scale=0.2),
        Column(name="gap", low=0.0, high=24.0 * OLDEST, scale=24.0),
        Column(name="pace", low=0.0, scale=1.0),
        Column(name="since_payday", type="integer", low=0.0, high=29.0, scale=7.0),
    )


def _payee() -> tuple[Column, ...]:
    return (
        Column(name="paid_before", type="integer", low=0.0, scale=2.0),
        Column(name="payee_age", low=0.0, high=OLDEST, attacker=Mutability.COSTLY, cost=1.5, scale=200.0),
        Column(name="payee_inflow", low=0.0, scale=5.0),
    )
