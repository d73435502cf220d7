"""Fit a spam filter and attack it by spelling, by other words and by punctuation; see README.md.

python examples/text/run.py                # messages made by code: SIMULATED
python examples/text/run.py --data PATH    # the SMS Spam Collection: REAL
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import temper
from temper.core.text import TextSchema

FILE, FOLDER = "SMSSpamCollection.tsv", "sms_spam"
SYNONYMS = (("free", "gratis"), ("call", "ring", "phone"), ("prize", "award"), ("claim", "collect"), ("win", "gain"))
PROTECTED = r"https?://\S+|www\.\S+|\d{4,}"  # the link and the number are what the spam is for
Corpus = tuple[list[str], np.ndarray[Any, Any]]

SPAM = "free prize win cash claim urgent call now offer award text stop guaranteed mobile"
HAM = "home dinner love sorry later tomorrow meeting thanks mum lecture train happy bring see"
BOTH = "you the to a your for me and we today please get will send message tonight this week"


def simulated(count: int = 2_000, seed: int = 0) -> Corpus:
    """Messages drawn from overlapping lists of words, a quarter of them spam with a number to call."""
    rng = np.random.Generator(np.random.Philox(seed))
    y = (rng.random(count) < 0.25).astype(np.int64)
    messages = []
    for spam in y:
        own, other = (SPAM, HAM) if spam else (HAM, SPAM)
        counts = (12, rng.integers(2, 6), rng.integers(0, 3))
        words = [
            word for part, n in zip((BOTH, own, other), counts, strict=True) for word in rng.choice(part.split(), n)
        ]
        rng.shuffle(words)
        tail = f" 0{rng.integers(10**9, 10**10)}" if spam or rng.random() < 0.1 else ""
        messages.append(" ".join(words).capitalize() + tail)
    return messages, y


def collected(data: Path) -> Corpus:
    """The 5,574 messages of the SMS Spam Collection."""
    path = next((path for path in (data, data / FILE, data / FOLDER / FILE) if path.is_file()), None)
    if path is None:
        sys.exit(f"no {FILE} in {data} or {data / FOLDER}\n  fix: see README.md for where the messages are")
    pairs = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    pairs = [pair for pair in pairs if pair[0] in ("ham", "spam")]
    return [text for _, text in pairs], np.array([int(label == "spam") for label, _ in pairs])


def fitted(texts: list[str], y: np.ndarray[Any, Any]) -> Any:
    """TF-IDF of words with a logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=1000)).fit(texts, y)


def show(name: str, result: Any, texts: list[str], schema: TextSchema) -> None:
    """The success rate with its interval and its baseline, and the nearest successes decoded."""
    rate, (chance, by_chance) = result.success_rate, result.success_rate.baseline[0]
    print(f"\n{name}: {rate.value:.1%} broken (95 %: {rate.low:.1%} to {rate.high:.1%}, n {rate.n});", end=" ")
    print(f"{chance}: {by_chance:.1%}; {result.queries.mean():.0f} queries per message")
    broken = np.flatnonzero(result.verdicts == "broken")
    for at in broken[np.argsort(result.distance[broken], kind="stable")][:3]:
        changes = "; ".join(str(change) for change in schema.decode(result.x_adv[at], texts[at]))
        print(f"  {changes}")


def main(words: list[str]) -> int:
    """Fit, attack, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help=f"folder with {FILE}")
    parser.add_argument("--messages", type=int, default=100, help="spam messages to attack")
    parser.add_argument("--edits", type=float, default=6.0, help="characters an attacker may change")
    parser.add_argument("--words", type=float, default=3.0, help="words an attacker may replace")
    chosen = parser.parse_args(words)
    texts, y = collected(chosen.data) if chosen.data else simulated()
    cut = len(texts) * 3 // 4
    model = fitted(texts[:cut], y[:cut])
    kind = "REAL: the SMS Spam Collection" if chosen.data else "SIMULATED: messages made by code"
    accuracy = float((model.predict(texts[cut:]) == y[cut:]).mean())
    print(f"{kind}; fitted on {cut}, accuracy {accuracy:.1%} on {len(texts) - cut} held out")

    caught = model.predict(texts[cut:]) == 1
    rows = [at for at in range(cut, len(texts)) if y[at] == 1 and caught[at - cut]][: chosen.messages]
    attacked, truth = [texts[at] for at in rows], y[rows]
    schema = TextSchema(protected=PROTECTED)
    letters = temper.Budget(norm="edits", radius=chosen.edits, queries=300)
    swapped = temper.Budget(norm="words", radius=chosen.words, queries=300)
    for name, budget, options in (
        ("evasion.word_bug", letters, {}),
        ("evasion.punctuation", letters, {}),
        ("evasion.word_swap", swapped, {"synonyms": SYNONYMS}),
    ):
        result = temper.attack(model, name, attacked, truth, budget=budget, schema=schema, **options)
        show(f"{name}, at most {budget.radius:g} {budget.norm}", result, attacked, schema)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
