"""From a strategy to orders: victims are found, mules hired, and what the genes say is done."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.demos.held_out_bank.accounts import Accounts
from temper.demos.held_out_bank.columns import INSTANT, STANDARD, WEB
from temper.demos.held_out_bank.deeds import Deeds
from temper.demos.held_out_bank.orders import Orders
from temper.demos.held_out_bank.payees import Payees
from temper.demos.held_out_bank.people import People
from temper.demos.held_out_bank.rings import Gene, Rings

Array = np.ndarray[Any, Any]

MULES = 3  # accounts a ring holds at once
CUT = 0.25  # of what arrives, for whoever lends the account

_LOOKED_AT = 4  # accounts a ring chooses a victim from
_PARTS = 4
_FRESH = 25.0  # days that an account opened for the purpose has waited
_PRICE = {"deed": 12.0, "mule": 15.0, "aged": 40.0, "coached": 60.0, "patient": 30.0, "calm": 5.0, "mimic": 10.0}


class Trade:
    """The mule accounts of all rings, and how deeds are done; `closed` (mules,) is the day each is found out."""

    def __init__(self, rings: int) -> None:
        self.closed = np.zeros(rings * MULES)

    def deeds(
        self, rings: Rings, people: People, accounts: Accounts, payees: Payees, today: int, rng: np.random.Generator
    ) -> tuple[Deeds, Orders]:
        """What all rings do today, and the orders it is made of."""
        ring, variant, genes = rings.tries(today, rng)
        size = len(ring)
        seen = rng.integers(0, len(people), (size, _LOOKED_AT))
        ranked = np.take_along_axis(seen, np.argsort(accounts.balance[seen], axis=1), axis=1)
        victim = ranked[np.arange(size), (genes[:, Gene.RICH] * (_LOOKED_AT - 0.01)).astype(int)]
        coached = rng.uniform(size=size) < 0.9 * genes[:, Gene.COACHED]
        mule, hired = self._hired(ring, genes, payees, today, rng)
        delay = np.where(coached, rng.lognormal(2.5, 1.0, size), rng.lognormal(0.4, 0.8, size))
        never = rng.uniform(size=size) < np.where(coached, 0.35, 0.1)
        deeds = Deeds(
            ring=ring,
            variant=variant,
            genes=genes,
            actor=rings.actor[ring],
            victim=victim,
            coached=coached,
            mule=mule,
            cost=_cost(genes, coached, hired),
            reported=np.where(never, np.inf, np.ceil(delay)),
        )
        np.minimum.at(self.closed, mule - payees.ordinary, today + deeds.reported)
        return deeds, _orders(deeds, people, accounts, today, rng)

    def _hired(
        self, ring: Array, genes: Array, payees: Payees, today: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """(payee, whether it is a new one) for each deed: a mule that was found out, or served enough, is replaced."""
        place = ring * MULES + rng.integers(0, MULES, len(ring))
        new = (self.closed[place] <= today) | (rng.uniform(size=len(ring)) < genes[:, Gene.SPREAD])
        payee, like = payees.ordinary + place, rng.integers(0, payees.ordinary, len(ring))
        lent = rng.uniform(size=len(ring)) < 0.3 + 0.7 * genes[:, Gene.AGED]  # by somebody who has a life of their own
        age = rng.exponential(_FRESH, len(ring))
        payees.opened[payee[new]] = np.where(lent, payees.opened[like], np.floor(today - age))[new]
        payees.inflow[payee[new]] = np.where(lent, payees.inflow[like], 0.0)[new]
        self.closed[place[new]] = np.inf
        return payee, new


def _cost(genes: Array, coached: Array, hired: Array) -> Array:
    """Dollars that a deed costs whether or not it succeeds."""
    mules = hired * (_PRICE["mule"] + _PRICE["aged"] * genes[:, Gene.AGED])
    look = _PRICE["calm"] * genes[:, Gene.CALM] + _PRICE["mimic"] * genes[:, Gene.MIMIC]
    access = np.where(coached, _PRICE["coached"], _PRICE["patient"] * genes[:, Gene.PATIENT])
    cost: Array = _PRICE["deed"] + mules + look + access
    return cost


def _orders(deeds: Deeds, people: People, accounts: Accounts, today: int, rng: np.random.Generator) -> Orders:
    """The payments of each deed: perhaps a small one first, then the amount in one to four parts."""
    genes = deeds.genes
    parts = 1 + (genes[:, Gene.SPLIT] * (_PARTS - 0.01)).astype(int)
    prelude = (rng.uniform(size=len(parts)) < genes[:, Gene.PRELUDE]).astype(int)
    deed = np.repeat(np.arange(len(parts)), parts + prelude)
    turn = np.arange(len(deed)) - np.repeat(np.cumsum(parts + prelude) - parts - prelude, parts + prelude)
    who, gene = deeds.victim[deed], genes[deed]
    amount = np.where(
        turn < prelude[deed],
        rng.uniform(3.0, 15.0, len(deed)),
        _wanted(deeds, accounts, rng)[deed] / parts[deed] * rng.lognormal(0.0, 0.1, len(deed)),
    )
    mimics = deeds.coached[deed] | (rng.uniform(size=len(deed)) < gene[:, Gene.MIMIC])
    slow = rng.uniform(size=len(deed)) < 0.85 - 0.5 * gene[:, Gene.MIMIC]
    start = np.where(rng.uniform(size=len(parts)) < genes[:, Gene.NIGHT], rng.uniform(0.0, 6.0, len(parts)), 0.0)
    start = np.where(start > 0.0, start, people.hours(deeds.victim, rng))
    pause = (0.05 + rng.exponential(0.3, len(deed)) * (1.0 + 4.0 * gene[:, Gene.CALM])) * turn
    return Orders(
        who=who,
        payee=deeds.mule[deed],
        amount=np.maximum(np.round(amount, 2), 1.0),
        hour=np.minimum(start[deed] + pause, 23.99),
        rail=np.where(slow, INSTANT, STANDARD),
        channel=np.where(mimics, people.channel[who], WEB),
        session=np.round(_session(deeds, rng)[deed], 2),
        device_age=np.round(_device(deeds, people, today, rng)[deed], 2),
        deed=deed,
    )


def _wanted(deeds: Deeds, accounts: Accounts, rng: np.random.Generator) -> Array:
    """The whole amount: times what the victim is used to, as far as the balance goes."""
    times = np.exp(0.5 + 3.2 * deeds.genes[:, Gene.AMOUNT]) * rng.lognormal(0.0, 0.3, len(deeds.ring))
    return np.clip(accounts.usual[deeds.victim] * times, 5.0, np.maximum(0.9 * accounts.balance[deeds.victim], 5.0))


def _session(deeds: Deeds, rng: np.random.Generator) -> Array:
    calm, size = deeds.genes[:, Gene.CALM], len(deeds.ring)
    own = rng.lognormal(1.6 - 0.8 * calm, 0.7)
    return np.where(deeds.coached, own, rng.lognormal(-0.3 + 1.3 * calm, 0.7, size))


def _device(deeds: Deeds, people: People, today: int, rng: np.random.Generator) -> Array:
    """Days that the device is known: the victim's own, or one that was enrolled for the purpose."""
    fresh = rng.exponential(1.0 + 60.0 * deeds.genes[:, Gene.PATIENT] ** 2)
    return np.where(deeds.coached, today - people.device[deeds.victim] + 0.5, fresh)
