"""Small seeded campaigns on both worlds of the bank: does what is measured of one hold for what is true of all?

    python -m bench.bank.campaigns --keep FOLDER               1,000 of each kind on each world, a minute or two each
    python -m bench.bank.campaigns --quick                     30 of each
    python -m bench.bank.campaigns --keep FOLDER --seconds 90 --world held-out --part ways

With --keep a later call goes on where this one ended. Everything is SIMULATED. What is judged is the measurement that a
real system gets (`temper.engine.layers`): the share of what each attacker tried that gets through, and its interval.
Before the bank's layers a campaign is judged by the mean of all others, which it has no part in.
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
from temper.engine.layers.games import games, largest, share
from temper.kernels.coalitions import shapley_of
from temper.kernels.rate import clopper_pearson

GAP = 0.05
"""By how much the parts of any two PLANTED layers differ at least, where orders are judged."""
CLOSE = 0.02
TIMES = (1, 2, 4)
"""How many times as many payments and fraudsters there are, where parts lie as close as that."""
CONFIDENCE = 0.95
Floats = np.ndarray[Any, Any]
Told = dict[str, Any]


def _close(times: int) -> str:
    return f"planted-{CLOSE:g}" + (f"-x{times}" if times > 1 else "")


def by_construction(ground: Ground, seed: int, gap: float, times: int = 1) -> Told:
    """A campaign before PLANTED layers, of which every set's truth is known; nobody learns."""
    layers, caught = planted(seed, gap)
    ground = replace(ground, per_day=times * ground.planted)
    tried = ground.attempts(seed, layers, tuple(layers), adaptive=False)
    both, _ = games(tried.of(~tried.honest), None)
    said = (1.0 - both.fixed).mean(axis=0) @ shapley_of(len(layers))
    right = (np.argsort(said) == np.argsort(parts(caught))).all()
    return _told(share(both.fixed[:, -1], CONFIDENCE)) | {
        "truth": float(1.0 - truth(caught)[-1]),
        "right": bool(right),
        "first": bool(np.argmax(said) == np.argmax(parts(caught))),
    }


def before_the_bank(ground: Ground, seed: int) -> Told:
    """A campaign before the bank's layers: by who does not learn, and by who does, told what these layers do; and by
    the simulator's own count what gets through and what is taken.
    """
    layers = ground.guard
    tried = [ground.attempts(seed, layers, tuple(layers), adaptive=adaptive) for adaptive in (False, True)]
    once, anew = (one.of(~one.honest) for one in tried)
    both, _ = games(once, lambda standing: anew)
    told = estimates(both.fixed[:, -1], games(anew, None)[0].fixed[:, -1], both.ways[1])
    return {name: _told(one) for name, one in told.items()} | {"counts": [passing(one, one.layers) for one in tried]}


def _told(one: Share) -> Told:
    return {"value": one.value, "low": one.low, "high": one.high, "actors": one.n}


PARTS: dict[str, Callable[[Ground, int], Told]] = {
    f"planted-{GAP:g}": partial(by_construction, gap=GAP),
    **{_close(times): partial(by_construction, gap=CLOSE, times=times) for times in TIMES},
    "ways": before_the_bank,
}

# -- what a campaign tells --------------------------------------------------------------------------------------------


def crossed(once: Floats, same: Floats) -> Floats:
    """The way that one half of the attackers does better by, by the other half, and the other way round."""
    ways, halves = np.column_stack([once, same]), np.arange(len(once)) % 2
    means = np.array([ways[halves != half].mean(axis=0) for half in (0, 1)])
    return np.asarray(ways[np.arange(len(ways)), means.argmax(axis=1)[halves]])


def estimates(once: Floats, anew: Floats, same: Floats) -> dict[str, Share]:
    """What is told of who gets through, by each way of telling it: of shares without learning, with it, and with it of
    those who were there without.
    """
    by_actor = {"fixed": once, "anew": anew, "crossed": crossed(once, same), "each": np.maximum(once, same)}
    told = {name: share(values, CONFIDENCE) for name, values in by_actor.items()}
    return told | {"best": largest((once, anew), CONFIDENCE)}


ESTIMATES = {
    "who does not learn": "fixed",
    "who learns, by itself": "anew",
    "the better way, chosen beforehand": "best",
    "the way chosen by a half, by the other half": "crossed",
    "the larger for each attacker (what was told before)": "each",
}
GATED = ("fixed", "anew", "best")
"""What is told anywhere and so has to hold; the others are printed to be compared."""

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


def holds(told: Share, true: float) -> bool:
    """Whether the interval covers it."""
    return told.low <= true <= told.high


def of_others(counts: Floats) -> tuple[Floats, Floats]:
    """For every campaign the mean (n, columns) of all others, and its standard error."""
    n = len(counts)
    means = (counts.sum(axis=0) - counts) / (n - 1)
    squares = (np.square(counts).sum(axis=0) - np.square(counts)) / (n - 1)
    return means, np.sqrt(np.maximum(squares - np.square(means), 0.0) / (n - 2))


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
    for part, gap in ((f"planted-{GAP:g}", GAP), *((_close(times), CLOSE) for times in TIMES)):
        if some := told.get(part):
            shares = [_share(one) for one in some]
            held = rate([holds(one, each["truth"]) for one, each in zip(shares, some, strict=True)])
            right, first = (rate([one[what] for one in some]) for what in ("right", "first"))
            rows.append((f"{gap:.0%}", len(some), _actors(shares), held, _width(shares), right, first, _each(some)))
    if rows:
        columns = "parts differ by", "n", "actors", "residual covered", "width", "whole order right", "first right"
        title = f"SIMULATED, {name}: four PLANTED layers, truth by construction, fraudsters who do not learn"
        table(title, (*columns, "ms each"), rows)
    if some := told.get(f"planted-{GAP:g}"):
        covered(f"{name}, PLANTED layers", [holds(_share(one), one["truth"]) for one in some])
        goal(f"{name}, PLANTED orders right", float(np.mean([o["right"] for o in some])), 0.95, at_least=True, digits=3)


def _share(told: Told) -> Share:
    return Share(value=told["value"], low=told["low"], high=told["high"], n=told["actors"])


def bank_tables(ground: Ground, some: list[Told]) -> None:
    """Coverage of what is told of who gets through, and whether who learns ever succeeds less."""
    if len(some) < 3:
        return
    counts, told = (
        np.array([one["counts"] for one in some]),
        [{key: _share(one[key]) for key in ESTIMATES.values()} for one in some],
    )
    (value, error), rows = of_others(counts[:, :, 0]), []
    better = np.arange(len(some)), value.argmax(axis=1)
    true = {"fixed": (value[:, 0], error[:, 0]), "anew": (value[:, 1], error[:, 1])}
    for who, key in ESTIMATES.items():
        middle, by = true.get(key, (value[better], error[better]))
        shares = [one[key] for one in told]
        held = [_held(shares, middle + at * by) for at in (0, -2, 2)]
        above = rate([one.high >= at for one, at in zip(shares, middle, strict=True)])
        mean = Expected.of(np.array([one.value for one in shares])).show()
        rows.append((who, _actors(shares), f"{middle.mean():.4f}", mean, *map(rate, held), above, _width(shares)))
    layers = ", ".join(ground.guard)
    table(
        f"SIMULATED, {ground.name}: the bank's layers ({layers}), {len(some)} campaigns, each held against the mean of "
        f"the others (its error {error[better].mean():.4f}); {_each(some)} ms each",
        ("residual success", "actors", "truth", "mean told [95 %]", "covered", "at truth - 2 errors",
         "at truth + 2 errors", "upper end above", "width"),
        rows,
    )  # fmt: skip
    for who, key in ESTIMATES.items():
        if key in GATED:
            covered(f"{ground.name}, {who}", _held([one[key] for one in told], true.get(key, (value[better],))[0]))
    adaptive_table(ground.name, counts, told)


def _held(shares: list[Share], true: Floats) -> list[bool]:
    return [holds(one, float(at)) for one, at in zip(shares, true, strict=True)]


def adaptive_table(name: str, counts: Floats, told: list[dict[str, Share]]) -> None:
    """Learning against not learning: in truth over campaigns in pairs, and as it is told."""
    rows, below = [], {}
    for at, what in enumerate(("share that gets through", "dollars taken")):
        without, learnt = counts[:, 0, at], counts[:, 1, at]
        means, more = [f"{one.mean():,.3f}" for one in (without, learnt)], learnt - without
        below[what] = float((more < 0).sum())
        rows.append((what, len(more), *means, Expected.of(more).show(), rate(more < 0)))
    table(
        f"SIMULATED, {name}: the same campaigns with fraudsters who learn and who do not, before the bank's layers",
        ("success", "n", "without", "with learning", "mean difference [95 %]", "campaigns below"),
        rows,
    )
    said = {key: float(sum(one[key].value < one["fixed"].value for one in told)) for key in ("best", "crossed")}
    for what, many in (
        ("adaptive below non-adaptive in what learning is for, dollars", below["dollars taken"]),
        ("adaptive told (the better way) below non-adaptive", said["best"]),
        ("learning alone below not learning, share", below["share that gets through"]),
    ):
        goal(f"{name}, {what}, of {len(told)}", many, 1, "campaigns", digits=0)
    print(f"{name}: a way chosen by one half would be told below non-adaptive in {said['crossed']:.0f} of {len(told)}")


def _actors(some: list[Share]) -> str:
    return f"{np.mean([one.n for one in some]):.0f}"


def _width(some: list[Share]) -> str:
    return f"{np.mean([one.high - one.low for one in some]):.3f}"


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
                bank_tables(ground, told.get("ways", []))


if __name__ == "__main__":
    main(sys.argv[1:])
