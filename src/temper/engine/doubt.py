"""Doubts about an attack: what makes its silence worthless, so that a weak attack never reads as a strong model."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.kernels.rate import mcnemar

BASELINE = "evasion.noise"
CHANCES = 1_000  # queries of the baseline where those of the attack are not counted
_ENOUGH = 0.9  # of the breakable rows of a planted weak twin; an attack that breaks as many real rows has shown itself
_LEVEL = 0.05
_MANY = 0.1  # of the rows that held

Rows = np.ndarray[Any, Any]


def doubts_of(plugin: str, merged: dict[str, Any]) -> list[str]:
    """What the evidence of one attack says against it: noise broke more, a planted twin stood, gradients were useless.

    Source: Carlini et al., "On evaluating adversarial robustness", 2019; Pintor et al., "Indicators of attack failure",
    2022 (silent success apart, which the oracle makes impossible).
    """
    if plugin == BASELINE:
        return ["random moves alone: they can show that rows break, not that they hold"]
    broken = merged["verdicts"] == "broken"
    return [doubt for doubt in (_noise(merged, broken), _twin(merged, broken), *_gradients(merged)) if doubt]


def outdone(strong: Rows, weak: Rows) -> bool:
    """Whether `weak` broke significantly more of the same rows than `strong`, which knew at least as much."""
    only_weak, only_strong = int((weak & ~strong).sum()), int((strong & ~weak).sum())
    return only_weak > only_strong and mcnemar(only_weak, only_strong) < _LEVEL


def _noise(merged: dict[str, Any], broken: Rows) -> str:
    if "noise" not in merged:
        return ""
    noise = merged["noise"] == "broken"
    if not outdone(broken, noise):
        return ""
    return f"random moves broke more rows ({noise.sum()}) than the attack ({broken.sum()})"


def _twin(merged: dict[str, Any], broken: Rows) -> str:
    if "twin" not in merged or broken.mean() >= _ENOUGH:
        return ""
    hit, of = merged["twin"]
    if not of or hit / of >= _ENOUGH:
        return ""
    return f"power check failed: only {hit} of {of} breakable rows of a planted weak twin were broken"


def _gradients(merged: dict[str, Any]) -> list[str]:
    """The indicators of failure of attacks that follow gradients, on the rows they did not break."""
    held = merged["verdicts"] == "held"
    if not held.any():
        return []
    return [doubt for doubt in (_vanished(merged, held), _bad(merged, held), _idle(merged, held)) if doubt]


def _vanished(merged: dict[str, Any], held: Rows) -> str:
    """Masked gradients: a net that rounds, saturates or cuts its gradient gives a direction of nothing."""
    rows = _where(merged, "note_zero_gradient", held) > 0.5
    if rows.mean() <= _MANY:
        return ""
    return f"masked gradients: on {rows.sum()} of {held.sum()} rows that held, most gradients were zero"


def _bad(merged: dict[str, Any], held: Rows) -> str:
    rows = _where(merged, "note_bad_gradient", held) > 0
    if rows.mean() <= _MANY:
        return ""
    return f"{rows.sum()} of {held.sum()} rows that held had gradients that are not finite"


def _idle(merged: dict[str, Any], held: Rows) -> str:
    """Following the gradient must raise the loss; where it does not, the gradient points nowhere."""
    first, best = (_where(merged, f"note_{name}", held) for name in ("first_loss", "best_loss"))
    known = np.isfinite(first) & np.isfinite(best)
    rows = known & (best <= first)
    if not known.any() or rows.sum() <= _MANY * held.sum():
        return ""
    return f"the loss did not rise on {rows.sum()} of {held.sum()} rows that held: their gradients mislead"


def _where(merged: dict[str, Any], name: str, rows: Rows) -> Rows:
    """A note on these rows, NaN where the attack said nothing."""
    values: Rows = np.asarray(merged[name], dtype=float)[rows] if name in merged else np.full(int(rows.sum()), np.nan)
    return values
