"""The share of a group among the training rows, told from the answers of models of one recipe.

    TEMPER_DATA=PATH python -m bench.inversion.property [--full]

Adult (the share of women) and credit (the share of men), REAL, 20,000 rows. The null control is the same attack
on labels dealt out to whole blocks. `--full`: forests and nets too, and 30,000 rows.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.inversion._tables import read, scene
from bench.table import goal, machine, table

GROUPS = {"adult": ("sex", "0"), "credit": ("SEX", "1")}


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    full, lines, nulls = "--full" in words, [], []
    for data in GROUPS:
        x, y, names = read(Path(folder), data, 30_000 if full else 20_000)
        for name in models() if full else ("linear", "xgboost"):
            found, spent = _told(x, y, names, data, models()[name])
            for at, m in enumerate(found[1:]):
                null = dict(m.baseline)["labels that mean nothing"]
                nulls.append(null)
                value = f"{m.value:.2f} [{m.low:.2f}, {m.high:.2f}]"
                lines.append([f"{data} {name}", m.caveats[0], value, f"{null:.2f}", m.n, "" if at else f"{spent:.1f}"])
                print(" ".join(map(str, lines[-1])), flush=True)
    table("shares told apart", ["", "shares", "accuracy [95 %]", "null", "models", "CPU s"], lines)
    goal("mean of the null controls", sum(nulls) / len(nulls), 0.6)
    return 0


def models() -> dict[str, Any]:
    """One of each family, with its defaults."""
    import xgboost
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
        "xgboost": xgboost.XGBClassifier(n_jobs=1),
        "forest": RandomForestClassifier(n_jobs=1, random_state=0),
        "mlp": make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    }


def _told(x: Any, y: Any, names: list[str], data: str, model: Any) -> tuple[Any, float]:
    from temper.attacks.inversion.property import PropertyInference
    from temper.core.attack import Outcome
    from temper.core.seed import Draws
    from temper.judges.share import Share

    column, value = GROUPS[data]
    here = scene(model, x, y, len(x) // 2, names)
    shown = here.schema.columns[here.schema.index(column)].show(float(value))
    started = time.process_time()
    seen = PropertyInference(column=column, value=shown).run(None, here, Draws(0, "bench"))
    return Share().judge(here, Outcome(scores=None, y=y, payload=seen)), time.process_time() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
