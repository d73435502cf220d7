"""Champion and challenger looked at again and again: how often the worse or nobody's better one wins, and how soon the
better one does, beside McNemar's test at each look and at one look that was fixed beforehand.

    python -m bench.monitoring.contest [--quick]

All rows are SIMULATED and independent: each model is wrong at its own rate, and both together as chance has it. There
are twenty looks, evenly spaced in the logarithm of the rows, from 100 to 10,000. McNemar's test is exact, at .05 on
both sides.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.stats import binomtest

from bench.table import goal, machine, table
from temper.kernels.contest import Winner, contest
from temper.kernels.rate import wilson

Array = np.ndarray[Any, Any]
LOOKS = np.unique(np.geomspace(100, 10_000, 20).astype(int))
PAIRS = ((0.10, 0.10), (0.02, 0.02), (0.10, 0.05), (0.10, 0.08), (0.02, 0.01))
LEVEL = 0.05


def main(words: list[str]) -> int:
    """Print the table and the goal."""
    runs = 20 if "--quick" in words else 100
    print(machine("numpy", "scipy"), flush=True)
    rows, worst = [], 0.0
    for champion, challenger in PAIRS:
        ours, tests = (np.array(each) for each in zip(*_played(champion, challenger, runs), strict=True))
        fixed = tests[:, -1]
        wrong = _said(ours, champion, challenger)
        worst = max(worst, wrong / runs)
        peeking = _said(tests, champion, challenger)
        right = np.sign(champion - challenger)
        rows.append(
            (
                f"{champion:.0%} and {challenger:.0%} wrong",
                _share(wrong, runs),
                _share(peeking, runs),
                _soon(ours, right) if right else "",
                _share(int((fixed == right).sum()), runs) if right else "",
            )
        )
    heads = (
        "champion, challenger",
        "called wrongly",
        "McNemar at each look",
        "rows until the better is called, median (called by 10,000)",
        "McNemar once, at 10,000: found",
    )
    table(f"{runs} runs each, twenty looks", heads, rows)
    goal("share of runs with a wrong call", worst, LEVEL, digits=3)
    return 0


def _played(champion: float, challenger: float, runs: int) -> list[tuple[Array, Array]]:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(runs):
        old, new = (rng.random(LOOKS[-1]) < rate for rate in (champion, challenger))
        ours = [_sign(contest(old[:n], new[:n]).winner) for n in LOOKS]
        tests = [_mcnemar(int((old[:n] & ~new[:n]).sum()), int((new[:n] & ~old[:n]).sum())) for n in LOOKS]
        found.append((np.array(ours), np.array(tests)))
    return found


def _sign(winner: Winner) -> int:
    return {Winner.CHALLENGER: 1, Winner.CHAMPION: -1}.get(winner, 0)


def _mcnemar(better: int, worse: int) -> int:
    if not better + worse or binomtest(better, better + worse).pvalue > LEVEL:
        return 0
    return 1 if better > worse else -1


def _said(signs: Array, champion: float, challenger: float) -> int:
    """Runs in which somebody was called better, at any look, who is not."""
    right = np.sign(champion - challenger)
    return int(((signs != 0) & (signs != right)).any(axis=1).sum())


def _soon(signs: Array, right: float) -> str:
    called = signs == right
    ever = called.any(axis=1)
    first = LOOKS[called.argmax(axis=1)][ever]
    return f"{np.median(first):,.0f} ({_share(int(ever.sum()), len(ever))})" if ever.any() else "never"


def _share(events: int, n: int) -> str:
    low, high = wilson(events, n)
    return f"{events / n:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
