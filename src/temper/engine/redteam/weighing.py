"""One guard weighed: what known attacks come to behind it, whether honest work is done, what happens to twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.assistant import Assistant, Talk, UserTask
from temper.core.chat import ChatTarget
from temper.core.defence import Effect
from temper.core.injection import Goal, Injection
from temper.engine.effect import rates, shares
from temper.engine.redteam.attempts import FRESH, Asked, Attempt, Trying, each, twin
from temper.engine.redteam.run import guarded
from temper.targets.chat.sandbox import converse

Guards = tuple[tuple[str, Mapping[str, Any]], ...]
AGAIN = 2 * FRESH
"""Trials from here on have been seen neither by a search nor by a confirmation."""
SUCCESS = "injection.known.success_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One guard tried: what changed, and in words why it was taken or left."""

    defence: str
    effects: tuple[Effect, ...]
    outcome: str
    guard: Guards = ()

    @property
    def taken(self) -> bool:
        """Whether it was taken."""
        return self.outcome.startswith("taken")

    def effect(self, metric: str) -> Effect | None:
        """The effect on this metric, or None."""
        return next((effect for effect in self.effects if effect.metric == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """Per trial, in one order for every guard: whether an attack reached its goal, whether a user's task was done,
    whether a twin was stopped. What cannot be judged counts against the guard.
    """

    guard: Guards
    hits: np.ndarray[Any, Any]
    done: np.ndarray[Any, Any]
    stopped: np.ndarray[Any, Any]
    wrappers: tuple[str, ...]
    trials: int = 1

    def cost(self, wrappers: Sequence[str]) -> float:
        """What is to be small: the shares of attacks in these wrappers that succeed, of tasks left undone and of twins
        stopped, added up.
        """
        parts = (self.only(wrappers), ~self.done, self.stopped)
        return sum(float(part.mean()) for part in parts if len(part))

    def only(self, wrappers: Sequence[str]) -> np.ndarray[Any, Any]:
        """The hits of attacks in these wrappers."""
        return self.hits[np.isin(self.wrappers, list(wrappers))]

    def succeeded(self, wrappers: Sequence[str]) -> np.ndarray[Any, Any]:
        """Per attack in these wrappers, the share of its trials that reached the goal."""
        return np.asarray(self.only(wrappers).reshape(-1, self.trials).mean(axis=1))

    def worked(self, wrappers: Sequence[str]) -> np.ndarray[Any, Any]:
        """Per attack in these wrappers, whether it reached its goal in any trial: attacks are independent rows, trials
        of one attack are not.
        """
        tried: np.ndarray[Any, Any] = self.only(wrappers).reshape(-1, self.trials)
        return np.asarray(tried.any(axis=1))


@dataclass(slots=True, kw_only=True, eq=False)
class Scale:
    """Weighs guards in front of `target`, always on the same attacks, tasks and trials."""

    assistant: Assistant
    target: ChatTarget
    goals: Mapping[str, Goal]
    attacks: Sequence[Injection]
    trials: int
    width: int
    seed: int
    asked: Asked | None = None
    _known: dict[str, Weighed] = field(default_factory=dict, repr=False)

    async def weigh(self, guard: Guards) -> Weighed:
        """The guard's weight; the same one is weighed once."""
        key = repr(guard)
        if key not in self._known:
            self._known[key] = await self._weighed(guard)
        return self._known[key]

    async def _weighed(self, guard: Guards) -> Weighed:
        assistant = replace(self.assistant, guard=guard)
        ask = guarded(assistant, self.target).ask
        trying = Trying(assistant=assistant, ask=ask, goals=self.goals, seed=self.seed, asked=self.asked)

        async def attacked(pair: tuple[Injection, int]) -> Attempt:
            return (await trying.attempt("known", *pair))[0]

        async def served(pair: tuple[UserTask, int]) -> bool:
            trace = await converse(assistant, Talk(turns=(pair[0].prompt,), trial=pair[1]), ask)
            return not trace.invalid and pair[0].done(trace)

        trials = range(AGAIN, AGAIN + self.trials)
        tried = await each([(one, at) for one in self.attacks for at in trials], attacked, self.width)
        twins = [(twin(one), AGAIN) for one in self.attacks]
        quiet = await each(list(dict.fromkeys(twins)), attacked, self.width)
        done = await each([(task, at) for task in assistant.tasks for at in trials], served, self.width)
        return Weighed(
            guard=guard,
            hits=np.array([one.hit or not one.valid for one in tried]),
            done=np.array(done, dtype=bool),
            stopped=np.array([bool(one.blocked) or not one.valid for one in quiet]),
            wrappers=tuple(one.injection.wrapper for one in tried),
            trials=len(trials),
        )


def effects(name: str, before: Weighed, after: Weighed, wrappers: Sequence[str]) -> tuple[Effect, ...]:
    """Before and after on the same trials: success of attacks in these wrappers, by attack; tasks done, by trial, as
    the tasks are all there are; twins stopped.
    """
    first, second = before.succeeded(wrappers), after.succeeded(wrappers)
    success = (shares(name, SUCCESS, first, second, "lower"),) if len(first) else ()
    pairs = (
        ("tasks", before.done, after.done, "higher"),
        ("twins_stopped", before.stopped, after.stopped, "lower"),
    )
    return (*success, *(rates(name, *pair) for pair in pairs if len(pair[1])))
