"""Small seeded campaigns on both worlds of the bank: does what is measured of one hold for what is true of all?

    python -m bench.bank.campaigns --keep FOLDER               1,000 of each kind on each world, a minute or two each
    python -m bench.bank.campaigns --quick                     30 of each
    python -m bench.bank.campaigns --keep FOLDER --seconds 90 --world held-out --part planted

With --keep a later call goes on where this one ended. Everything is SIMULATED. What is judged is the measurement that a
real system gets (`temper.engine.layers`): the share of what each attacker tried that gets through, and its interval.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.bank._ground import Ground, grounds, passing
from bench.bank._planted import parts, planted, truth
from bench.table import goal, machine, table
from temper.core.depth import Share
from temper.core.layers import Attempts
from temper.engine.layers.games import games, share
from temper.kernels.coalitions import shapley_of
from temper.kernels.rate import clopper_pearson

GAP = 0.05
"""By how much the parts of any two PLANTED layers differ at least, where orders are judged."""
GAPS = (GAP, 0.02)
REFERENCE = 10**5
"""Seeds from here on are those of the reference, which no campaign has."""
CONFIDENCE = 0.95
RESIDUALS = {
    "who does not learn": "fixed",
    "who learns, by itself": "anew",
    "the larger of both figures": "larger",
    "the larger for each attacker, as `temper layers` tells": "known",
}
Floats = np.ndarray[Any, Any]
Told = dict[str, Any]


def by_construction(ground: Ground, seed: int, gap: float) -> Told:
    """A campaign before PLANTED layers, of which every set's truth is known; nobody learns."""
    layers, caught = planted(seed, gap)
    tried = replace(ground, per_day=ground.planted).attempts(seed, layers, tuple(layers), adaptive=False)
    both, _ = games(tried.of(~tried.honest), None)
    said = (1.0 - both.fixed).mean(axis=0) @ shapley_of(len(layers))
    right = (np.argsort(said) == np.argsort(parts(caught))).all()
    return _told(share(both.fixed[:, -1], CONFIDENCE)) | {
        "truth": float(1.0 - truth(caught)[-1]),
        "right": bool(right),
        "first": bool(np.argmax(said) == np.argmax(parts(caught))),
    }


def before_the_bank(ground: Ground, seed: int) -> Told:
    """A campaign before the bank's layers: by who does not learn, and by who does, told what these layers do."""
    once, anew = (tried.of(~tried.honest) for tried in _twice(ground, seed))
    both, _ = games(once, lambda standing: anew)
    assert both.known is not None
    passed = {"fixed": both.fixed, "anew": games(anew, None)[0].fixed, "known": both.known}
    return {name: _told(share(shares[:, -1], CONFIDENCE)) for name, shares in passed.items()}


def with_larger(told: Told) -> Told:
    """The same with the larger of the two figures that were measured apart."""
    return told | {"larger": max(told["fixed"], told["anew"], key=lambda one: float(one["value"]))}


def of_reference(ground: Ground, seed: int) -> Told:
    """What gets through the bank's layers, and what is taken, by the simulator's own count."""
    return {
        name: passing(attempts, attempts.layers)
        for name, attempts in zip(("once", "anew"), _twice(ground, REFERENCE + seed), strict=True)
    }


def _twice(ground: Ground, seed: int) -> tuple[Attempts, Attempts]:
    layers = ground.guard
    return tuple(ground.attempts(seed, layers, tuple(layers), adaptive=adaptive) for adaptive in (False, True))  # type: ignore[return-value]


def _told(one: Share) -> Told:
    return {"value": one.value, "low": one.low, "high": one.high, "actors": one.n}


PARTS: dict[str, Callable[[Ground, int], Told]] = {
    **{f"planted-{gap:g}": partial(by_construction, gap=gap) for gap in GAPS},
    "reference": of_reference,
    "bank": before_the_bank,
}

# -- what is printed --------------------------------------------------------------------------------------------------


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
        """With its interval."""
        return f"{self.value:,.4f} [{self.value - 1.96 * self.error:,.4f}, {self.value + 1.96 * self.error:,.4f}]"


def holds(told: Told, true: float) -> bool:
    """Whether the interval covers it."""
    return bool(told["low"] <= true <= told["high"])


def rate(hits: Any) -> str:
    """A share with its exact interval."""
    many, n = int(np.sum(hits)), len(hits)
    low, high = clopper_pearson(many, n)
    return f"{many / n:.3f} [{low:.3f}, {high:.3f}]"


def covered(what: str, held: list[bool]) -> None:
    """The goal of coverage: not below 95 % by more than chance over so many campaigns explains."""
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(held))
    goal(f"{what}: coverage of {len(held)}", float(np.mean(held)), round(float(least), 4), at_least=True, digits=3)


def planted_table(name: str, told: dict[str, list[Told]]) -> None:
    """Coverage and order where what every set of layers stops is known."""
    rows = []
    for gap in GAPS:
        if some := told.get(f"planted-{gap:g}"):
            held, right = [holds(one, one["truth"]) for one in some], [one["right"] for one in some]
            first = rate([one["first"] for one in some])
            rows.append(
                (f"{gap:.0%}", len(some), _actors(some), rate(held), _width(some), rate(right), first, _each(some))
            )
    if rows:
        table(
            f"SIMULATED, {name}: four PLANTED layers, truth by construction, fraudsters who do not learn",
            (
                "parts differ by",
                "n",
                "actors",
                "residual covered",
                "width",
                "whole order right",
                "first right",
                "ms each",
            ),
            rows,
        )
    if some := told.get(f"planted-{GAP:g}"):
        covered(f"{name}, PLANTED layers", [holds(one, one["truth"]) for one in some])
        goal(f"{name}, PLANTED orders right", float(np.mean([o["right"] for o in some])), 0.95, at_least=True, digits=3)


def bank_tables(ground: Ground, told: dict[str, list[Told]]) -> None:
    """Coverage of both residuals, and whether who learns ever succeeds less."""
    if not told.get("reference") or not told.get("bank"):
        return
    counts = np.array([[*one["once"], *one["anew"]] for one in told["reference"]])
    some, rows = [with_larger(one) for one in told["bank"]], []
    for who, key in RESIDUALS.items():
        true, said = _truth(counts, key), [one[key] for one in some]
        held = [rate([holds(one, true.value + by * true.error) for one in said]) for by in (0, -2, 2)]
        above = rate([one["high"] >= true.value for one in said])
        mean = f"{np.mean([one['value'] for one in said]):.4f}"
        rows.append((who, len(some), _actors(said), true.show(), mean, *held, above, _width(said)))
    layers = ", ".join(ground.guard)
    table(
        f"SIMULATED, {ground.name}: the bank's layers ({layers}), truth from {len(counts)} other campaigns "
        f"({_each(told['reference'])} ms each; these {_each(some)} ms)",
        ("residual success", "n", "actors", "truth [95 %]", "mean told", "covered", "at truth - 2 errors",
         "at truth + 2 errors", "upper end above", "width"),
        rows,
    )  # fmt: skip
    for who, key in RESIDUALS.items():
        covered(f"{ground.name}, {who}", [holds(one[key], _truth(counts, key).value) for one in some])
    adaptive_table(ground.name, counts, some)


def _truth(counts: Floats, key: str) -> Expected:
    """Without learning, with it, or the stronger of both."""
    without, learnt = Expected.of(counts[:, 0]), Expected.of(counts[:, 2])
    stronger = max(without, learnt, key=lambda one: one.value)
    return {"fixed": without, "anew": learnt}.get(key, stronger)


def adaptive_table(name: str, counts: Floats, some: list[Told]) -> None:
    """Learning against not learning: in truth over campaigns in pairs, and as it is told."""
    rows = []
    for what, at in (("share that gets through", 0), ("dollars taken", 1)):
        more = counts[:, 2 + at] - counts[:, at]
        means = [f"{counts[:, one].mean():,.3f}" for one in (at, 2 + at)]
        rows.append((what, len(more), *means, Expected.of(more).show(), rate(more < 0)))
    table(
        f"SIMULATED, {name}: the same campaigns with fraudsters who learn and who do not, before the bank's layers",
        ("success", "n", "without", "with learning", "mean difference [95 %]", "campaigns below"),
        rows,
    )
    for what, at in (("share", 0), ("dollars", 1)):
        less = float((counts[:, 2 + at] < counts[:, at]).sum())
        goal(f"{name}, adaptive below non-adaptive, {what}, in truth, of {len(counts)}", less, 1, "campaigns", digits=0)
    below = sum(one["known"]["value"] < one["fixed"]["value"] for one in some)
    goal(f"{name}, adaptive success told below non-adaptive, of {len(some)}", float(below), 1, "campaigns", digits=0)


def _actors(some: list[Told]) -> str:
    return f"{np.mean([one['actors'] for one in some]):.0f}"


def _width(some: list[Told]) -> str:
    return f"{np.mean([one['high'] - one['low'] for one in some]):.3f}"


def _each(some: list[Told]) -> str:
    return f"{1e3 * np.mean([one['seconds'] for one in some]):.0f}"


# -- what is run ------------------------------------------------------------------------------------------------------


def kept(path: Path) -> Iterator[Told]:
    """What earlier calls have found."""
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def played(ground: Ground, part: str, path: Path, many: int, until: float) -> list[Told]:
    """All campaigns of this part that are kept there, after those that were missing, as far as time goes."""
    told = list(kept(path))
    with path.open("a", encoding="utf-8") as file:
        for seed in range(len(told), many):
            if time.monotonic() > until:
                break
            began = time.process_time()
            one = PARTS[part](ground, seed)
            told.append(one | {"seconds": time.process_time() - began})
            file.write(json.dumps(told[-1]) + "\n")
    return told[:many]


def asked(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.bank.campaigns")
    parser.add_argument("--world", nargs="*", default=["bank", "held-out"])
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--campaigns", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    """Both worlds, one after the other."""
    given = asked(words)
    until, many = time.monotonic() + given.seconds, 30 if given.quick else given.campaigns
    print(machine("numpy", "xgboost-cpu"), flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for ground in grounds():
            word = ground.name.replace(" ", "-")
            if word in given.world:
                paths = {part: folder / f"{word}-{part}.jsonl" for part in given.part}
                told = {part: played(ground, part, path, many, until) for part, path in paths.items()}
                planted_table(ground.name, told)
                bank_tables(ground, told)


if __name__ == "__main__":
    main(sys.argv[1:])
