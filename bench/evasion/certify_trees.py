"""Proofs about trees against exact search (Veritas) and ART's clique bound, on the same rows.

    python -m bench.evasion.certify_trees [--quick]

The task is the one of `bench.evasion.trees`: `make_classification` (30 columns in [0, 1]) with XGBoost 200 x depth 6;
unless quick, LightGBM, a forest and models of card fraud and credit defaults (where there is a data folder) follow.
Every row is judged right when clean. Times are processor time on one thread, after compiling, without reading the
model. ART's bound is asked once at the radius (max_clique 2, max_level 1). Peers that are missing are left out.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.evasion import trees as attacks
from bench.evasion.tree_cases import Case, first_case, other_cases
from bench.table import goal, machine, table

EPSILONS = (0.01, 0.02, 0.03, 0.05)
HALF = 0.5
STATES = 500_000  # the most a row may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What one side says of the rows: processor milliseconds per row, its worst row, shares proven, broken, unknown."""

    ms: float
    worst: float
    certified: Any
    broken: Any

    @property
    def unknown(self) -> int:
        """Rows of which it says neither."""
        return int((~self.certified & ~self.broken).sum())


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    warnings.simplefilter("ignore")
    quick = "--quick" in words
    print(machine("numpy", "numba", "xgboost-cpu", "dtai-veritas", "adversarial-robustness-toolbox"))
    first = first_case(40 if quick else 100)
    _warm_up(first)
    _boxes(first, EPSILONS[:3] if quick else EPSILONS, 5 if quick else 20, goals=True)
    _shared(first, 20 if quick else 100, 0.1 if quick else 0.5)
    _distances(first, 10 if quick else 40, 5_000 if quick else 50_000)
    for case in [] if quick else other_cases(100):
        _boxes(case, EPSILONS[:3], 0, goals=False)
    return 0


def _boxes(case: Case, epsilons: Sequence[float], rows: int, *, goals: bool) -> None:
    """Each row decided in a box: shares, times, and whether the sides agree."""
    lines, against, cliques, unknown = [], [], [], 0
    for epsilon in epsilons:
        ours = _ours(case, epsilon)
        exact, clique = _veritas(case, epsilon), _clique(case, epsilon, rows)
        line = [f"{epsilon}", f"{ours.certified.mean():.0%}", f"{ours.broken.mean():.0%}", ours.unknown]
        line += [f"{ours.ms:.2f}", f"{ours.worst:.0f}"]
        if exact:
            differ = int((exact.certified != ours.certified).sum())
            line += [f"{exact.certified.mean():.0%}", f"{exact.ms:.2f}", f"{exact.ms / ours.ms:.2f}x", differ]
        if clique:
            line += [f"{clique.certified.mean():.0%}", f"{clique.ms:.0f}", f"{clique.ms / ours.ms:.0f}x"]
        if ours.certified.mean() >= HALF:
            unknown += ours.unknown
            against += [ours.ms / exact.ms] if exact else []
            cliques += [clique.ms / ours.ms] if clique else []
        lines.append(line)
    names = ["linf", "certified", "broken", "unknown", "ms/row", "worst ms"]
    names += ["Veritas certified", "ms/row", "Veritas / ours", "rows that differ"] if exact else []
    names += ["ART certified", "ms/row", "ART / ours"] if clique else []
    table(f"{case.name}: n {len(case.x)}" + (f", ART on {rows}" if clique else ""), names, lines)
    if goals:
        goal("rows left unknown where half are certified", unknown, 1)
        goal("our time over Veritas'", max(against), 2.0) if against else None
        goal("ART's clique bound's time over ours", min(cliques), 20, at_least=True, digits=0) if cliques else None


def _ours(case: Case, epsilon: float) -> Proofs:
    from temper.kernels.tree_reach import reach
    from temper.kernels.tree_verify import Proof, verify

    schema, ready = _ready(case)
    answers, spent, begun = [], [], time.process_time()
    box = reach(schema, case.x, "linf", epsilon)
    for row, truth in enumerate(case.y):
        start = time.process_time()
        answers.append(verify(ready[int(truth)], box, row, states=STATES))
        spent.append(1e3 * (time.process_time() - start))
    ms = 1e3 * (time.process_time() - begun) / len(case.x)
    found = np.array([answer.proof for answer in answers])
    for at in np.flatnonzero(found == Proof.BROKEN):  # a break is only one on the user's own model
        found[at] = found[at] if _wins(case, answers[at].point, at) else Proof.UNKNOWN
    return Proofs(ms=ms, worst=max(spent), certified=found == Proof.CERTIFIED, broken=found == Proof.BROKEN)


def _ready(case: Case) -> tuple[Any, dict[int, Any]]:
    import temper
    from temper.core.schema import Schema
    from temper.kernels.tree_verify import Verifier
    from temper.kernels.trees import margins

    target, schema = temper.target(case.model), Schema.box(0.0, 1.0)
    ensemble: Any = target.trees()
    return schema, {y: Verifier.of(margins(ensemble, target.kind, y, 0.5), schema) for y in (0, 1)}


def _wins(case: Case, point: Any, at: int) -> bool:
    return bool(case.model.predict(point[None].astype(case.x.dtype))[0] != case.y[at])


def _veritas(case: Case, epsilon: float) -> Proofs | None:
    """The recipe of `bench.evasion.trees`; out of patience reads as certified, so its rows are shown beside ours."""
    found = attacks._exact(case, epsilon)
    return None if found is None else Proofs(ms=found.ms, worst=np.nan, certified=~found.broken, broken=found.broken)


def _clique(case: Case, epsilon: float, rows: int) -> Proofs | None:
    """ART's merge of pairs of trees, on the first rows."""
    if find_spec("art") is None or not rows:
        return None
    from art.estimators.classification import XGBoostClassifier
    from art.metrics.verification_decisions_trees import RobustnessVerificationTreeModelsCliqueMethod

    wrapped = XGBoostClassifier(model=case.model, nb_features=case.x.shape[1], nb_classes=2)
    check = RobustnessVerificationTreeModelsCliqueMethod(classifier=wrapped, verbose=False)
    start, held = time.process_time(), []
    for x, y in zip(case.x[:rows], case.y[:rows], strict=True):
        asked = {"eps_init": epsilon, "nb_search_steps": 1, "max_clique": 2, "max_level": 1}
        held.append(check.verify(x=x[None], y=np.eye(2)[[y]], **asked)[1] == 0.0)
    certified = np.array(held)
    ms = 1e3 * (time.process_time() - start) / rows
    return Proofs(ms=ms, worst=np.nan, certified=certified, broken=np.zeros(rows, dtype=bool))


def _distances(case: Case, rows: int, states: int) -> None:
    """The bracket of the nearest break in every norm, with what was left open when the steps ran out."""
    from temper.kernels.tree_verify import nearest_bound

    schema, ready = _ready(case)
    lines = []
    for norm, top in (("linf", 0.1), ("l2", 0.5), ("l1", 1.0), ("l0", 8.0)):
        start, found = time.process_time(), []
        for x, y in zip(case.x[:rows], case.y[:rows], strict=True):
            found.append(nearest_bound(ready[int(y)], schema, x[None], norm, top=top, states=states))
        ms = 1e3 * (time.process_time() - start) / rows
        low, high = np.array([b.certified for b in found]), np.array([b.broken for b in found])
        closed = (high - low <= 0.0101 * high).mean() if norm != "l0" else (high - low < 1.0).mean()
        share = low / np.where(np.isfinite(high), high, top)
        lines.append(
            [norm, f"{np.median(low):.4f}", f"{np.median(high):.4f}", f"{closed:.0%}", f"{np.median(share):.2f}"]
        )
        lines[-1] += [f"{share.min():.2f}", f"{ms:.0f}", rows]
    names = ["norm", "median certified", "median broken", "closed to 1 %", "median low/high", "least", "ms/row", "n"]
    table(f"{case.name}: the bracket of the minimal distance, {states:,} steps a row", names, lines)


def _shared(case: Case, rows: int, seconds: float) -> None:
    """Rows decided where columns share a budget, within processor seconds a row."""
    from temper.kernels.tree_reach import reach
    from temper.kernels.tree_verify import Proof, verify

    schema, ready = _ready(case)
    lines = []
    for norm, radius in (("l2", 0.05), ("l2", 0.08), ("l1", 0.08), ("l1", 0.15)):
        box, start, found = reach(schema, case.x[:rows], norm, radius), time.process_time(), []
        verify(ready[int(case.y[0])], box, 0, states=1)
        for row, truth in enumerate(case.y[:rows]):
            end = time.process_time() + seconds
            more = {"states": 10**9, "tighten": False, "go_on": lambda end=end: time.process_time() < end}
            found.append(verify(ready[int(truth)], box, row, **more).proof)
        counts = [found.count(proof) for proof in (Proof.CERTIFIED, Proof.BROKEN, Proof.UNKNOWN)]
        lines.append([norm, radius, *counts, f"{1e3 * (time.process_time() - start) / rows:.0f}", rows])
    names = ["norm", "radius", "certified", "broken", "open", "ms/row", "n"]
    table(f"{case.name}: decisions in norms that columns share, at most {seconds:g} s a row", names, lines)


def _warm_up(case: Case) -> None:
    start = time.process_time()
    _ours(Case(name="", model=case.model, x=case.x[:20], y=case.y[:20]), 0.03)  # some of them are searched
    print(f"compiling, or loading what was compiled: {time.process_time() - start:.1f} s of processor time")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
