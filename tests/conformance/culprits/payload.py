"""Attacks that return a payload, each of which breaks one law; the honest ones break none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe
from temper.judges.advantage import Membership
from temper.judges.attribute import Attributes, Guessed
from temper.judges.backdoor import Backdoored
from temper.judges.nearness import Reconstructions
from temper.judges.share import Rung, Shares
from temper.testing import extraction, inversion, poisoning
from temper.testing.toys import Trainable

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Turns a share of the labels round."""

    needs: ClassVar[Access] = Access.RETRAIN

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        data = scene.train
        return self.poison(data, round(scene.budget.share * len(data)), rng)

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        y = np.array(data.y)
        rows = rng.generator().permutation(len(data))[:many]
        y[rows] = 1 - y[rows]
        return Data(x=data.x, y=y, ids=data.ids)


class RestlessFlips(Flips):
    """Poisons other rows every time."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Flips.poison(self, data, many, rng.child(str(next(CALLS))))


class DeafFlips(Flips):
    """Has a seed of its own."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Flips.poison(self, data, many, Draws(0, "deaf"))


class FlipsInPlace(Flips):
    """Poisons the rows it is given."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        data.y[:many] = 1 - data.y[:many]
        return data


class Greedy(Flips):
    """Takes more than its share."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Flips.poison(self, data, min(2 * many + 1, len(data)), rng)


class Adds(Flips):
    """Adds rows beyond its share."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        rows = np.arange(2 * many)
        return Data(x=np.concatenate([data.x, data.x[rows] + 1]), y=np.concatenate([data.y, data.y[rows]]))


class Spares(Flips):
    """Poisons nothing."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return data


class Stumbles(Flips):
    """Gives no data when there are few rows."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Flips.poison(self, data, many, rng) if len(data) > 10 else None


class NewClass(Flips):
    """Invents a class."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Data(x=data.x, y=np.where(np.arange(len(data)) < many, 7, data.y), ids=data.ids)


class Ragged(Flips):
    """Forgets the ids of its rows."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Data(x=data.x, y=data.y, ids=data.ids[:-1])


class ModestFlips(Flips):
    """Says it needs nothing."""

    needs: ClassVar[Access] = Access.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Sets the note of every row."""

    note: float = 5.0

    def stamp(self, x: Any) -> Any:
        marked = np.array(x)
        marked[:, 8] = self.note
        return marked


class Crowded(Mark):
    """Sets it to what the rows beside it hold on average."""

    def stamp(self, x: Any) -> Any:
        return Mark(note=float(np.nanmean(np.asarray(x)[:, 8]))).stamp(x)


class Plants(Flips):
    """Adds nothing but a trigger to the flipped labels."""

    trigger: ClassVar[Any] = Mark()

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return Backdoored(data=Flips.poison(self, data, many, rng), trigger=self.trigger, rows=many, into=0)


class PlantsBeyond(Plants):
    """Its trigger breaks the schema, and it says nothing of it."""

    trigger: ClassVar[Any] = Mark(note=5_000.0)


class PlantsForShow(Plants):
    """Calls itself a control and stays in bounds."""

    def poison(self, data: Any, many: int, rng: Draws) -> Any:
        return replace(Plants.poison(self, data, many, rng), control=True)


class PlantsByNeighbours(Plants):
    """Its trigger is made of the rows that are stamped together."""

    trigger: ClassVar[Any] = Crowded()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steals:
    """Asks noisy rows of its own, and keeps rows and answers."""

    needs: ClassVar[Access] = Access.SCORES

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        x = self.made(scene, rng)
        answers = oracle.scores(x)
        if np.isnan(answers).all():
            raise Unsupported("no answer")
        return x, answers

    def made(self, scene: Any, rng: Draws) -> Any:
        return np.nan_to_num(scene.reference.x) + rng.generator().normal(size=scene.reference.x.shape)


class RestlessSteals(Steals):
    """Asks other rows every time."""

    def made(self, scene: Any, rng: Draws) -> Any:
        return Steals.made(self, scene, rng.child(str(next(CALLS))))


class OtherCopies(Steals):
    """Makes another copy of the same answers."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        return (*Steals.run(self, oracle, scene, rng), next(CALLS))


class DeafSteals(Steals):
    """Has a seed of its own."""

    def made(self, scene: Any, rng: Draws) -> Any:
        return Steals.made(self, scene, Draws(0, "deaf"))


class Overwrites(Steals):
    """Moves the rows it holds."""

    def made(self, scene: Any, rng: Draws) -> Any:
        scene.reference.x[:] += 1.0
        return Steals.made(self, scene, rng)


class FreeRide(Steals):
    """Asks the target without paying."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        return scene.target.scores(self.made(scene, rng))


class TrainsOnIt(Steals):
    """Helps itself to the training rows."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        return Trainable.fitted(Data(x=scene.train.x, y=scene.train.y))


class FromNothing(Steals):
    """Has a copy without an answer."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        return oracle.scores(self.made(scene, rng))


class Trips(Steals):
    """Stumbles over refused answers."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        answers = oracle.scores(self.made(scene, rng))
        if np.isnan(answers).any():
            raise ValueError("input contains NaN")
        return answers


class Gaps(Steals):
    """Asks rows with gaps everywhere."""

    def made(self, scene: Any, rng: Draws) -> Any:
        return np.full_like(scene.reference.x, np.nan)


class Narrow(Steals):
    """Asks rows of another table."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        oracle.asked.append(np.zeros((3, 2)))
        return Steals.run(self, oracle, scene, rng)


class KnowsTruth(Steals):
    """Looks at truths it should not have."""

    def made(self, scene: Any, rng: Draws) -> Any:
        return Steals.made(self, scene, rng) + scene.reference.y[:, None]


class ModestSteals(Steals):
    """Says it needs nothing."""

    needs: ClassVar[Access] = Access.RETRAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """Compares the model with one fitted on a random half."""

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        known = {row.tobytes() for row in scene.train.x}
        others = np.array([row.tobytes() not in known for row in scene.x], dtype=bool)
        held = {row.tobytes() for row in scene.x}
        members = np.array([row.tobytes() not in held for row in scene.train.x], dtype=bool)
        return self.guess(scene, members, others, rng)

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        x = np.concatenate([scene.train.x[members], scene.x[others]])
        y = np.concatenate([scene.train.y[members], scene.y[others]])
        member = np.arange(len(x)) < members.sum()
        half = np.sort(rng.generator().permutation(len(x))[: len(x) // 2])
        model = scene.fit([Data(x=x[half], y=y[half])], Recipe())[0]
        own = [one.scores(x)[np.arange(len(x)), y] for one in (scene.target, model)]
        score = own[0] / (own[1] + 1e-9)
        nothing = np.empty((0, len(x)))
        return Membership(x=x, y=y, member=member, score=score, loss=own[0], references=nothing, inside=nothing)


class RestlessGuesses(Guesses):
    """Guesses otherwise every time."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        return Guesses.guess(self, scene, members, others, rng.child(str(next(CALLS))))


class DeafGuesses(Guesses):
    """Has a seed of its own."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        return Guesses.guess(self, scene, members, others, Draws(0, "deaf"))


class Sorts(Guesses):
    """Puts the training rows in order."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        scene.train.y.sort()
        return Guesses.guess(self, scene, members, others, rng)


class Undecided(Guesses):
    """Has no score for some rows."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        found = Guesses.guess(self, scene, members, others, rng)
        return replace(found, score=np.where(np.arange(len(found.score)) < 3, np.nan, found.score))


class AnswerSheet(Guesses):
    """Knows who was trained on because it looked."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        found = Guesses.guess(self, scene, members, others, rng)
        return replace(found, score=found.member.astype(float))


class BothSides(Guesses):
    """Counts a row on both sides."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        every = np.ones(len(scene.train.x), dtype=bool), np.ones(len(scene.x), dtype=bool)
        return self.guess(scene, *every, rng)


class FewMakeNaN(Guesses):
    """Divides by the spread of few rows."""

    def guess(self, scene: Any, members: Any, others: Any, rng: Draws) -> Any:
        found = Guesses.guess(self, scene, members, others, rng)
        return found if others.sum() > 10 else replace(found, score=found.score * np.nan)


class KnowsTheColumn(Guesses):
    """Guesses a hidden column by looking at it."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        x, n = np.concatenate([scene.train.x, scene.x]), len(scene.train.x)
        truth = (x[:, 4] > 0).astype(int)
        told = np.where((np.arange(len(x)) < n)[:, None], np.eye(2)[truth], 0.5)
        one = Guessed(
            column="night", shown=("no", "yes"), ids=np.arange(len(x)), member=np.arange(len(x)) < n, truth=truth,
            attack=told, imputation=np.full((len(x), 2), 0.5),
        )  # fmt: skip
        return Attributes(columns=(one,))


class KnowsTheShares(Guesses):
    """Knows which model had the larger share because it made them."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        truth = np.arange(32) % 2 == 0
        rung = Rung(shares=(0.2, 0.8), rows=100, truth=truth, guess=truth, dealt=truth, null=~truth)
        return Shares(group="night = yes", share=0.5, rungs=(rung,))


class Copies(Guesses):
    """Hands out training records as reconstructions."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        x = np.nan_to_num(scene.train.x)
        return Reconstructions(x=x, start=x, wanted=np.array(scene.train.y), confidence=np.ones(len(x)))


class Explodes(Copies):
    """Climbs to infinity."""

    def run(self, oracle: Any, scene: Any, rng: Draws) -> Any:
        found = Copies.run(self, oracle, scene, rng)
        return replace(found, x=np.full_like(found.x, np.inf))


class ModestGuesses(Guesses):
    """Says it needs nothing."""

    needs: ClassVar[Access] = Access.NONE


INNOCENT_POISONING, INNOCENT_EXTRACTION, INNOCENT_INVERSION = Plants, Steals, Guesses
POISONING = {
    poisoning.law_same_seed_same_poison: (RestlessFlips,),
    poisoning.law_other_seed_other_rows: (DeafFlips,),
    poisoning.law_leaves_inputs_alone: (FlipsInPlace,),
    poisoning.law_share_is_respected: (Greedy, Adds),
    poisoning.law_does_something: (Spares,),
    poisoning.law_ends_cleanly_on_few_rows: (Stumbles,),
    poisoning.law_payload_is_training_data: (NewClass, Ragged),
    poisoning.law_declares_what_it_needs: (ModestFlips,),
    poisoning.law_trigger_stays_in_the_domain: (PlantsBeyond, PlantsForShow),
    poisoning.law_a_stamp_does_not_depend_on_the_other_rows: (PlantsByNeighbours,),
}
EXTRACTION = {
    extraction.law_same_seed_same_copy: (RestlessSteals, OtherCopies),
    extraction.law_other_seed_other_questions: (DeafSteals,),
    extraction.law_leaves_inputs_alone: (Overwrites,),
    extraction.law_pays_for_every_answer: (FreeRide, TrainsOnIt),
    extraction.law_ends_cleanly_at_small_budgets: (FromNothing, Trips),
    extraction.law_asks_finite_rows_of_the_right_shape: (Gaps, Narrow),
    extraction.law_learns_nothing_from_truths_it_does_not_know: (KnowsTruth,),
    extraction.law_declares_what_it_needs: (ModestSteals,),
}
INVERSION = {
    inversion.law_same_seed_same_guesses: (RestlessGuesses,),
    inversion.law_other_seed_other_references: (DeafGuesses,),
    inversion.law_leaves_inputs_alone: (Sorts,),
    inversion.law_one_finite_guess_per_row: (Undecided, Explodes),
    inversion.law_a_model_that_knows_nothing_tells_nothing: (AnswerSheet, KnowsTheColumn, KnowsTheShares, Copies),
    inversion.law_rows_of_both_sides_are_left_out: (BothSides,),
    inversion.law_ends_cleanly_on_few_rows: (FewMakeNaN,),
    inversion.law_declares_what_it_needs: (ModestGuesses,),
}
