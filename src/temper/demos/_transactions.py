"""A seeded world of card payments: customers, terminals, honest payments and three patterns of fraud. SIMULATED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Column = np.ndarray[Any, Any]
Payments = dict[str, Column]

GROCERY, FUEL, RESTAURANT, FASHION, ELECTRONICS, TRAVEL, DIGITAL, CASH = range(8)
CHIP, CONTACTLESS, ONLINE, SWIPE = range(4)
HONEST, BURST, SKIMMED, TAKEOVER = range(4)
PATTERNS = ("none", "card-not-present burst", "skimmed terminal", "account takeover")

_SIDE = 120.0  # km: customers and terminals live in a square of this side
_LEVEL = np.array([0.7, 0.9, 0.8, 1.4, 2.2, 2.6, 0.5, 1.5])  # typical amount of a category, times the customer's level
_MIX = np.array([0.30, 0.10, 0.18, 0.12, 0.07, 0.04, 0.11, 0.08])  # share of terminals per category
_ONLINE = np.array([0.1, 0.0, 0.1, 0.4, 0.5, 0.7, 1.0, 0.0])  # chance that a terminal of a category is a web shop
_DECLINED = np.array([0.08, 0.9, 0.5, 1.1])  # refused attempts on the card in the last week, by pattern
_CONTACT = np.array([0.03, 0.08, 0.03, 0.65])  # chance that phone or address was changed in the last month, by pattern
_NEAR = 12  # local terminals a customer goes to


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Home in km, typical amount, payments per day, usual hour, account limit, age band, tenure; arrays (n,)."""

    x: Column
    y: Column
    level: Column
    rhythm: Column
    hour: Column
    limit: Column
    age: Column
    tenure: Column
    local: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminals:
    """Place in km, category and whether it is a web shop; arrays (m,)."""

    x: Column
    y: Column
    category: Column
    web: Column


def terminals(rng: np.random.Generator, count: int) -> Terminals:
    """Shops over the square; a web shop's place is its registered seat, often far away."""
    category = rng.choice(8, count, p=_MIX)
    web = rng.random(count) < _ONLINE[category]
    spread = np.where(web, 3.0, 1.0)
    x, y = ((rng.random(count) - 0.5) * spread * _SIDE for _ in range(2))
    return Terminals(x=x, y=y, category=category, web=web)


def customers(rng: np.random.Generator, count: int, shops: Terminals) -> Customers:
    """People with a home, a spending level, a rhythm and the local shops they go to (`local` is (n, 12))."""
    x, y = ((rng.random(count) - 0.5) * _SIDE for _ in range(2))
    level = rng.lognormal(3.4, 0.55, count)
    away = np.hypot(x[:, None] - shops.x, y[:, None] - shops.y) + np.where(shops.web, 1e6, 0.0)
    return Customers(
        x=x,
        y=y,
        level=level,
        rhythm=rng.gamma(3.0, 0.4, count),
        hour=rng.normal(14.5, 2.0, count),
        limit=np.clip(np.round(level * rng.uniform(18, 45, count), -2), 300, 5000),
        age=rng.choice(4, count, p=[0.22, 0.3, 0.28, 0.2]),
        tenure=np.minimum(rng.gamma(2.0, 40.0, count), 600).astype(int),
        local=np.argsort(away, axis=1)[:, :_NEAR],
    )


def honest(rng: np.random.Generator, people: Customers, shops: Terminals, days: int) -> Payments:
    """What the customers do themselves: mostly near home, in the daytime, at their own level."""
    counts = rng.poisson(people.rhythm[:, None], (len(people.x), days))
    who, day = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    size = len(who)
    near = people.local[who, np.minimum(rng.geometric(0.22, size) - 1, _NEAR - 1)]
    web = np.flatnonzero(shops.web)
    place = np.where(rng.random(size) < 0.17, rng.choice(web, size), near)
    place = np.where(rng.random(size) < 0.07, rng.integers(len(shops.x), size=size), place)  # travelling
    treat = np.where(rng.random(size) < 0.05, rng.uniform(2, 6, size), 1.0)  # a large purchase now and then
    amount = people.level[who] * _LEVEL[shops.category[place]] * rng.lognormal(0.0, 0.5, size) * treat
    hour = np.where(rng.random(size) < 0.12, rng.integers(0, 24, size), rng.normal(people.hour[who], 4.0))
    return _payments(rng, who, day, place, amount, hour, HONEST, shops)


def burst(rng: np.random.Generator, people: Customers, shops: Terminals, days: Column, drifted: bool) -> Payments:
    """Stolen card numbers used in web shops for one to three days, amounts far above the customer's usual ones.

    After the drift: smaller amounts, in the daytime, in grocery and fashion web shops.
    """
    victims = rng.integers(len(people.x), size=len(days))
    each = rng.integers(4, 11, size=len(days))
    who = np.repeat(victims, each)
    day = np.repeat(days, each) + rng.integers(0, 3, len(who))
    wanted = (GROCERY, FASHION) if drifted else (ELECTRONICS, DIGITAL, TRAVEL)
    place = rng.choice(np.flatnonzero(shops.web & np.isin(shops.category, wanted)), len(who))
    factor = rng.uniform(0.8, 2.0, len(who)) if drifted else rng.uniform(1.2, 6.0, len(who))
    hour = rng.normal(14, 4, len(who)) if drifted else rng.integers(0, 24, len(who))
    return _payments(rng, who, day, place, people.level[who] * factor, hour, BURST, shops)


def skimmed(rng: np.random.Generator, people: Customers, shops: Terminals, days: Column, drifted: bool) -> Payments:
    """Card copies made at a terminal are used there for eighteen days: strangers to the place, by magnetic stripe.

    After the drift the copies are contactless and used by people who live near.
    """
    physical = np.flatnonzero(~shops.web & np.isin(shops.category, (FUEL, CASH, RESTAURANT, GROCERY)))
    hit = rng.choice(physical, len(days), replace=len(days) > len(physical))
    each = rng.poisson(18, len(days)) + 1
    place = np.repeat(hit, each)
    day = np.repeat(days, each) + rng.integers(0, 18, len(place))
    away = np.hypot(people.x[:, None] - shops.x[hit], people.y[:, None] - shops.y[hit])
    near = np.argsort(away, axis=0)[:25].T
    local = near[np.repeat(np.arange(len(days)), each), rng.integers(0, near.shape[1], len(place))]
    who = local if drifted else rng.integers(len(people.x), size=len(place))
    amount = people.level[who] * rng.lognormal(0.5, 0.5, len(who))
    made = _payments(rng, who, day, place, amount, rng.normal(16, 5, len(who)), SKIMMED, shops)
    made["channel"] = np.where(rng.random(len(who)) < 0.5, CONTACTLESS if drifted else SWIPE, made["channel"])
    return made


def takeover(rng: np.random.Generator, people: Customers, shops: Terminals, days: Column, drifted: bool) -> Payments:
    """An account in other hands for two to five days: small tests first, then large payments, far off and at night.

    After the drift: no tests, in the daytime, and moderate amounts.
    """
    victims = rng.integers(len(people.x), size=len(days))
    each = rng.integers(5, 12, size=len(days))
    who, start = np.repeat(victims, each), np.repeat(days, each)
    turn = np.arange(len(who)) - np.repeat(np.cumsum(each) - each, each)
    day = start + turn // 3
    away = np.hypot(people.x[who] - shops.x[:, None], people.y[who] - shops.y[:, None]).T
    place = np.argsort(away + rng.normal(0, 30, away.shape), axis=1)[:, -1 - rng.integers(0, len(shops.x) // 3)]
    large = people.level[who] * (rng.uniform(1.0, 2.5, len(who)) if drifted else rng.uniform(1.0, 5.0, len(who)))
    amount = np.where((turn < 2) & (not drifted), rng.uniform(0.5, 4.0, len(who)), large)
    hour = rng.normal(13, 4, len(who)) if drifted else rng.integers(20, 32, len(who)) % 24
    return _payments(rng, who, day, place, amount, hour, TAKEOVER, shops)


def _payments(
    rng: np.random.Generator,
    who: Column,
    day: Column,
    place: Column,
    amount: Column,
    hour: Any,
    pattern: int,
    shops: Terminals,
) -> Payments:
    size = len(who)
    in_person = rng.choice([CHIP, CONTACTLESS, SWIPE], size, p=[0.38, 0.5, 0.12])
    return {
        "customer": who,
        "day": day,
        "terminal": place,
        "amount": amount,
        "hour": np.clip(np.floor(hour), 0, 23).astype(int),
        "channel": np.where(shops.web[place], ONLINE, in_person),
        "merchant_category": shops.category[place],
        "declined_7d": rng.poisson(_DECLINED[pattern], size),
        "contact_changed": (rng.random(size) < _CONTACT[pattern]).astype(int),
        "pattern": np.full(size, pattern),
    }
