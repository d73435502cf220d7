"""Fit a model behind a defence, and behind those that were taken before it."""

from __future__ import annotations

from temper.core.data import Data
from temper.core.defence import Defence
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.engine.fitting import Fit, fit_of
from temper.targets.refitted import Refitted


def behind(target: Target, make: Fit | None, defence: Defence, name: str) -> Fit:
    """Fits a model behind the defence; `make` fits one behind the defences that `target` has already.

    A defence that fits for itself fits through them; one that stands before a model is put before a fresh one.
    """
    fits = bool(getattr(defence, "needs", Access.NONE) & (Access.RETRAIN | Access.GRADIENTS))
    below = make or fit_of(target)

    def fit(data: Data, recipe: Recipe) -> Target:
        under = through(target, lambda rows, own: below(rows, both(own, recipe))) if fits else below(data, recipe)
        return defence.apply(under, data, draws(recipe.seed, name))

    return fit


def through(target: Target, make: Fit | None) -> Target:
    """The target, fitted again by `make` where there is one."""
    return Refitted(inner=target, make=make) if make else target


def both(own: Recipe, asked: Recipe) -> Recipe:
    """What a defence asks of a fit, and what somebody who fits through the defence asks besides; the seed is its own.

    >>> both(Recipe(regularise=0.7, seed=3), Recipe(regularise=1.0, seed=9))
    Recipe(monotone=(), regularise=1.0, seed=3, changes=())
    """
    return Recipe(
        monotone=own.monotone or asked.monotone,
        regularise=max(own.regularise, asked.regularise),
        seed=own.seed,
        changes=(*asked.changes, *own.changes),
    )


def draws(seed: int, name: str) -> Draws:
    """The random numbers of a defence, whatever its settings."""
    return Draws(seed, f"hardening.{name.partition(' ')[0]}")
