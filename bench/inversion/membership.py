"""Members found on default models of real tables, beside the loss attack and RMIA by its published formula.

    TEMPER_DATA=PATH python -m bench.inversion.membership [--quick]

Adult and credit (REAL), 30,000 rows, half of them training rows; `--quick`: credit and XGBoost alone. RMIA is written
again here, pair by pair, on the same signals as ours: 1,000 population rows, gamma 1; "K=2" is the ratio over the first
two references alone, which cost half. The null control is our attack on a refit that saw none of the rows it is asked
about. ART (bench extra): its black-box attack, a forest or boosted trees taught on 1,500 members and as many others
whose truth it is told, the better of the two; its rule-based attack says "member" of whatever the model gets right, so
no threshold brings it to 0.1 %. References are fitted as in an assessment: several at a time, in threads or (MLP) in
processes. CPU seconds are of all of them; "fits" is the share of the reference fits, which other cores can take.
"2 cores": the CPU seconds less half of that share; "wall s" is the clock, which agrees with it on a quiet machine of
two cores.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.inversion._tables import FILES, read, scene
from bench.table import goal, machine, table

ROWS, SIDE, TOLD = 30_000, 15_000, 1_500


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "lightgbm", "adversarial-robustness-toolbox"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    quick, lines = "--quick" in words, []
    for data in ["credit"] if quick else FILES:
        x, y, names = read(Path(folder), data, ROWS)
        for name in ["xgboost"] if quick else list(_models()):
            lines.append([f"{data} {name}", *_audited(x, y, names, _models()[name])])
            print(" ".join(map(str, lines[-1])), flush=True)
    columns = [
        "",
        "AUC",
        "TPR@1% [95 %]",
        "@0.1% [95 %]",
        "loss @0.1%",
        "RMIA @0.1%",
        "K=2 @0.1%",
        "ART @0.1%",
        "ART rule TPR/FPR",
    ]
    columns += ["epsilon", "null", "Spearman", "CPU s", "fits", "2 cores", "wall s"]
    table(f"membership, K = 4, n = {SIDE:,} members and as many others", columns, lines)
    goal("agreement of the ratio with RMIA's formula", min(float(line[-5]) for line in lines), 0.999, at_least=True)
    for line in lines:
        goal(f"{line[0]}: seconds of one audit on two cores", float(line[-2]), 10.0, "s", digits=1)
    for line in lines:
        if line[0].endswith("xgboost") and line[7] != "absent":
            ours, theirs = float(line[3].split()[0]), max(float(line[7]), 100.0 / SIDE)
            goal(f"{line[0]}: times ART's black-box attack", ours / theirs, 20.0, at_least=True, digits=0)
    return 0


def rmia(own: Any, references: Any, population: Any) -> Any:
    """Zarifzadeh et al., equation 2 with gamma 1: the share of population rows z with ratio(x) >= ratio(z)."""
    ratios = own / references.mean(axis=0)
    beaten = np.zeros(len(own))
    for z in population:
        beaten += ratios >= own[z] / references[:, z].mean()
    return beaten / len(population)


def _audited(x: Any, y: Any, names: list[str], model: Any) -> list[object]:
    from scipy.stats import spearmanr

    from temper.attacks.inversion._statistics import ratio
    from temper.attacks.inversion.membership import MembershipInference
    from temper.core.attack import Outcome
    from temper.core.seed import Draws
    from temper.judges._members import at_rate
    from temper.judges.advantage import Advantage

    here, fits = _watched(scene(model, x, y, SIDE, names))
    started, clock = _spent(), time.perf_counter()
    seen = MembershipInference().run(None, here, Draws(0, "bench"))
    judged = Advantage(plugin="membership").judge(here, Outcome(scores=seen.score, y=seen.y, payload=seen))
    spent, passed, fitted = _spent() - started, time.perf_counter() - clock, sum(fits)
    found = {m.metric: m for m in reversed(judged) if m.slice == "all"}
    others = np.random.default_rng(0).choice(np.flatnonzero(~seen.member), 1_000, replace=False)
    formula = rmia(seen.loss, seen.references, others)
    from temper.attacks.inversion._signals import Answers

    plain = ratio(Answers(own=seen.loss, references=seen.references, inside=seen.inside))
    pair = ratio(Answers(own=seen.loss, references=seen.references[:2], inside=seen.inside[:2]))
    tail = [_share(at_rate(seen.member, score, 0.001)) for score in (seen.loss, formula, pair)]
    shown = [f"{100 * m.value:.2f} [{100 * m.low:.2f}, {100 * m.high:.2f}]" for m in _rates(found)]
    null = dict(found["auc"].baseline).get("null control", float("nan"))
    agreed = spearmanr(plain, formula).statistic
    return [
        f"{found['auc'].value:.3f}",
        *shown,
        *tail,
        *art(here),
        f"{found['epsilon_lower'].value:.2f}",
        f"{null:.3f}",
        f"{agreed:.4f}",
        f"{spent:.1f}",
        f"{fitted / spent:.0%}",
        f"{spent - fitted / 2:.1f}",
        f"{passed:.1f}",
    ]


def _watched(here: Any) -> tuple[Any, list[float]]:
    """The scene, and what each call of its fits will have cost."""
    costs: list[float] = []

    def fit(*asked: Any) -> Any:
        started = _spent()
        found = here.fit(*asked)
        costs.append(_spent() - started)
        return found

    return replace(here, fit=fit), costs


def _spent() -> float:
    """CPU seconds of this process and of those it waited for."""
    return sum(os.times()[:4])


def art(here: Any) -> tuple[str, str]:
    """Members found at 0.1 % by ART's black-box attack, and both rates of its rule-based one."""
    try:
        from art.attacks.inference.membership_inference import (
            MembershipInferenceBlackBox,
            MembershipInferenceBlackBoxRuleBased,
        )
        from art.estimators.classification import BlackBoxClassifier
    except ImportError:
        return "absent", "absent"
    from temper.judges._members import at_rate

    victim = BlackBoxClassifier(lambda x: here.target.scores(x), here.x.shape[1:], here.classes)
    known, member = slice(0, TOLD), np.arange(2 * (SIDE - TOLD)) < SIDE - TOLD
    x, y = (np.concatenate([getattr(side, name)[TOLD:] for side in (here.train, here)]) for name in "xy")
    best = 0.0
    for kind in ("rf", "gb"):
        attack = MembershipInferenceBlackBox(victim, attack_model_type=kind)
        attack.fit(here.train.x[known], here.train.y[known], here.x[known], here.y[known])
        score = np.asarray(attack.infer(x, y, probabilities=True), dtype=float).reshape(len(x), -1)[:, -1]
        hits, n, _, _ = at_rate(member, score, 0.001)
        best = max(best, 100 * hits / n)
    says = np.asarray(MembershipInferenceBlackBoxRuleBased(victim).infer(x, y)).ravel() > 0.5
    return f"{best:.2f}", f"{says[member].mean():.2f}/{says[~member].mean():.2f}"


def _rates(found: Any) -> list[Any]:
    return [found["tpr_at_1pct"], found["tpr_at_01pct"]]


def _share(counted: tuple[int, int, int, int]) -> str:
    return f"{100 * counted[0] / counted[1]:.2f}"


def _models() -> dict[str, Any]:
    import lightgbm
    import xgboost
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "xgboost": xgboost.XGBClassifier(n_jobs=1),
        "forest": RandomForestClassifier(n_jobs=1, random_state=0),
        "histgb": HistGradientBoostingClassifier(random_state=0),
        "lightgbm": lightgbm.LGBMClassifier(n_jobs=1, verbose=-1),
        "mlp": make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
