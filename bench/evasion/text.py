"""DeepWordBug in lock-step beside TextAttack's, and every text attack beside random edits.

    python -m bench.evasion.text [--quick]

TF-IDF with a logistic regression on SMS spam and SST-2 (below TEMPER_DATA or ../shared/data; without them a SIMULATED
corpus made by code, which says less). 100 documents of 25 to 60 words that the model judges right, the same four
character edits, one pass, stop words spared, at most 30 edits. CPU seconds of one thread. Both sides draw their edits
at random, so success is the mean over repeats.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, median, table

ROOT = Path(__file__).parents[2]
LIMIT, QUERIES = 30, 500
BUGS = {"kinds": ("substitute", "delete", "insert", "swap"), "passes": 1, "spare_stop_words": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A model, how many texts it was fitted on, and the documents under attack with their classes."""

    name: str
    model: Any
    fitted: int
    x: list[str]
    y: Any
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One attack on one corpus: broken per document and repeat, and what it cost."""

    name: str
    broken: Any
    edits: float
    queries: float
    calls: float
    seconds: list[float]


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    quick = "--quick" in words
    repeats, n = (3, 100) if quick else (7, 100)
    print(machine("numpy", "scikit-learn", "textattack"))
    for corpus in corpora(n):
        print(f"\n{corpus.name}: fitted on {corpus.fitted}, accuracy {corpus.accuracy:.1%}")
        compare(corpus, repeats)
        _strengths(corpus)
    return 0


def compare(corpus: Corpus, repeats: int) -> None:
    """Our DeepWordBug and TextAttack's in turns."""
    _ours(replace(corpus, x=corpus.x[:3], y=corpus.y[:3]), "evasion.word_bug", 9, **BUGS)
    ours = [_ours(corpus, "evasion.word_bug", seed, **BUGS) for seed in range(repeats)]
    sides = [_mean("temper evasion.word_bug", ours)]
    try:
        peer = _peer(corpus, repeats)
    except ImportError as error:
        print(f"  TextAttack is absent ({error}): our side alone")
    else:
        sides.append(peer)
    rows = []
    for side in sides:
        cost = median([1000 * second / len(corpus.x) for second in side.seconds])
        ratio = median(sides[-1].seconds).value / median(side.seconds).value
        rate = f"{side.broken.mean():.1%} [{_interval(side)}]"
        figures = [f"{side.edits:.1f}", f"{side.queries:.0f}", f"{side.calls:.1f}", cost.show(2), f"{ratio:.1f}"]
        rows.append([side.name, rate, side.broken.size, *figures])
    table(f"DeepWordBug, at most {LIMIT} edits, {len(corpus.x)} documents", COLUMNS, rows)
    if len(sides) == 2:
        own, other = sides
        goal(f"{corpus.name}: success not below TextAttack's, points",
             100 * (own.broken.mean() - other.broken.mean()), -2.0, at_least=True)  # fmt: skip
        faster = median(other.seconds).value / median(own.seconds).value
        goal(f"{corpus.name}: CPU of TextAttack over ours", faster, 12.0, at_least=True, digits=1)


COLUMNS = [
    "",
    "broken [Wilson 95 %]",
    "n x repeats",
    "edits",
    "queries/doc",
    "calls/doc",
    "CPU ms/doc [ ]",
    "times faster",
]


def _interval(side: Side) -> str:
    """Of the documents: repeats on the same ones are no new documents."""
    from temper.kernels.rate import wilson

    n = side.broken.shape[1]
    low, high = wilson(round(float(side.broken.mean()) * n), n)
    return f"{low:.1%}, {high:.1%}"


def _strengths(corpus: Corpus) -> None:
    """Every text attack with 6 edits, and with a tenth of the words, beside random edits of equal budget."""
    from temper.core.text import TextSchema

    rows = []
    for title, norm, radius, schema in (
        ("6 edits", "edits", 6.0, TextSchema()),
        ("6 edits, plain letters", "edits", 6.0, TextSchema(homoglyphs=False, zero_width=False)),
        ("5 words", "words", 5.0, TextSchema()),
    ):
        for name in (
            "evasion.noise",
            "evasion.word_bug",
            "evasion.punctuation",
            "evasion.word_swap",
            "evasion.text_hard_label",
        ):
            side = _ours(corpus, name, 0, norm=norm, radius=radius, schema=schema)
            rate = f"{side.broken.mean():.1%} [{_interval(side)}]"
            rows.append([title, name, rate, side.broken.size, f"{side.edits:.1f}", f"{side.queries:.0f}"])
    table(f"at most {QUERIES} queries", ["budget", "", "broken [Wilson 95 %]", "n", "distance", "queries/doc"], rows)


def _ours(
    corpus: Corpus,
    name: str,
    seed: int,
    *,
    norm: str = "edits",
    radius: float = LIMIT,
    schema: Any = None,
    **options: Any,
) -> Side:
    """One attack through the oracle."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.room import Room
    from temper.core.seed import Draws
    from temper.core.text import TextSchema, as_texts
    from temper.judges.misclassified import Misclassified
    from temper.targets.load import open_target
    from temper.targets.oracle import Oracle
    from temper.testing.toys import Counted

    target = Counted(inner=open_target(corpus.model))
    budget = Budget(queries=QUERIES, norm=norm, radius=radius)
    ids = np.arange(len(corpus.x))
    scene = Scene(x=as_texts(corpus.x), y=corpus.y, ids=ids, schema=schema or TextSchema(), budget=budget)
    start = time.process_time()
    attack = Room("temper.attacks").build(name, options)
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, name, ids))
    found = oracle.evidence()
    seconds = time.process_time() - start
    broken = found.verdicts == "broken"
    far = float(found.distance[broken].mean()) if broken.any() else float("nan")
    return Side(
        name=name,
        broken=broken[None],
        edits=far,
        queries=float(found.queries.mean()),
        calls=len(target.asked) / len(broken),
        seconds=[seconds],
    )


def _peer(corpus: Corpus, repeats: int) -> Side:
    """TextAttack's recipe, document by document, as its users run it."""
    from bench.evasion._textattack import Spent, deep_word_bug
    from temper.core.text import edit_distance

    spent = Spent()
    attack = deep_word_bug(corpus.model.predict_proba, spent)
    model = attack.goal_function.model
    attack.attack(corpus.x[0], int(corpus.y[0]))
    model.rows = model.calls = 0
    rounds, seconds, edits = [], [], []
    for _ in range(repeats):
        attack.clear_cache()
        spent.seconds, start = 0.0, time.process_time()
        results = [attack.attack(text, int(label)) for text, label in zip(corpus.x, corpus.y, strict=True)]
        seconds.append(time.process_time() - start - spent.seconds)
        done = [type(result).__name__ == "SuccessfulAttackResult" for result in results]
        rounds.append(done)
        edits += [
            edit_distance(result.perturbed_text(), text)
            for result, text, good in zip(results, corpus.x, done, strict=True)
            if good
        ]
    asked = repeats * len(corpus.x)
    return Side(
        name="TextAttack DeepWordBugGao2018",
        broken=np.array(rounds),
        edits=float(np.mean(edits)),
        queries=model.rows / asked,
        calls=model.calls / asked,
        seconds=seconds,
    )


def _mean(name: str, runs: list[Side]) -> Side:
    """Repeats of one attack put together."""
    return Side(
        name=name,
        broken=np.concatenate([run.broken for run in runs]),
        edits=float(np.mean([run.edits for run in runs])),
        queries=float(np.mean([run.queries for run in runs])),
        calls=float(np.mean([run.calls for run in runs])),
        seconds=[run.seconds[0] for run in runs],
    )


# -- data -----------------------------------------------------------------------------------------------------------


def corpora(n: int) -> list[Corpus]:
    """The real corpora that are there, else the simulated one."""
    folder = Path(os.environ.get("TEMPER_DATA") or ROOT.parent / "shared" / "data")
    found = []
    if (path := folder / "sms_spam" / "SMSSpamCollection.tsv").is_file():
        pairs = [line.split("\t", 1)[::-1] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        found.append(_fitted("SMS spam (REAL)", pairs, lambda word: int(word == "spam"), n))
    if (path := folder / "text_sst-2" / "clean" / "train.tsv").is_file():
        pairs = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        found.append(_fitted("SST-2 (REAL)", pairs, int, n))
    return found or [_simulated(n)]


def _fitted(name: str, pairs: list[list[str]], number: Callable[[str], int], n: int) -> Corpus:
    """Four fifths to fit, and of the rest the documents of 25 to 60 words that are judged right."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, y = [pair[0] for pair in pairs], np.array([number(pair[1]) for pair in pairs])
    cut = len(texts) * 4 // 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=1000)).fit(texts[:cut], y[:cut])
    said = model.predict(texts[cut:])
    right = [
        at
        for at in range(cut, len(texts))
        if said[at - cut] == y[at] and 25 <= len(texts[at].split()) <= 60
    ][:n]  # fmt: skip
    accuracy = float((said == y[cut:]).mean())
    return Corpus(name=name, model=model, fitted=cut, x=[texts[at] for at in right], y=y[right], accuracy=accuracy)


def _simulated(n: int) -> Corpus:
    """Sentences drawn from two lists of words that overlap."""
    rng = np.random.Generator(np.random.Philox(key=0))
    words = np.array([f"word{at}" for at in range(400)])
    pairs = []
    for at in range(3_000):
        weights = np.where((np.arange(400) < 60) == bool(at % 2), 2.0, 1.0)
        pairs.append([" ".join(rng.choice(words, 35, p=weights / weights.sum())), str(at % 2)])
    return _fitted("drawn words (SIMULATED)", pairs, int, n)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
