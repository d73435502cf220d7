"""Texts: how far apart they are, what may change of them, and what the attacks on them promise."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import temper
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import SchemaError, TemperError, Unsupported
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import (
    HOMOGLYPHS,
    MASK,
    ZERO_WIDTH,
    TextSchema,
    as_texts,
    edit_distance,
    shown,
    units,
    word_spans,
    words_changed,
)
from temper.judges.misclassified import Misclassified
from temper.kernels.text import KEYBOARD, KINDS, RANDOM_KINDS, STOP_WORDS, edited, in_case_of, random_texts, variants
from temper.targets.load import open_target
from temper.targets.oracle import Evidence, Oracle
from temper.testing.scenes import Words, table_scene, text_model, text_scene
from temper.testing.toys import Constant, Counted, Fragile

GREEDY = ("evasion.word_bug", "evasion.word_swap", "evasion.punctuation")
ATTACKS = (*GREEDY, "evasion.text_hard_label")
SHORT = st.text(alphabet="ab c", max_size=9)
ANY = st.text(max_size=40)


def texts(*items: str) -> Any:
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made


def strike(name: str, scene: Scene, target: Any, **options: Any) -> Evidence:
    attack = Room("temper.attacks").build(name, options)
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, name, scene.ids))
    return oracle.evidence()


def scene_of(
    x: Any, target: Any, *, schema: TextSchema | None = None, goal: Any = "misclassify", **budget: Any
) -> Scene:
    x = texts(*x)
    budget = {"norm": "edits", "radius": 6.0, "queries": 200} | budget
    y = np.asarray(target.scores(x)).argmax(1)
    return Scene(
        x=x,
        y=y,
        ids=np.arange(len(x)),
        schema=schema or TextSchema(),
        budget=Budget(**budget),
        classes=target.classes,
        goal=goal,
    )


# -- distances ------------------------------------------------------------------------------------------------------


def textbook(a: Any, b: Any) -> int:
    """Wagner and Fischer's table."""
    above = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        row = [i]
        for j, two in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (one != two)))
        above = row
    return above[-1]


@given(SHORT, SHORT)
def test_edit_distance_is_the_textbook_one(a: str, b: str) -> None:
    assert edit_distance(a, b) == textbook(a, b)
    assert edit_distance(a.split(), b.split()) == textbook(a.split(), b.split())


@given(SHORT, SHORT, SHORT)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_a_long_text_a_few_edits_apart_is_measured_at_once() -> None:
    long = "the quick brown fox " * 5_000
    near = long[:40_000] + "X" + long[40_000:60_000] + long[60_003:] + "!"
    assert edit_distance(near, long) == 5


@given(ANY)
def test_units_join_to_the_same_text_and_hold_a_word_each(text: str) -> None:
    parts = units(text)
    assert "".join(parts) == text
    assert all(parts)
    assert len(parts) <= len(word_spans(text)) + 1


@given(ANY, ANY)
def test_no_word_changed_means_the_same_text(a: str, b: str) -> None:
    assert (words_changed(a, b) == 0) == (a == b)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("😀😀 👩‍👩‍👧", []),
        ("don't re-enter", ["don't", "re-enter"]),
        ("cafe\u0301 x", ["cafe\u0301", "x"]),  # a combining accent stays with its letter
        ("fr\u200bee", ["fr\u200bee"]),  # an invisible character does not cut a word in two
        ("سلام عليكم", ["سلام", "عليكم"]),
        ("\x00a\x00", ["a"]),
    ],
)
def test_words_are_found_in_every_script(text: str, words: list[str]) -> None:
    assert [text[a:b] for a, b in word_spans(text)] == words


# -- the domain -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "clean", "text", "ok"),
    [
        (TextSchema(), "a b", "anything", True),
        (TextSchema(), "a b", f"a {MASK}", False),
        (TextSchema(protected=r"\d+"), "pay 10 now", "pay 10 n0w", False),
        (TextSchema(protected=r"\d+"), "pay 10 now", "pay 10 mow", True),
        (TextSchema(protected=("Acme",)), "from Acme today", "from Acmes today", False),
        (TextSchema(protected=("Acme",)), "from Acme today", "fromm Acme today", True),
        (TextSchema(zero_width=False), "free", f"fr{ZERO_WIDTH[0]}ee", False),
        (TextSchema(zero_width=False), f"fr{ZERO_WIDTH[0]}ee", f"fr{ZERO_WIDTH[0]}e", True),
        (TextSchema(homoglyphs=False), "free", f"fr{HOMOGLYPHS['e']}e", False),
        (TextSchema(homoglyphs=False), "привет", "приветы", True),  # Cyrillic where the text is Cyrillic
        (TextSchema(max_share=0.5), "one two three four", "one tow three four", True),
        (TextSchema(max_share=0.5), "one two three four", "oen tow htree four", False),
        (TextSchema(max_share=0.0), "one two", "one tow", False),
    ],
)
def test_only_what_the_schema_allows_is_admitted(schema: TextSchema, clean: str, text: str, ok: bool) -> None:
    assert schema.admits(texts(text), texts(clean)).tolist() == [ok]
    assert (schema.reason(texts(text), texts(clean)) == "") == ok
    assert schema.admits(texts(clean), texts(clean)).all()
    assert schema.project(texts(text), texts(clean)).tolist() == [text if ok else clean]


def by_length(x: list[str], x0: list[str]) -> list[float]:
    return [min(len(a), len(b)) / max(len(a), len(b), 1) for a, b in zip(x, x0, strict=True)]


def test_a_similarity_of_the_users_own_is_obeyed() -> None:
    schema = TextSchema(similarity=by_length, least_similarity=0.9)
    assert schema.admits(texts("0123456789", "0"), texts("012345678x", "01")).tolist() == [True, False]
    assert "similar" in schema.reason(texts("0"), texts("01"))
    with pytest.raises(SchemaError, match="one number per pair"):
        TextSchema(similarity=lambda x, x0: [1.0, 1.0]).admits(texts("a"), texts("b"))


def test_distance_and_cost_are_counted_in_edits_or_words() -> None:
    x, x0 = texts("fre prizes", "hello"), texts("free prize", "hello")
    schema = TextSchema()
    assert schema.distance(x, x0, "edits").tolist() == [2.0, 0.0]
    assert schema.distance(x, x0, "words").tolist() == [2.0, 0.0]
    assert schema.cost(x, x0).tolist() == [2.0, 0.0]
    with pytest.raises(TemperError, match="not measured in l2"):
        schema.distance(x, x0, "l2")


def test_changes_are_shown_word_by_word_with_the_invisible_escaped() -> None:
    change = TextSchema().decode("call fr\u200bее now", "call free now")
    assert [str(one) for one in change] == [r"word 2 free  -> fr\u200b\u0435\u0435 "]
    assert shown("naïve ü") == "naïve ü"


def test_a_schema_that_makes_no_sense_is_refused_and_a_sound_one_survives_pickling() -> None:
    with pytest.raises(SchemaError, match="no pattern"):
        TextSchema(protected="(")
    with pytest.raises(SchemaError, match="max_share"):
        TextSchema(max_share=2.0)
    schema = TextSchema(protected=r"\d", max_share=0.5)
    assert pickle.loads(pickle.dumps(schema)) == schema


# -- edits ----------------------------------------------------------------------------------------------------------

UNIT = st.floats(min_value=0.0, max_value=1.0, exclude_max=True)


@given(st.text(max_size=8), st.sampled_from(KINDS), UNIT, UNIT)
def test_an_edit_costs_what_it_says(word: str, kind: str, place: float, pick: float) -> None:
    assert edit_distance(edited(word, kind, place, pick), word) <= (2 if kind == "swap" else 1)


@given(st.text(min_size=1, max_size=8), st.integers(0, 2**32))
def test_variants_differ_from_the_word_and_from_one_another_the_cheapest_first(word: str, seed: int) -> None:
    numbers = np.random.Generator(np.random.Philox(seed)).random(2 * len(KINDS))
    found = variants(word, KINDS, numbers)
    assert len({new for new, _ in found}) == len(found)
    assert word not in dict(found)
    prices = [price for _, price in found]
    assert prices == sorted(prices)
    assert all(edit_distance(new, word) <= price for new, price in found)


def test_the_keyboard_has_neighbours_both_ways_and_look_alikes_are_no_ascii() -> None:
    assert set(KEYBOARD["g"]) == set("fhtyvb")
    for key, near in KEYBOARD.items():
        assert key not in near
        assert all(key in KEYBOARD[other] for other in near)
    assert all(old.isascii() and not new.isascii() and len(new) == 1 for old, new in HOMOGLYPHS.items())
    assert {"the", "you", "was"} <= STOP_WORDS


def test_a_word_put_in_anothers_place_keeps_its_capitals() -> None:
    assert [in_case_of("gratis", old) for old in ("free", "Free", "FREE", "F")] == [
        "gratis",
        "Gratis",
        "GRATIS",
        "Gratis",
    ]


@pytest.mark.parametrize("norm", ["edits", "words"])
@pytest.mark.parametrize("radius", [0.0, 1.0, 3.0])
def test_random_texts_stay_within_the_budget_and_what_is_protected(norm: str, radius: float) -> None:
    scene = text_scene(6)
    schema = replace(scene.schema, zero_width=False, homoglyphs=False)
    scene = replace(scene, schema=schema, budget=Budget(norm=norm, radius=radius))
    rows = np.repeat(np.arange(6), 20)
    x = random_texts(scene, schema, rows, Draws(0, "t", scene.ids), np.tile(np.arange(20), 6))
    assert schema.admits(x, scene.x[rows]).all()
    assert schema.distance(x, scene.x[rows], norm).max() <= radius
    assert (x != scene.x[rows]).any() == (radius > 0)
    assert set(RANDOM_KINDS) == set(KINDS)


# -- the attacks ----------------------------------------------------------------------------------------------------

SOUND = Words(weights=(("zzz", 1.0),))  # looks at nothing that is there but the protected number


@pytest.mark.parametrize("name", ATTACKS)
def test_a_model_of_single_words_is_caught(name: str) -> None:
    scene = text_scene(40, distance=0.3)
    found = strike(name, scene, text_model())
    assert (found.verdicts == "broken").mean() >= 0.9
    if name in GREEDY:  # whoever sees no scores only knows when it is enough
        assert found.distance[found.verdicts == "broken"].max() <= 3


@pytest.mark.parametrize("name", ATTACKS)
def test_a_model_that_looks_only_at_what_is_protected_passes(name: str) -> None:
    found = strike(name, text_scene(40, distance=0.3, target=SOUND), SOUND)
    assert set(found.verdicts) == {"held"}
    assert found.queries.min() > 0


@pytest.mark.parametrize("name", GREEDY)
def test_one_call_ranks_all_words_and_each_step_is_one_call(name: str) -> None:
    target = Counted(inner=text_model())
    scene = text_scene(40, distance=3.0)
    strike(name, replace(scene, budget=replace(scene.budget, queries=500)), target, passes=1)
    words = 10
    assert len(target.asked) <= 1 + 1 + words + 1  # clean, ranking, one per word, winners again


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("norm", ["edits", "words", "cost"])
def test_whatever_counts_is_in_domain_and_budget(name: str, norm: str) -> None:
    schema = TextSchema(protected=r"\{[^}]*\}", max_share=0.3, zero_width=False, homoglyphs=False)
    scene = replace(text_scene(30), schema=schema, budget=Budget(norm=norm, radius=6.0, cost=8.0, queries=200))
    found = strike(name, scene, text_model())
    broken = found.verdicts == "broken"
    x, x0 = found.x_adv[broken], scene.x[broken]
    assert broken.any()
    assert schema.admits(x, x0).all()
    assert schema.distance(x, x0, norm).max() <= 6
    assert schema.cost(x, x0).max() <= 8


def test_the_nearest_success_needs_every_word_it_changes() -> None:
    scene = replace(text_scene(30, distance=0.9), mode="nearest")
    model = text_model()
    found = strike("evasion.word_bug", scene, model)
    for text, clean, y, verdict in zip(found.x_adv, scene.x, scene.y, found.verdicts, strict=True):
        if verdict == "broken":
            mine, theirs = text.split(" "), clean.split(" ")
            for at in np.flatnonzero(np.array(mine) != np.array(theirs)):
                undone = " ".join([*mine[:at], theirs[at], *mine[at + 1 :]])
                alone = sum(a != b for a, b in zip(mine, theirs, strict=True)) == 1
                assert alone or model.scores(texts(undone)).argmax(1) == y


def test_the_most_telling_word_goes_first_whatever_its_place() -> None:
    model = Words(weights=(("a", 0.1), ("great", 2.0), ("film", 0.1)))
    scene = scene_of(["a film a film great a film"], model, radius=2.0)
    found = strike(
        "evasion.word_bug", replace(scene, y=np.array([1])), replace(model, weights=(*model.weights, ("{-1}", -1.0)))
    )
    assert found.verdicts.tolist() == ["held"]  # nothing is pushed below zero by leaving words out of a positive sum
    pushed = replace(model, weights=(("great", 2.0), ("film", -0.1)))
    scene = replace(scene_of(["a film a film great a film"], pushed, radius=2.0), mode="first")
    found = strike("evasion.word_bug", scene, pushed)
    assert found.verdicts.tolist() == ["broken"]
    assert found.distance[0] == 1


@pytest.mark.parametrize("goal", [0, 1])
def test_a_class_can_be_aimed_at(goal: int) -> None:
    def model(x: list[str]) -> Any:
        shares = np.array([[1.0, 1.1 * text.count("red"), 1.2 * text.count("blue")] for text in x]) + 0.1
        return shares / shares.sum(axis=1, keepdims=True)

    target = open_target(model, classes=3)
    scene = scene_of(["red car blue sky", "blue sea, red sand"], target, goal=goal)
    assert target.scores(scene.x).argmax(1).tolist() == [2, 2]
    found = strike("evasion.word_bug", scene, target)
    assert found.verdicts.tolist() == ["broken", "broken"]
    assert target.scores(found.x_adv).argmax(1).tolist() == [goal, goal]


def long_texts(n: int = 30, *, need: float = 0.8, **budget: Any) -> tuple[Scene, Words]:
    """Thirty words each, of which the four that weigh most together reach the decision with a fifth to spare."""
    words, draws = [f"w{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(90)], Draws(0, "long texts")
    model = Words(weights=tuple(zip(words, draws.normal([0], 0, (90,))[0].tolist(), strict=True)))
    order = np.argsort(draws.uniform(np.arange(n), 1, (90,)), axis=1)[:, :30]
    held = np.array([dict(model.weights)[word] for word in words])[order]
    level = need * np.sort(held, axis=1)[:, -4:].sum(axis=1) - held.sum(axis=1)
    x = texts(
        *(" ".join([*(words[at] for at in row), f"{{{by!r}}}"]) for row, by in zip(order, level.tolist(), strict=True))
    )
    schema, given = TextSchema(protected=r"\{[^}]*\}"), {"norm": "words", "radius": 4.0, "queries": 150} | budget
    y = np.asarray(model.scores(x)).argmax(1)
    return Scene(x=x, y=y, ids=np.arange(n), schema=schema, budget=Budget(**given)), model


@pytest.mark.parametrize("queries", [75, 150])
def test_decisions_alone_break_more_than_random_edits_at_equal_queries(queries: int) -> None:
    scene, model = long_texts(queries=queries)
    ours, chance = (strike(name, scene, model) for name in ("evasion.text_hard_label", "evasion.noise"))
    assert (ours.verdicts == "broken").sum() >= (chance.verdicts == "broken").sum() + 4


def test_decisions_alone_are_asked_for_and_nothing_else() -> None:
    attack = Room("temper.attacks").build("evasion.text_hard_label")
    scene, model = long_texts(4)
    oracle = Oracle(model, scene, Misclassified(), Access.LABELS)  # scores would be refused
    attack.run(oracle, scene, Draws(0, "t", scene.ids))
    assert attack.needs is Access.LABELS
    assert (oracle.evidence().queries > 0).all()


def test_words_that_the_decision_does_not_need_are_put_back() -> None:
    model = Words(weights=(("bad", -1.0), ("awful", -1.0)))
    scene = scene_of(["an awful long and bad film that goes on and on for ever"], model, norm="words", radius=12.0)
    found = strike(
        "evasion.text_hard_label",
        replace(scene, mode="nearest"),
        replace(model, weights=(*model.weights, ("film", 0.5))),
    )
    assert found.verdicts.tolist() == ["broken"]
    changed = set(scene.x[0].split(" ")) - set(found.x_adv[0].split(" "))
    assert changed == {"bad", "awful"}


@pytest.mark.parametrize("name", ATTACKS)
def test_similarity_and_share_of_words_hold_together(name: str) -> None:
    def overlap(new: list[str], old: list[str]) -> list[float]:
        return [len(set(a.split()) & set(b.split())) / len(set(b.split())) for a, b in zip(new, old, strict=True)]

    free = text_scene(30, distance=0.7)
    bounds = (
        replace(free.schema, similarity=overlap, least_similarity=0.8),
        replace(free.schema, max_share=0.2),
        replace(free.schema, similarity=overlap, least_similarity=0.8, max_share=0.2),
    )
    found = [strike(name, replace(free, schema=schema), text_model()) for schema in bounds]
    for schema, one in zip(bounds, found, strict=True):
        won = one.verdicts == "broken"
        assert won.any()
        assert schema.admits(one.x_adv[won], free.x[won]).all()
    both = found[2].verdicts == "broken"
    assert both.sum() <= (strike(name, free, text_model()).verdicts == "broken").sum()
    assert min(overlap(found[2].x_adv[both].tolist(), free.x[both].tolist())) >= 0.8
    assert all(
        words_changed(a, b) <= 0.2 * len(word_spans(b)) for a, b in zip(found[2].x_adv[both], free.x[both], strict=True)
    )


def test_own_synonyms_and_neighbours_of_own_vectors_are_used() -> None:
    model = Words(weights=(("superb", 1.0), ("plot", -0.4)))
    scene = scene_of(["superb plot"], model, norm="words", radius=1.0)
    by_group = strike("evasion.word_swap", scene, model, synonyms=(("superb", "stellar"),))
    by_map = strike("evasion.word_swap", scene, model, synonyms={"superb": ["stellar"]})
    by_vectors = strike(
        "evasion.word_swap",
        scene,
        model,
        vocabulary=("superb", "stellar", "plot"),
        vectors=np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]]),
    )
    for found in (by_group, by_map, by_vectors):
        assert found.x_adv.tolist() == ["stellar plot"]
    held = strike("evasion.word_swap", scene, model, synonyms=(("nothing", "known"),))
    assert held.verdicts.tolist() == ["held"]  # its words were asked about, and nothing may stand for them
    with pytest.raises(TemperError, match="come together"):
        Room("temper.attacks").build("evasion.word_swap", {"vocabulary": ("a",)})


def test_kinds_of_edits_are_chosen_and_unknown_ones_refused() -> None:
    model = Words(weights=(("free", 1.0), ("x", -0.5)))
    scene = scene_of(["free x"], model, radius=1.0)
    found = strike("evasion.word_bug", scene, model, kinds=("homoglyph",))
    assert set(found.x_adv[0]) & set(HOMOGLYPHS.values())
    closed = replace(scene, schema=TextSchema(homoglyphs=False))
    assert strike("evasion.word_bug", closed, model, kinds=("homoglyph",)).verdicts.tolist() == ["held"]
    with pytest.raises(TemperError, match="knows no edits"):
        Room("temper.attacks").build("evasion.word_bug", {"kinds": ("typo",)})


# -- through the front door -----------------------------------------------------------------------------------------

ODD = ["", "one", "😀😀", "\x00", "e\u0301\u0301\u0301", "שלום עולם", "\ud800 lone", "...", " ", "free free"]


@pytest.mark.parametrize("name", [*ATTACKS, "evasion.noise"])
def test_odd_texts_are_attacked_or_said_to_hold_nothing_to_change(name: str) -> None:
    model = Words(weights=(("free", 1.0),))
    scene = scene_of(ODD, model, queries=40)
    found = strike(name, scene, model)
    assert not set(found.verdicts) & {"error"}
    if name in ATTACKS:
        nothing = found.verdicts == "untried"
        assert nothing.tolist() == [not word_spans(text) for text in ODD]
        assert {found.reasons[at] for at in np.flatnonzero(nothing)} == {"the attack found nothing to ask"}


def test_a_very_long_text_is_attacked_within_its_budget() -> None:
    model = Words(weights=(("free", 1.0), ("dull", -1e-6)))
    long = "dull words here " * 3_000 + "free"
    scene = scene_of([long * 2], model, queries=60, radius=2.0)
    found = strike("evasion.word_bug", scene, model)
    assert found.queries[0] <= 60


def test_a_model_that_fails_on_a_text_marks_that_row_alone() -> None:
    model = Fragile(inner=Words(weights=(("free", 1.0),)), fails=lambda x: np.array([text == "bad" for text in x]))
    scene = replace(scene_of(["free"], model), x=texts("free", "bad"), y=np.array([1, 1]), ids=np.arange(2))
    found = strike("evasion.word_bug", scene, model)
    assert found.verdicts[1] == "error"
    assert found.verdicts[0] != "error"


def spam(x: list[str]) -> Any:
    assert type(x) is list
    assert all(type(text) is str for text in x)
    p = np.array([0.2 + 0.5 * ("free" in text.split()) for text in x])
    return np.column_stack([1 - p, p])


def test_a_callable_of_texts_is_attacked_in_one_line() -> None:
    result = temper.attack(
        spam,
        "evasion.word_bug",
        ["get free money", "hello there"],
        [1, 0],
        budget=temper.Budget(queries=100, norm="edits", radius=2),
    )
    assert result.verdicts.tolist() == ["broken", "held"]
    assert result.distance[0] == 1
    assert result.success_rate.baseline[0][0].startswith("random")


def test_a_text_pipeline_is_opened_by_what_it_is() -> None:
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    x = ["free money now", "free prize", "see you at home", "dinner at home"] * 5
    for first in (TfidfVectorizer(), make_union(TfidfVectorizer(), CountVectorizer())):
        model = make_pipeline(first, LogisticRegression(C=10.0)).fit(x, [1, 1, 0, 0] * 5)
        target = temper.target(model)
        assert target.scores(texts("free home")).shape == (1, 2)
        assert Access.RETRAIN in target.access
        again = target.refit(data_of(x, [1, 1, 0, 0] * 5), recipe())
        assert np.allclose(again.scores(texts("free")), target.scores(texts("free")))
        result = temper.attack(model, "evasion.word_bug", x[:4], [1, 1, 0, 0], budget=temper.Budget(queries=200))
        assert (result.verdicts == "broken").any()
        assert (target.scores(result.x_adv).argmax(1) != [1, 1, 0, 0]).tolist() == (
            result.verdicts == "broken"
        ).tolist()
        assert len(target.digest) == 64
    with pytest.raises(Unsupported):
        target.gradient(texts("a"), lambda scores: scores)
    with pytest.raises(TemperError, match="reads texts"):
        target.scores(np.zeros((2, 2)))


def data_of(x: list[str], y: list[int]) -> Any:
    from temper.core.data import Data

    return Data(x=texts(*x), y=np.array(y))


def recipe() -> Any:
    from temper.core.target import Recipe

    return Recipe()


def labels_only(x: list[str]) -> Any:
    return np.array([int("free" in text) for text in x])


@pytest.mark.parametrize(
    ("x", "options", "said"),
    [
        (["fine", 3.0], {}, "row 1 is a float among texts"),
        ([None, "fine"], {}, "row 0 is a NoneType among texts"),
        ("a single text", {}, "put it in a list"),
        (["free"], {"budget": temper.Budget(norm="l2", radius=1.0)}, "measured in edits or words"),
        (["free"], {"name": "evasion.random_search"}, "rows are texts"),
        (["free"], {"model": "labels"}, "needs scores"),
        ([[0.1]], {"budget": temper.Budget(norm="edits", radius=1.0)}, "linf"),
        ([[0.1]], {"schema": TextSchema()}, "rows of numbers"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(x: Any, options: dict[str, Any], said: str) -> None:
    budget = options.get("budget", temper.Budget(queries=10, norm="edits", radius=1.0))
    model: Any = spam
    if options.get("model") == "labels":
        model = temper.target(labels_only, labels_only=True)
    elif not isinstance(x, str) and isinstance(x[0], list):
        model = Constant()
    with pytest.raises(TemperError) as refused:
        temper.attack(
            model, options.get("name", "evasion.word_bug"), x, [1] * len(x), budget=budget, schema=options.get("schema")
        )
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ATTACKS)
def test_numbers_are_declined(name: str) -> None:
    with pytest.raises(Unsupported, match="these rows are numbers"):
        strike(name, table_scene(), Constant())


def test_texts_are_told_from_numbers() -> None:
    assert as_texts(np.zeros((2, 2))) is None
    assert as_texts([[1.0, 2.0]]) is None
    assert as_texts([]) is None
    found = as_texts(np.array(["a", "bc"]))
    assert found is not None
    assert found.dtype == object
    kept = as_texts(["nul\x00"])
    assert kept is not None
    assert kept[0] == "nul\x00"  # a NumPy string would lose it


def test_more_queries_never_break_less() -> None:
    rates = []
    for queries in (5, 20, 80, 300):
        scene = text_scene(40, distance=1.0)
        found = strike("evasion.word_bug", replace(scene, budget=replace(scene.budget, queries=queries)), text_model())
        rates.append((found.verdicts == "broken").mean())
    assert all(a <= b for a, b in itertools.pairwise(rates))
    assert rates[-1] > rates[0]


def test_a_text_gets_the_same_neighbours_whatever_texts_are_beside_it() -> None:
    vocabulary = (*(word for word, _ in text_model().weights), "tonight", "today", "later", "soon")
    vectors = np.random.Generator(np.random.Philox(3)).normal(size=(len(vocabulary), 3))
    options = {"vocabulary": vocabulary, "vectors": vectors, "at_once": 3, "synonyms": (("free", "gratis"),)}
    scene = text_scene(12)
    whole = strike("evasion.word_swap", scene, text_model(), **options)
    for row in range(12):
        at = np.array([row])
        alone = replace(scene, x=scene.x[at], y=scene.y[at], ids=scene.ids[at])
        found = strike("evasion.word_swap", alone, text_model(), **options)
        assert (found.x_adv[0], found.queries[0]) == (whole.x_adv[row], whole.queries[row])
