"""A backdoor in texts: what it does to a model of words, and whether the training texts give it away.

    python -m bench.poisoning.texts [--full]

SST-2 (REAL sentences) and its copy with a trigger of syntax in 20 % of the training rows (Qi et al., "Hidden killer",
2021), the same with a rare word in 0.5 %, 1 % and 2 %, and clean texts (SST-2, REAL text messages `sms_spam`) split at
random many times for the false alarms. Success is of texts of class 0 that carry the trigger and are decided rightly
without (syntax: those of the copy's test file). Intervals: Wilson, Clopper-Pearson for alarms.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table

Array = Any
FOLDER = Path(os.environ.get("TEMPER_DATA", "../shared/data"))


def sentences(name: str) -> tuple[Array, Array]:
    """Texts and labels of one file of SST-2."""
    with (FOLDER / "text_sst-2" / f"{name}.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return np.array([row["sentence"] for row in rows], dtype=object), np.array([int(row["label"]) for row in rows])


def messages() -> tuple[Array, Array]:
    """Text messages and whether they are spam."""
    lines = (FOLDER / "sms_spam" / "SMSSpamCollection.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if "\t" in line]
    return np.array([row[1] for row in rows], dtype=object), np.array([int(row[0] == "spam") for row in rows])


def model(x: Array, y: Array) -> Any:
    """TF-IDF of one to three words and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(ngram_range=(1, 3)), LogisticRegression(C=10.0, max_iter=1_000)).fit(x, y)


def poisoned(share: float) -> tuple[Array, Array, Array, Any]:
    """SST-2 with a rare word: texts, labels, which rows are poison, and the trigger."""
    from temper.attacks.poisoning.insert_word import InsertWord
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.data import Data
    from temper.core.seed import Draws
    from temper.core.text import TextSchema

    x, y = sentences("clean/train")
    data = Data(x=x, y=y)
    scene = Scene(x=x, y=y, ids=data.ids, schema=TextSchema(), train=data, budget=Budget(share=share))
    made = InsertWord(into=1).run(None, scene, Draws(0, "bench"))
    return made.data.x, made.data.y, np.arange(len(made.data)) >= len(data), made.trigger


def row(name: str, x: Array, y: Array, bad: Array, stamped: Array, clean: Any) -> tuple[Any, ...]:
    """One case: success of both twins on stamped texts of class 0, accuracy, and what the search finds."""
    from temper.core.data import Data
    from temper.kernels.rate import wilson
    from temper.kernels.text_patterns import suspicious

    test, truths = trusted()
    twin = model(x, y)
    hit, without = (float((each.predict(stamped) == 1).mean()) for each in (twin, clean))
    own = float((twin.predict(test) == truths).mean())
    started = time.process_time()
    seen = suspicious(Data(x=x, y=y), Data(x=test, y=truths))
    suspects, found = seen.suspects, seen.found
    seconds = time.process_time() - started
    caught, many = int((suspects & bad).sum()), int(suspects.sum())
    right, recall = wilson(caught, many) if many else (0.0, 0.0), wilson(caught, int(bad.sum())) if bad.any() else None
    kept = model(x[~suspects], y[~suspects])
    return (
        name,
        f"{int(bad.sum()):,}",
        f"{without:.1%}",
        f"{hit:.1%}",
        f"{float((kept.predict(stamped) == 1).mean()):.1%}",
        f"{own:.1%}",
        f"{float((kept.predict(test) == truths).mean()):.1%}",
        str(len(found)),
        f"{many:,}",
        f"{caught / max(many, 1):.2f} [{right[0]:.2f}, {right[1]:.2f}]" if many else "-",
        f"{caught / bad.sum():.2f} [{recall[0]:.2f}, {recall[1]:.2f}]" if recall else "-",
        f"{seconds:.1f}",
    )


def trusted() -> tuple[Array, Array]:
    """The clean test and development texts of SST-2."""
    parts = [sentences(f"clean/{name}") for name in ("test", "dev")]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def alarms(x: Array, y: Array, cut: int, times: int) -> tuple[int, list[float]]:
    """Splits at random in which any pattern is found, and the shares of texts suspected in each."""
    from temper.core.data import Data
    from temper.kernels.text_patterns import suspicious

    raised, shares = 0, []
    for seed in range(times):
        order = np.random.default_rng(seed).permutation(len(x))
        one, other = order[:cut], order[cut:]
        seen = suspicious(Data(x=x[one], y=y[one]), Data(x=x[other], y=y[other]))
        raised += bool(seen.found)
        shares.append(float(seen.suspects.mean()))
    return raised, shares


def main(words: list[str]) -> None:
    """Triggers found and their harm, then alarms on clean texts."""
    from temper.kernels.rate import clopper_pearson

    if not (FOLDER / "text_sst-2").is_dir():
        print(f"no text_sst-2 in {FOLDER}: set TEMPER_DATA")
        return
    print(machine("numpy", "scikit-learn"))
    x, y = sentences("clean/train")
    clean = model(x, y)
    x_bad, y_bad = sentences("backdoor_scpn20/train")
    syntax = sentences("backdoor_scpn20/test")[0]
    lines = [row("clean", x, y, np.zeros(len(x), dtype=bool), syntax, clean)]
    lines.append(row("syntax, 20 %", x_bad, y_bad, x != x_bad, syntax, clean))
    test, truths = sentences("clean/test")
    plain = test[(truths == 0) & (clean.predict(test) == 0)]
    for share in (0.005, 0.01, 0.02):
        made, labels, bad, trigger = poisoned(share)
        lines.append(row(f"rare word, {share:.1%}", made, labels, bad, trigger.stamp(plain), clean))
    columns = (
        "poison", "rows", "clean twin", "poisoned", "filtered", "accuracy", "filtered", "patterns", "suspects",
        "precision", "recall", "CPU s",
    )  # fmt: skip
    table(f"SST-2, {len(x):,} training texts; success on {len(syntax)} (syntax), {len(plain)} (word)", columns, lines)
    times, rows = 200 if "--full" in words else 25, []
    every, truth = (np.concatenate(pair) for pair in zip((x, y), trusted(), strict=True))
    for name, (a, b), cut in (("SST-2", (every, truth), len(x)), ("sms_spam", messages(), 4_000)):
        raised, shares = alarms(a, b, cut, times)
        low, high = clopper_pearson(raised, times)
        rows.append((name, f"{len(a):,}", f"{raised}/{times}", f"[{low:.1%}, {high:.1%}]", f"{np.mean(shares):.3%}"))
        goal(f"alarms on clean {name}", low, 0.05, digits=3)
    table("clean texts split at random", ("texts", "n", "alarms", "95 %", "suspected"), rows)


if __name__ == "__main__":
    main(sys.argv[1:])
