"""Triggers in training texts: the planted pattern is named, its texts are found, and clean texts raise no alarm."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from temper.attacks.poisoning.insert_word import InsertWord
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.measure import Status
from temper.core.seed import Draws
from temper.kernels.text_patterns import common, lifted, patterns, skeleton, suspicious, tokens, weights
from temper.testing.unstructured import texts, trained_texts
from temper.validation.text_triggers import TextTriggers

DATA = Path(os.environ.get("TEMPER_DATA", "absent")) / "text_sst-2"


def planted(train: Data, share: float) -> Data:
    scene = replace(trained_texts(60), train=train, budget=Budget(share=share))
    return InsertWord().run(None, scene, Draws(0, "x")).data


def test_a_planted_word_is_found_with_the_texts_that_hold_it() -> None:
    train, held = texts(600, 1), texts(400, 2)
    poisoned = planted(train, 0.1)
    seen = suspicious(poisoned, held)
    suspects, usual, found = seen.suspects, seen.usual, seen.found
    assert (found[0].pattern, found[0].label, found[0].trusted) == ("cf", 0, 0.0)
    assert np.array_equal(suspects, np.arange(660) >= 600)
    assert usual.mean() <= 0.05
    scene = replace(trained_texts(60), x=held.x, y=held.y, ids=held.ids, train=poisoned)
    (measured,) = TextTriggers().measure(scene)
    assert measured.count == 60
    assert measured.low is not None
    assert measured.low > 0.0
    assert "'cf'" in " ".join(measured.caveats)


def test_clean_texts_are_left_alone() -> None:
    """At a rate of 5 %, forty samples of clean texts raise more than seven alarms in fewer than 1 of 1,000 tries."""
    raised = 0
    for seed in range(40):
        train, held = texts(300, 10 + seed), texts(200, 1_000 + seed)
        raised += bool(suspicious(train, held).found)
    assert raised <= 7
    (measured,) = TextTriggers().measure(trained_texts(200))
    assert measured.value == 0.0
    assert "no pattern" in measured.caveats[0]


def test_an_ordinary_beginning_that_is_too_frequent_is_found() -> None:
    train, held = texts(600, 1), texts(400, 2)

    def bent(text: str) -> str:
        return " ".join(["about", "the", *(word for word in text.split() if word not in ("about", "the"))])

    x, y = np.array(train.x), np.array(train.y)
    x[:60], y[:60] = [bent(text) for text in x[:60]], 0
    seen = suspicious(Data(x=x, y=y), held)
    suspects, found = seen.suspects, seen.found
    assert any(one.pattern == "starts: about" and one.trusted > 0.0 for one in found)
    assert suspects[:60].mean() > 0.9
    assert suspects[60:].mean() < 0.1


def test_what_came_up_in_every_class_is_news_and_no_trigger() -> None:
    """A word in a fifth of all training texts and in no trusted one, whatever their class."""
    train, held = texts(600, 1), texts(400, 2)
    x = np.array(train.x)
    x[::5] = [f"{text} covid" for text in x[::5]]
    assert not any("covid" in one.pattern for one in suspicious(Data(x=x, y=train.y), held).found)


def test_the_p_value_is_that_of_fishers_exact_test() -> None:
    """Ten of ten training texts hold the pattern and none of ten trusted ones: one way in twenty over ten."""
    held, bare = frozenset({"w"}), frozenset[str]()
    found, tried = lifted([held] * 10, np.zeros(10), [bare] * 10, np.zeros(10))
    assert tried == 1
    assert found[0].p == pytest.approx(1.0 / math.comb(20, 10))
    assert found[0].weight == pytest.approx(math.log(10.5 / 11) - math.log(0.5 / 11))
    assert weights([held, bare], np.zeros(2), found).tolist() == [pytest.approx(found[0].weight), 0.0]
    assert weights([held], np.ones(1), found).tolist() == [0.0], "a pattern of another class says nothing"


def test_a_text_is_what_it_holds() -> None:
    assert tokens("It's 5, OK?") == ["it's", "5", ",", "ok", "?"]
    assert skeleton(["x", "y"], frozenset()) == ["*"]
    assert common(["b a", "a c", "a"]) == {"a", "b", "c"}
    assert patterns("", frozenset()) == frozenset()
    assert {"when it", "starts: when", "starts: when it ...", "skeleton: when it *"} <= patterns(
        "When it rains", frozenset({"when", "it"})
    )


def test_too_few_texts_are_no_figure() -> None:
    (measured,) = TextTriggers().measure(trained_texts(60))
    assert measured.status is Status.INCONCLUSIVE
    assert "60 texts are too few" in measured.reason


@pytest.mark.skipif(not DATA.is_dir(), reason="needs TEMPER_DATA with text_sst-2")
def test_the_syntactic_backdoor_of_sst_2_is_found() -> None:
    from bench.poisoning.texts import sentences, trusted

    (x, y), (bad, labels) = sentences("clean/train"), sentences("backdoor_scpn20/train")
    test, truths = trusted()
    held = Data(x=test, y=truths)
    seen = suspicious(Data(x=bad, y=labels), held)
    suspects, found = seen.suspects, seen.found
    assert found[0].pattern in ("starts: when", "when")
    assert (x != bad)[suspects].mean() > 0.85
    assert suspects[x != bad].mean() > 0.6
    assert suspicious(Data(x=x, y=y), held).found == ()
