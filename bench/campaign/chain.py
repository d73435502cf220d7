"""Chained extraction -> transfer evasion beside direct black-box evasion, within the same quota of the whole attacker.

    python -m bench.campaign.chain [--quick] [--fill SECONDS] [VICTIM ...]

Victims are fitted on the fraud demo (SIMULATED) and on the credit defaults of UCI (REAL, where there is a data folder).
The attacker wants 100 stopped rows to pass, within the schema, its relations and its prices; holds 200 rows of his own;
knows the threshold, and what the 100 rows were told before. A row counts by the campaign's field alone: admissible,
within its cost, passed by the victim itself. Direct attacks work on rows in the order of their scores with so many
queries each; which attack and how many, and which share of the quota the chain spends on its copy, was chosen on two
seeds that are not reported. Results of single runs are kept in a folder under the system's temporary one and joined;
`--fill` works for so many seconds and prints nothing but how much is left.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bench.campaign import _runs as runs
from bench.campaign._cases import MODELS, TASKS, case
from bench.table import goal, machine, table
from temper.kernels.rate import paired_rates, wilson

Array = Any
QUOTAS, OTHERS, QUICK = (200, 500, 1_000, 5_000), (500,), (200, 1_000)
SHARES, DEAF = (0.25, 0.0), (200, 1_000)
TUNING, SEEDS = (103, 104), (0, 1, 2)


def main(words: list[str]) -> int:
    """Fill in what is missing, then the tables and the goal."""
    quick = "--quick" in words
    if "--fill" in words:
        named = [model for model in MODELS if model in words] or MODELS
        return _filled((key for key in _plan(quick) if key[1] in named), float(words[words.index("--fill") + 1]))
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "lightgbm"), flush=True)
    for task, models in _tasks(quick):
        models = tuple(model for model in models if model in words) or models
        told = [_told(task, model, quota, quick) for model in models for quota in sorted(_quotas(model, quick))]
        seeds, where = len(_seeds(quick)), "SIMULATED" if task == "fraud" else "REAL"
        title = f"{task} ({where}): share of {runs.WANTED} wanted rows that pass, {seeds} seeds"
        table(title, _COLUMNS, [one["line"] for one in told])
        table(f"{task}: which step gave what, means over seeds", _STEPS, [one["steps"] for one in told])
        for one in told:
            name = f"{task}, {one['line'][0]}, quota {one['line'][1]}: chain above direct, lower end"
            goal(name, one["difference"][1], 0.0, at_least=True, digits=3)
    return 0


_COLUMNS = (
    "victim", "quota", "direct", "which, queries a row", "chain", "share for the copy", "chain - direct", "by seed",
    "only chain", "only direct", "hybrid", "random", "white box",
)  # fmt: skip
_STEPS = (
    "victim", "quota", "queries: copy", "tries", "left", "passed by the copy as stolen", "by answers fed back",
    "by what is left", "without feeding back", "queries a success", "of direct", "cost a success", "of direct",
)  # fmt: skip


def _tasks(quick: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    for task in TASKS:
        if case(task, MODELS[0], 0) is None:
            print(f"{task}: no data")
            continue
        yield task, MODELS[:1] if quick else MODELS


def _quotas(model: str, quick: bool) -> tuple[int, ...]:
    return QUICK if quick else QUOTAS if model == MODELS[0] else OTHERS


def _direct(model: str) -> tuple[tuple[str, int], ...]:
    """On the other victims without the one that works on decisions, which did worst on the first."""
    return runs.DIRECT if model == MODELS[0] else runs.DIRECT[:-1]


def _tuning(quick: bool, model: str = MODELS[0]) -> tuple[int, ...]:
    return TUNING[: 1 if quick or model != MODELS[0] else 2]


def _seeds(quick: bool) -> tuple[int, ...]:
    return SEEDS[: 1 if quick else 3]


def _plan(quick: bool) -> Iterator[runs.Key]:
    """Every run there is to make; the choice of shares is made on the way."""
    tasks = dict(_tasks(quick))
    for model in MODELS:
        for task in (task for task, models in tasks.items() if model in models):
            for seed in (*_tuning(quick, model), *_seeds(quick)):
                yield from ((task, model, seed, "direct", name, most) for name, most in _direct(model))
            yield from ((task, model, seed, "white box", "", 0) for seed in _seeds(quick))
            yield from ((TASKS[0], MODELS[0], *one) for one in _choices(quick))
            for quota in _quotas(model, quick):
                share = _share(quick)
                yield from ((task, model, seed, "chain", share, quota) for seed in _seeds(quick))
                if model == MODELS[0] and quota in DEAF:
                    yield from ((task, model, seed, "deaf", share, quota) for seed in _seeds(quick))


def _filled(plan: Iterable[runs.Key], seconds: float) -> int:
    """Work through the plan until the time is up."""
    until = time.monotonic() + seconds
    for key in plan:
        if time.monotonic() > until:
            print(f"stopped before {key}")
            return 0
        runs.run(*key)
    print("all runs are there")
    return 0


# -- choices on the seeds that are not reported ------------------------------------------------------------------------


def _choices(quick: bool) -> Iterator[runs.Key]:
    """The runs that shares are chosen by."""
    quotas = DEAF[:1] if quick else DEAF
    yield from ((seed, "chain", share, quota) for seed in _tuning(quick) for share in SHARES for quota in quotas)


def _share(quick: bool) -> float:
    """The share of the quota for the copy that broke most rows of the first victim, over these quotas."""
    found: dict[float, int] = dict.fromkeys(SHARES, 0)
    for one in _choices(quick):
        found[one[2]] += sum(runs.run(TASKS[0], MODELS[0], *one)["passed"])
    return max(found, key=lambda share: found[share])


def _best(task: str, model: str, quota: int, quick: bool, names: tuple[str, ...]) -> tuple[str, int, int]:
    """Attack, its plan and queries a row that broke most rows of this very victim."""

    def broken(attack: str, most: int, each: int) -> float:
        tried = [runs.run(task, model, seed, "direct", attack, most) for seed in _tuning(quick, model)]
        return float(np.mean([runs.within(one, each, quota)[0] for one in tried]))

    choices = [(name, most, each) for name, most in _direct(model) if name in names for each in runs.EACH]
    return max(choices, key=lambda choice: broken(*choice))


# -- one victim, one quota ---------------------------------------------------------------------------------------------


def _told(task: str, model: str, quota: int, quick: bool) -> dict[str, Any]:
    """The lines of both tables, and the difference with its ends."""
    seeds, share = _seeds(quick), _share(quick)
    every = tuple(name for name, _ in runs.DIRECT)
    attack, most, each = _best(task, model, quota, quick, every)
    direct = [runs.run(task, model, seed, "direct", attack, most) for seed in seeds]
    broken = [runs.within(one, each, quota) for one in direct]
    straight = np.concatenate([one for one, _ in broken])
    chains = [runs.run(task, model, seed, "chain", share, quota) for seed in seeds]
    chained, hybrid = (np.concatenate([one[name] for one in chains]) for name in ("passed", "hybrid"))
    white = np.concatenate([runs.run(task, model, seed, "white box", "", 0)["passed"] for seed in seeds])
    luck = _luck(task, model, quota, quick)
    difference = paired_rates(straight, chained)
    apart = [np.mean(one["passed"]) - np.mean(two[0]) for one, two in zip(chains, broken, strict=True)]
    line = (
        model, f"{quota:,}", _rate(straight), f"{attack}, {each}", _rate(chained), f"{share:.0%}",
        "{:+.3f} [{:+.3f}, {:+.3f}]".format(*difference), f"{min(apart):+.2f} to {max(apart):+.2f}",
        int((chained & ~straight).sum()), int((straight & ~chained).sum()),
        f"{hybrid.mean():.3f}", f"{luck:.3f}", f"{white.mean():.3f}",
    )  # fmt: skip
    price = (sum(spent for _, spent in broken) / max(straight.sum(), 1), _paid(direct, broken))
    tested = seeds if model == MODELS[0] and quota in DEAF else ()
    deaf = [runs.run(task, model, seed, "deaf", share, quota) for seed in tested]
    steps = (
        model, f"{quota:,}", *(_mean(chains, name, 0) for name in ("stolen", "tried", "last", "first")),
        f"{np.mean([sum(one['passed']) - one['first'] for one in chains]):.1f}",
        f"{np.mean([sum(one['hybrid']) - sum(one['passed']) for one in chains]):.1f}",
        f"{np.mean([sum(one['passed']) for one in deaf]):.1f}" if deaf else "",
        f"{sum(one['stolen'] + one['tried'] for one in chains) / max(chained.sum(), 1):.1f}", f"{price[0]:.1f}",
        f"{sum(one['cost'] for one in chains) / max(chained.sum(), 1):.2f}", f"{price[1]:.2f}",
    )  # fmt: skip
    return {"line": line, "steps": steps, "difference": difference}


def _luck(task: str, model: str, quota: int, quick: bool) -> float:
    """What random points break, with as many a row as did best."""
    _, most, each = _best(task, model, quota, quick, ("noise",))
    tried = [runs.run(task, model, seed, "direct", "noise", most) for seed in _seeds(quick)]
    return float(np.mean([runs.within(one, each, quota)[0] for one in tried]))


def _paid(direct: list[dict[str, Any]], broken: list[tuple[Array, int]]) -> float:
    """What the changes cost of a row that passed, on average."""
    costs = [np.array(one["cost"])[hit] for one, (hit, _) in zip(direct, broken, strict=True)]
    return float(np.mean(np.concatenate(costs))) if sum(map(len, costs)) else 0.0


def _rate(hits: Array) -> str:
    low, high = wilson(int(hits.sum()), len(hits))
    return f"{hits.mean():.3f} [{low:.3f}, {high:.3f}]"


def _mean(chains: list[dict[str, Any]], name: str, digits: int) -> str:
    return f"{np.mean([one[name] for one in chains]):,.{digits}f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
