"""Small seeded campaigns on both worlds of the bank: does what is measured of one hold for what is true of all?

    python -m bench.bank.campaigns              1,000 of each kind on each world
    python -m bench.bank.campaigns --quick      40 of each
    python -m bench.bank.campaigns --world held-out --campaigns 500

Everything is SIMULATED. What is judged is `temper.engine.layers.weigh`, the measurement that a real system gets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.bank._ground import Ground, grounds, passing
from bench.bank._planted import parts, planted, truth
from bench.table import goal, machine, table
from temper.core.depth import Depth, Share
from temper.engine.layers.weigh import Terms, weighed
from temper.kernels.rate import clopper_pearson

GAPS = (0.05, 0.02)
REFERENCE = 10**5
"""Seeds from here on are those of the reference, which no campaign has."""
Floats = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """A mean over many campaigns with its standard error."""

    value: float
    error: float

    @staticmethod
    def of(values: Floats) -> Expected:
        """Of one figure per campaign."""
        return Expected(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))

    def show(self) -> str:
        """As it is printed."""
        return f"{self.value:.4f} (standard error {self.error:.4f})"


def holds(share: Share, true: float) -> bool:
    """Whether the interval covers it."""
    return share.low <= true <= share.high


def rate(hits: Floats) -> str:
    """A share with its exact interval."""
    low, high = clopper_pearson(int(hits.sum()), len(hits))
    return f"{hits.mean():.3f} [{low:.3f}, {high:.3f}]"


# -- planted layers: the truth is known by construction ---------------------------------------------------------------


def by_construction(ground: Ground, many: int, gap: float) -> tuple[Floats, Floats, float]:
    """Of campaigns before PLANTED layers: whether the residual's interval holds, whether the order is right; width."""
    held, right, width = [], [], []
    for seed in range(many):
        layers, caught = planted(seed, gap)
        depth = weighed(ground.attempts(seed, layers, tuple(layers), adaptive=False), terms=Terms(seed=seed))
        held.append(holds(depth.fixed, 1.0 - truth(caught)[-1]))
        told = np.array([layer.fixed.part.value for layer in depth.layers])
        right.append(bool((np.argsort(told) == np.argsort(parts(caught))).all()))
        width.append(depth.fixed.high - depth.fixed.low)
    return np.array(held), np.array(right), float(np.mean(width))


def planted_tables(ground: Ground, many: int) -> None:
    """Coverage and order where what every set of layers stops is known."""
    rows = []
    for gap in GAPS:
        began = time.process_time()
        held, right, width = by_construction(ground, many, gap)
        spent = time.process_time() - began
        rows.append((f"{gap:.0%}", many, rate(held), f"{width:.3f}", rate(right), f"{spent:.0f}"))
        if gap == GAPS[0]:
            covered(f"{ground.name}, PLANTED layers", held)
            goal(f"{ground.name}, PLANTED orders found right", right.mean(), 0.95, at_least=True, digits=3)
    table(
        f"SIMULATED, {ground.name}: four PLANTED layers, truth by construction, fraudsters who do not learn",
        ("parts differ by at least", "campaigns", "residual covered", "width", "whole order right", "s"),
        rows,
    )


def covered(what: str, held: Floats) -> None:
    """The goal of coverage: not below 95 % by more than chance over so many campaigns explains."""
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(held))
    goal(f"{what}: coverage", float(held.mean()), float(least), at_least=True, digits=3)


# -- the bank's layers: the truth is what very many campaigns come to -------------------------------------------------


def before(ground: Ground, seed: int) -> Depth:
    """A campaign before the bank's layers, measured: fraudsters who do not learn, and those who do, anew for each set."""
    layers = ground.guard
    once = ground.attempts(seed, layers, tuple(layers), adaptive=False)
    anew = partial(ground.attempts, seed, layers, adaptive=True)
    return weighed(once, lambda standing: anew(standing), Terms(seed=seed))


def reference(ground: Ground, many: int) -> Floats:
    """(campaigns, 4): the share that gets through and the dollars taken, without learning and with it."""
    layers = ground.guard
    found = []
    for seed in range(REFERENCE, REFERENCE + many):
        both = [ground.attempts(seed, layers, tuple(layers), adaptive=adaptive) for adaptive in (False, True)]
        found.append([figure for attempts in both for figure in passing(attempts, tuple(layers))])
    return np.array(found)


def real_tables(ground: Ground, many: int, more: int) -> None:
    """Coverage of both residuals, and whether who learns ever succeeds less."""
    began = time.process_time()
    truths = reference(ground, more)
    middle = time.process_time()
    depths = [before(ground, seed) for seed in range(many)]
    spent = time.process_time() - middle
    fixed, known = Expected.of(truths[:, 0]), Expected.of(truths[:, 2])
    told_fixed, told_known = [d.fixed for d in depths], [d.residual for d in depths]
    rows = [
        _row("who does not learn", told_fixed, fixed, lambda s, t: holds(s, t)),
        _row("who learns: the interval", told_known, known, lambda s, t: holds(s, t)),
        _row("who learns: the upper end", told_known, known, lambda s, t: s.high >= t),
    ]
    table(
        f"SIMULATED, {ground.name}: the bank's layers ({', '.join(ground.guard)}), truth from {more} other campaigns "
        f"({middle - began:.0f} s); {many} campaigns, {spent:.0f} s",
        ("residual success", "truth", "covered", "at truth - 2 errors", "at truth + 2 errors", "mean told", "width"),
        rows,
    )
    covered(f"{ground.name}, the bank's layers, who does not learn", np.array([holds(s, fixed.value) for s in told_fixed]))
    covered(f"{ground.name}, the bank's layers, who learns", np.array([holds(s, known.value) for s in told_known]))
    adaptive_table(ground, truths, depths)


def _row(name: str, told: list[Share], true: Expected, test: Callable[[Share, float], bool]) -> tuple[str, ...]:
    at = [rate(np.array([test(one, true.value + by * true.error) for one in told])) for by in (0, -2, 2)]
    width = float(np.mean([one.high - one.low for one in told]))
    return name, true.show(), *at, f"{np.mean([one.value for one in told]):.4f}", f"{width:.3f}"


def adaptive_table(ground: Ground, truths: Floats, depths: list[Depth]) -> None:
    """Learning against not learning: in truth over campaigns in pairs, and as it is told."""
    rows = []
    for name, at in (("share that gets through", 0), ("dollars taken", 1)):
        more = truths[:, 2 + at] - truths[:, at]
        gain = Expected.of(more)
        rows.append(
            (name, f"{truths[:, at].mean():,.3f}", f"{truths[:, 2 + at].mean():,.3f}",
             f"{gain.value:+,.3f} [{gain.value - 1.96 * gain.error:+,.3f}, {gain.value + 1.96 * gain.error:+,.3f}]",
             rate(more < 0))
        )  # fmt: skip
    table(
        f"SIMULATED, {ground.name}: the same {len(truths)} campaigns with fraudsters who learn and who do not",
        ("success", "without", "with learning", "mean difference [95 %]", "campaigns in which it is below"),
        rows,
    )
    below = np.array([d.residual.value < d.fixed.value for d in depths])
    goal(f"{ground.name}, adaptive success told below non-adaptive", float(below.sum()), 0.5, "campaigns", digits=0)


def asked(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.bank.campaigns")
    parser.add_argument("--world", nargs="*", default=["bank", "held-out"])
    parser.add_argument("--campaigns", type=int, default=1_000)
    parser.add_argument("--part", nargs="*", default=["planted", "real"])
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    """Both worlds, one after the other."""
    given = asked(words)
    many = 40 if given.quick else given.campaigns
    print(machine("numpy", "xgboost-cpu"), flush=True)
    for ground in grounds():
        if ground.name.replace(" ", "-") in given.world:
            if "planted" in given.part:
                planted_tables(ground, many)
            if "real" in given.part:
                real_tables(ground, many, 2 * many)


if __name__ == "__main__":
    main(sys.argv[1:])
