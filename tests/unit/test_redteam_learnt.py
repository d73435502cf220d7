"""What is learnt from attacks is judged on wrappers it has not learnt from, and costs no honest text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks.injection._built import ground
from temper.attacks.injection._catalogue import wrappers
from temper.core.event import silent
from temper.core.injection import Injection
from temper.demos.assistant.bank import bank, write
from temper.demos.assistant.weakness import Weakness
from temper.engine.redteam import learnt
from temper.engine.redteam.harden import HardenedAssistant, halves
from temper.engine.redteam.harden import write as write_hardened
from temper.engine.redteam.learnt import Lesson, candidates
from temper.engine.redteam.weighing import Guards, Scale, Trial
from temper.engine.redteam.wording import FEWEST, runs, shared
from temper.guard.pipeline import build
from temper.guard.text.corpus import Written, corpus
from temper.guard.text.model import Model
from temper.guard.text.ruleset import load_rules
from temper.guard.text.shipped import fitted
from temper.kernels.views import views

READY = Weakness(obeys={"user": 2.0, "tool": 2.0})
RULES: Guards = (("rules", {}),)
SMALL = corpus(attacks=2, benign=2)[::4]


@cache
def small_model() -> Model:
    return fitted(SMALL)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of the corpus, so that fitting takes a second."""
    monkeypatch.setattr(learnt, "corpus", lambda: SMALL)
    monkeypatch.setattr(learnt, "shipped_model", small_model)


def lesson(folder: Path, goals: Sequence[str] = ("secret", "flood"), **about: Any) -> Lesson:
    assistant = bank(READY)
    attacks = [replace(Injection(goal=goal, wrapper=name), **about) for goal in goals for name in wrappers()]
    known = {goal.id: goal for goal in ground(assistant, 1).goals}
    scale = Scale(assistant=assistant, target=assistant.target, goals=known, attacks=attacks, trials=1, width=8, seed=0)
    return Lesson(scale=scale, folder=folder, run="0001", wrappers=halves([one.wrapper for one in attacks])[0])


def learn(made: Lesson, names: Sequence[str], base: Guards = RULES) -> tuple[Trial, ...]:
    return asyncio.run(candidates(made, base, names, silent))


def test_a_rule_that_helps_is_a_file_in_the_guard(tmp_path: Path) -> None:
    (trial,) = learn(lesson(tmp_path), ("rules",))
    assert trial.taken, trial.outcome
    worked = trial.effect(learnt.WORKED)
    assert worked is not None
    assert worked.high < 0
    assert worked.n == 22, "11 wrappers it has not learnt from, 2 goals"
    ((name, options),) = trial.guard
    (path,) = options["rules"]
    assert (name, Path(path).parent) == ("rules", tmp_path)
    assert list(tmp_path.iterdir()) == [Path(path)], "nothing is left beside it"
    assert "run 0001" in Path(path).read_text()
    (rule,) = (one for one in load_rules(path).rules if one.family == "learnt")
    assert rule.phrases
    assert build(trial.guard).stages


def test_a_second_rule_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    made = [lesson(tmp_path, goals=(goal,)) for goal in ("secret", "flood")]
    paths = [trial.guard[0][1]["rules"][0] for one in made for trial in learn(one, ("rules",))]
    assert len(set(paths)) == 2
    assert sum(rule.family == "learnt" for rule in load_rules(*paths).rules) == 2


def test_no_phrase_of_the_rule_stands_in_what_honest_people_say(tmp_path: Path) -> None:
    made = lesson(tmp_path)
    (trial,) = learn(made, ("rules",))
    rules = load_rules(*trial.guard[0][1]["rules"])
    own = (*(task.prompt for task in made.scale.assistant.tasks), *made.harmless())
    met = [hit.span for text in own for hit in rules.hits(tuple(views(text))) if hit.rule.family == "learnt"]
    assert met == []


def test_attacks_that_share_no_wording_teach_no_rule(tmp_path: Path) -> None:
    made = lesson(tmp_path, goals=("secret",))
    apart = [replace(one, words=f"{at} " * 9) for at, one in enumerate(made.scale.attacks)]
    scale = replace(made.scale, attacks=[one for one in apart if one.wrapper == "plain"])
    assert learn(replace(made, scale=scale), ("rules",)) == ()


def test_a_rule_that_stops_benign_texts_is_left_with_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial,) = learn(lesson(tmp_path / "first"), ("rules",))
    words = next(line for line in Path(trial.guard[0][1]["rules"][0]).read_text().splitlines() if '- "' in line)
    honest = [Written(text="hello", attack=False, group=f"a{at % 2}") for at in range(3)]
    said = Written(text=f"Well, {words.split(chr(34))[1]}, he said.", attack=False, group="a1")
    monkeypatch.setattr(learnt, "corpus", lambda: [*honest, said])
    (trial,) = learn(lesson(tmp_path / "second"), ("rules",))
    assert trial.outcome == "left: it stops 1 of 2 benign texts, 0 of 2 without"


def test_a_layer_that_changes_nothing_is_left_with_the_figure(tmp_path: Path) -> None:
    everything: Guards = (("limits", {"characters": 1}),)
    (trial,) = learn(lesson(tmp_path), ("rules",), base=everything)
    assert trial.outcome == "left: 0% of 22 attacks in other wrappers work, 0% without (p = 1)"


def test_the_model_is_refitted_and_judged_alike(tmp_path: Path) -> None:
    made = lesson(tmp_path, goals=("secret", "flood", "instructions", "marker"))
    (trial,) = learn(made, ("linear",), base=(("linear", {}), ("canary", {})))
    assert [name for name, _ in trial.guard] == ["linear", "canary"]
    path = Path(trial.guard[0][1]["model"])
    assert path.parent == tmp_path
    assert trial.taken, trial.outcome
    assert build(trial.guard, key=b"k").digest != build([("linear", {}), ("canary", {})], key=b"k").digest


def test_only_the_stages_that_are_asked_for_are_learnt(tmp_path: Path) -> None:
    assert learn(lesson(tmp_path), ("canary", "secrets")) == ()
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []


def test_a_rule_is_put_where_it_belongs(tmp_path: Path) -> None:
    (trial,) = learn(lesson(tmp_path), ("rules",), base=(("limits", {}), ("spotlight", {})))
    assert [name for name, _ in trial.guard] == ["limits", "rules", "spotlight"]


def test_the_files_lie_beside_the_guard_that_is_written(tmp_path: Path) -> None:
    (trial,) = learn(lesson(tmp_path / "learnt"), ("rules",))
    source = write(tmp_path / "bank")
    assistant = replace(bank(READY), source=str(source), guard=trial.guard)
    hardened = HardenedAssistant(assistant=assistant, trials=(trial,), chosen=trial)
    from temper.config.assistant import load_assistant

    again = load_assistant(write_hardened(hardened, tmp_path / "out"))
    (copy,) = again.guard[0][1]["rules"]
    assert Path(copy).parent == (tmp_path / "out").absolute()
    assert build(again.guard, key=b"k").digest == build(trial.guard, key=b"k").digest


WORDS = st.lists(st.sampled_from(["pay", "send", "the", "key", "now", "to", "me", "at", "once"]), max_size=12).map(
    " ".join
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=2), max_size=6), st.lists(WORDS, max_size=4))
def test_what_is_shared_is_in_two_attacks_and_in_nothing_benign(attacks: list[list[str]], benign: list[str]) -> None:
    known = {run for text in benign for run in runs(text)}
    for words, many in shared(attacks, known):
        holders = sum(all(words in runs(text) for text in texts) for texts in attacks)
        assert holders == many >= FEWEST
        assert words not in known
        assert all(" ".join(words) not in " ".join(text.split()) for text in benign)


def test_every_attack_that_shares_a_phrase_is_covered() -> None:
    attacks = [["a b c d e"], ["x a b c d"], ["p q r s"], ["p q r s t"], ["alone alone alone alone"]]
    assert dict(shared(attacks, set())) == {("a", "b", "c", "d"): 2, ("p", "q", "r", "s"): 2}


def test_a_phrase_says_something() -> None:
    assert shared([["and do what it"], ["and do what it"]], set()) == ()
    assert shared([["and do what scribes do"], ["and do what scribes do"]], set()) == ()
    assert dict(shared([["carve what old scribes carve"]] * 2, set())) == {("carve", "what", "old", "scribes"): 2}
