"""Do intervals that take a judge's errors out hold the true rate? Simulated judges whose errors are planted.

    python -m bench.injection.judge [--full]

SIMULATED: no language model judges here. Forty prompts, three trials each; the prompts' own rates are spread (beta)
around a true rate drawn between 0 and .6, the judge errs independently with a planted sensitivity and specificity, and
both are known from as many labelled hits and misses as the row says. Beside the corrected rate stand the raw one, as if
the judge never erred, and Lang & Reiczigel's closed form with every trial counted as a prompt. Goal: coverage of at
least .95 less three standard errors where something is decided. 200 judges per row; `--full`: 1,000.
"""

from __future__ import annotations

import math
import sys
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.table import table
from temper.kernels.clustered import clustered_rate
from temper.kernels.rogan_gladen import Known, corrected_rate

PROMPTS, TRIALS = 40, 3
JUDGES = ((0.98, 0.98), (0.9, 0.95), (0.95, 0.8), (0.75, 0.75), (0.6, 0.6))
HEAD = ["Se", "Sp", "labelled", "n", "decided", "corrected", "mean width", "Lang-Reiczigel, trials", "raw rate"]


def main(words: list[str]) -> int:
    """Print the table."""
    many = 1_000 if "--full" in words else 200
    rng = np.random.default_rng(0)
    rows = [_row(rng, se, sp, labelled, many) for se, sp in JUDGES for labelled in (30, 80, 300)]
    floor = 0.95 - 3 * math.sqrt(0.95 * 0.05 / many)
    table(f"coverage of 95 % intervals, SIMULATED judges; goal at least {floor:.3f}", HEAD, rows)
    return 0


def _row(rng: Any, se: float, sp: float, labelled: int, many: int) -> list[str]:
    found = [_one(rng, se, sp, labelled) for _ in range(many)]
    decided = [one for one in found if one is not None]
    if not decided:
        return [f"{se:g}", f"{sp:g}", f"{labelled} + {labelled}", str(many), "0 %", "-", "-", "-", "-"]
    corrected, width, closed, raw = (float(np.mean([one[at] for one in decided])) for at in range(4))
    share = f"{len(decided) / many:.0%}"
    told = [f"{corrected:.3f}", f"{width:.2f}", f"{closed:.3f}", f"{raw:.3f}"]
    return [f"{se:g}", f"{sp:g}", f"{labelled} + {labelled}", str(many), share, *told]


def _one(rng: Any, se: float, sp: float, labelled: int) -> tuple[bool, float, bool, bool] | None:
    """Whether each interval held the truth, and how wide the corrected one is; None where nothing is decided."""
    truth = float(rng.uniform(0.0, 0.6))
    real = rng.binomial(TRIALS, rng.beta(2 * truth, 2 * (1 - truth), size=PROMPTS))
    said = (rng.binomial(real, se) + rng.binomial(TRIALS - real, 1 - sp)).tolist()
    known = Known(
        found=int(rng.binomial(labelled, se)), hits=labelled, cleared=int(rng.binomial(labelled, sp)), misses=labelled
    )
    value, low, high = corrected_rate(said, [TRIALS] * PROMPTS, known)
    if math.isnan(value):
        return None
    least, most = _closed(sum(said), TRIALS * PROMPTS, known)
    _, under, over = clustered_rate(said, [TRIALS] * PROMPTS)
    return low <= truth <= high, high - low, least <= truth <= most, under <= truth <= over


def _closed(count: int, n: int, judge: Known) -> tuple[float, float]:
    """Lang & Reiczigel's interval, which knows no clusters."""
    z = NormalDist().inv_cdf(0.975)
    n_se, n_sp, n_p = judge.hits + 2, judge.misses + 2, n + z * z
    se, sp, p = (judge.found + 1) / n_se, (judge.cleared + 1) / n_sp, (count + z * z / 2) / n_p
    truth = (p + sp - 1) / (se + sp - 1)
    v_se, v_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    middle = truth + 2 * z * z * (truth * v_se - (1 - truth) * v_sp)
    half = z * math.sqrt(p * (1 - p) / n_p + truth**2 * v_se + (1 - truth) ** 2 * v_sp) / (se + sp - 1)
    return max(0.0, middle - half), min(1.0, middle + half)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
