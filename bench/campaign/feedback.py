"""Poisoning through labels that come back, against models that are really trained again: what it wins, what stops it.

    python -m bench.campaign.feedback [--seeds N] [--labels N] [TASK ...]        # fraud, bank, credit

`technique.poison_feedback` before a model with nothing else: 100 rows that the model stops, so many labels that say of
requests like them that they were genuine, a day's wait, and every row once as it is. The model is fitted again on its
training rows and these labels; the threshold stays. What fitting again changes by itself: "others' labels", as many
rows of other people with their truth, and "true labels", the attackers' requests as what they are. "order as it comes"
takes rows as they lie and not those first that are stopped least surely. Defences: 5 labels an account (of one account,
of ten), labels that contradict the model in force left out, the screens `cleaned` and `quarantined` of the room
hardening, known frauds of which the new model has to stop 98 %.

fraud and bank are SIMULATED worlds of a seed each, credit is REAL (TEMPER_DATA). Beside the rows that pass (Wilson, 95
%; rows of one seed share a model) stand fresh frauds that are stopped and honest rows that are. Answers of every run
are kept under the system's temporary folder, and the table is joined of what is there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.campaign._cases import Case, case
from bench.campaign._field import HELD, WANTED, Forgotten
from bench.table import machine, table

TASKS, SEEDS, LABELS = ("fraud", "bank", "credit"), 3, (20, 100)
ARMS: dict[str, dict[str, Any]] = {
    "others' labels": {"labelled": "others"},
    "true labels": {"labelled": "true"},
    "order as it comes": {"known": False},
    "one label a row": {},
    "none moved": {"spread": 0.0},
    "five labels a row": {"copies": 5},
    "5 an account, one account": {"per_account": 5},
    "5 an account, ten accounts": {"per_account": 5, "accounts": 10},
    "contradictions left out": {"contradicted": False},
    "cleaned": {"screen": "cleaned"},
    "quarantined": {"screen": "quarantined"},
    "known frauds, 98 %": {"golden": 0.98},
    "known frauds, others' labels": {"golden": 0.98, "labelled": "others"},
}
_TECHNIQUE, _LEARNING = ("copies", "spread"), ("per_account", "contradicted", "screen", "golden")


def main(words: list[str]) -> int:
    """One table for each task that is named, or for all."""
    seeds, labels = _number(words, "--seeds", SEEDS), _number(words, "--labels", 0)
    named = [word for word in words if word in TASKS]
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    for task in named or TASKS:
        if world(task, 0) is None:
            print(f"{task}: the data are not there (TEMPER_DATA)")
            continue
        many = (labels,) if labels else LABELS
        lines = [line(task, arm, one, range(seeds)) for one in many for arm in ARMS]
        columns = ("labels", "arm", "passed", "taken", "fresh frauds stopped", "honest rows stopped", "new models")
        kind = "REAL" if task == "credit" else "SIMULATED"
        table(f"{task} ({kind}): {WANTED} rows that are stopped, {seeds} seeds", columns, lines)
    return 0


def _number(words: list[str], name: str, usual: int) -> int:
    return int(words[words.index(name) + 1]) if name in words else usual


def line(task: str, arm: str, labels: int, seeds: range) -> tuple[str, ...]:
    """All seeds of one arm together."""
    from temper.kernels.rate import wilson

    runs = [run(task, arm, labels, seed) for seed in seeds]
    passed, n = sum(one["passed"] for one in runs), sum(one["wanted"] for one in runs)
    low, high = wilson(passed, n)
    frauds, honest = (np.mean([one[name] for one in runs]) for name in ("frauds", "honest"))
    before = np.mean([one["frauds before"] for one in runs]), np.mean([one["honest before"] for one in runs])
    return (
        str(labels),
        arm,
        f"{passed / n:.3f} [{low:.3f}, {high:.3f}]",
        f"{sum(one['taken'] for one in runs):,}",
        f"{frauds:.3f} ({before[0]:.3f})",
        f"{honest:.4f} ({before[1]:.4f})",
        f"{sum(one['new'] for one in runs)} of {len(runs)}",
    )


def run(task: str, arm: str, labels: int, seed: int) -> dict[str, Any]:
    """One campaign of one technique, made once."""
    file = Path(tempfile.gettempdir()) / "temper-bench-campaign" / "feedback.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = dict(map(json.loads, file.read_text(encoding="utf-8").splitlines())) if file.exists() else {}
    name = json.dumps([task, arm, labels, seed])
    if name not in kept:
        kept[name] = played(task, labels, seed, **ARMS[arm])
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([name, kept[name]]) + "\n")
    found: dict[str, Any] = kept[name]
    return found


def played(
    task: str, labels: int, seed: int, *, labelled: str = "", known: bool = True, accounts: int = 1, **more: Any
) -> dict[str, Any]:
    """What passed, and what the model that answers afterwards does to frauds and honest rows that nobody has sent."""
    from temper.attacks.technique.poison_feedback import PoisonFeedback
    from temper.core.answering import Learning
    from temper.core.campaign import Attacker, Campaign, Objective
    from temper.core.data import Data
    from temper.core.seed import Draws
    from temper.engine.campaign.door import Once, Told
    from temper.engine.campaign.ground import Ground
    from temper.engine.campaign.inside import Inside
    from temper.engine.campaign.learning import Lessons

    one = world(task, seed)
    assert one is not None
    rows, (x, y) = one.drawn(seed, WANTED, HELD)
    system = protected(one, rows)
    learning = Learning(**{name: value for name, value in more.items() if name in _LEARNING})
    lessons = Lessons(how=learning)
    door = Inside(system=system, once=Once(journal=Forgotten(), scope="bench"), lessons=lessons)
    queries = 2 * labels + 2 * len(rows)
    names = tuple(f"account-{at}" for at in range(accounts))
    attacker = Attacker(queries=queries, pace=0.0, change=one.cost, wanted=len(rows), labels=labels, accounts=names)
    on = Ground(
        campaign=Campaign(objectives=(Objective(goal=len(rows)),), attacker=attacker, slice=queries),
        door=_Reviewed(door, labelled, Data(x=x, y=y)) if labelled else door,
        known=Data(x=x, y=y),
        wanted=system.data.take(np.arange(len(rows))),
        suspects=np.empty((0, x.shape[1])),
        full=one.schema,
        seed=seed,
        kept={"threshold": one.threshold},
    )
    scores = one.target.scores(rows)[:, 1] if known else ()
    on.told.extend(
        (row, Told(at=0.0, score=float(told)), "", "before") for row, told in zip(rows, scores, strict=known)
    )
    on.begin(on.campaign.objectives[0], "poison_feedback", queries)
    technique = PoisonFeedback(**{name: value for name, value in more.items() if name in _TECHNIQUE})
    technique.play(on, Draws(seed, "bench"))
    door.close()
    new = any("a new model answers" in told for told in lessons.told)
    found = {"passed": len(on.got), "wanted": len(rows), "taken": on.taught, "new": int(new), "told": lessons.told}
    return found | _stopped(one, one.target, " before") | _stopped(one, door.system.target, "")


class _Reviewed:
    """The same door, whose labels are the truth: of what attackers send, or of rows of others in their place."""

    def __init__(self, door: Any, whose: str, others: Any) -> None:
        self._door, self._whose, self._others = door, whose, others

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)

    def teach(self, x: Any, y: Any) -> int:
        """The truth."""
        if self._whose == "true":
            return int(self._door.teach(x, np.ones_like(y)))
        for row in self._others.x[: len(x)]:
            self._door.lessons.heard(row, "others")
        return int(self._door.teach(self._others.x[: len(x)], self._others.y[: len(x)]))


def _stopped(one: Case, target: Any, when: str) -> dict[str, float]:
    """Of frauds and honest rows that are nobody's in the campaign the share that is stopped."""
    x, y = one.others
    stopped = target.scores(x)[:, 1] >= one.threshold
    return {f"frauds{when}": float(stopped[y == 1].mean()), f"honest{when}": float(stopped[y == 0].mean())}


def protected(one: Case, rows: Any) -> Any:
    """The system with its training rows; held out are the wanted rows and, behind them, others with their truth."""
    from temper.core.data import Data
    from temper.core.system import Protected

    x, y = one.others
    data = Data(x=np.concatenate([rows, x]), y=np.concatenate([np.ones(len(rows), dtype=np.int64), y]))
    train = Data(x=one.train[0], y=one.train[1])
    target, schema = one.target, one.schema
    return Protected(name=one.name, target=target, data=data, train=train, schema=schema, threshold=one.threshold)


def world(task: str, seed: int) -> Case | None:
    """The victim: of the fraud demo or of credit defaults as other benches have it, or of the bank."""
    return bank(seed) if task == "bank" else case(task, "xgboost", seed)


@cache
def bank(seed: int) -> Case:
    """Four weeks of the bank's payments (`demos/bank`), its champion's recipe, one alert in fifty payments."""
    from xgboost import XGBClassifier

    from temper.demos.bank.models import RECIPES
    from temper.demos.bank.simulated import Simulated
    from temper.targets.load import open_target

    made = Simulated(seed=seed, per_day=3_000)
    days = made.history(28)
    x, y = np.concatenate([day.rows for day in days]), np.concatenate([day.fraud for day in days]).astype(np.int64)
    ends = np.cumsum([len(day) for day in days])[[15, 17]]
    (train, tuned, test), truths = (np.split(rows, ends) for rows in (np.asarray(x, dtype=float), y))
    recipe = RECIPES["deep"]
    model = XGBClassifier(
        n_estimators=recipe.rounds, max_depth=recipe.depth, learning_rate=recipe.rate, n_jobs=1, random_state=0
    ).fit(train, truths[0])
    target = open_target(model)
    threshold = float(np.quantile(target.scores(tuned)[:, 1], 0.98))
    mixed = np.random.default_rng(seed).permutation(len(test))
    test, truth, half = test[mixed], truths[2][mixed], len(test) // 2
    flagged = (truth[half:] == 1) & (target.scores(test[half:])[:, 1] >= threshold)
    return Case(
        name="bank, xgboost",
        target=target,
        threshold=threshold,
        schema=made.schema,
        cost=2.0,
        train=(train, truths[0]),
        flagged=test[half:][flagged],
        others=(test[:half], truth[:half]),
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
