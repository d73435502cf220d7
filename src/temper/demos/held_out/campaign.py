"""Fraud campaigns: a mule network, a few devices, a way of acting, and victims who come in bursts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.demos.held_out.arrivals import hawkes
from temper.demos.held_out.people import People
from temper.demos.held_out.session import COACHED, INTRUDER, act
from temper.demos.held_out.wish import Wishes, in_order

Array = np.ndarray[Any, Any]

_SIZE = 16.0  # wished payments of one campaign, on average
_BRANCHING = 0.75


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign:
    """`takeover` (the fraudster acts) or a scam (the victim is talked into it); `mules`, `mule_ages` (days at the
    start), `devices`, `probes` (share of small trial payments), `greed` (typical share of the balance).
    """

    hours: Array
    takeover: bool
    mules: Array
    mule_ages: Array
    devices: Array
    probes: float
    greed: float


def fraud(people: People, days: int, count: int, rng: np.random.Generator) -> Wishes:
    """`count` wished fraudulent payments of many campaigns, thinned at random to that number."""
    groups: list[Wishes] = []
    while sum(len(group) for group in groups) < count:
        groups.append(_payments(_plan(people, days, len(groups), rng), people, rng))
    wishes = in_order(*groups)
    return wishes.take(np.sort(rng.choice(len(wishes), count, replace=False)))


def _plan(people: People, days: int, number: int, rng: np.random.Generator) -> Campaign:
    start = rng.uniform(0.0, 24.0 * days)
    hours = hawkes(_SIZE * (1 - _BRANCHING), (start, start + 120.0), _BRANCHING, 3.0, rng)
    mules = int(rng.integers(3, 14))
    aged = rng.uniform() < 0.35  # networks of recruited, long-standing accounts instead of freshly opened ones
    ages = rng.lognormal(6.2, 0.9, mules) if aged else rng.lognormal(3.6, 1.0, mules)
    farm = int(rng.choice((1, 2, 40), p=(0.4, 0.3, 0.3)))
    return Campaign(
        hours=hours[hours < 24.0 * days],
        takeover=bool(rng.uniform() < 0.6),
        mules=len(people.payee_age) + 100 * number + np.arange(mules),
        mule_ages=np.minimum(ages, 5_000.0),
        devices=2 * len(people) + 100 * number + np.arange(farm),
        probes=float(rng.uniform(0.0, 0.3)),
        greed=float(rng.uniform(0.03, 0.35)),
    )


def _payments(plan: Campaign, people: People, rng: np.random.Generator) -> Wishes:
    count = len(plan.hours)
    payer = _victims(plan, people, rng)
    mule = rng.integers(0, len(plan.mules), count)
    rank, login, steps, rhythm = act(INTRUDER if plan.takeover else COACHED, count, rng)
    probe = rng.uniform(size=count) < (plan.probes if plan.takeover else 0.0)
    greed = np.clip(plan.greed * np.exp(0.5 * (2 * rank - 1) + 0.3 * rng.normal(size=count)), 0.02, 0.97)
    return Wishes(
        hour=plan.hours,
        payer=payer,
        payee=plan.mules[mule],
        payee_age=plan.mule_ages[mule] + plan.hours / 24.0,
        device=rng.choice(plan.devices, count) if plan.takeover else people.device[payer],
        amount=np.where(probe, np.exp(rng.normal(2.0, 0.6, count)), np.nan),
        share=np.where(probe, np.nan, greed),
        rail=rng.choice(3, count, p=(0.12, 0.68, 0.20)),
        since_login=login,
        session_steps=steps,
        rhythm=rhythm,
        fraud=np.ones(count, dtype=np.int64),
    )


def _victims(plan: Campaign, people: People, rng: np.random.Generator) -> Array:
    """Takeovers hit whose credentials leaked, which is anybody; scams find the trusting."""
    weight = np.ones(len(people)) if plan.takeover else people.trusting**2
    return rng.choice(len(people), len(plan.hours), p=weight / weight.sum())
