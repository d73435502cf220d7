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

_APART = 0.3  # correlation of slopes and answers
_HALF = 0.5
_SAME = 1e-3
_AGAIN = {
    "measured": "a slope measured from the answers (finite differences)",
    "averaged": "the mean gradient of 20 draws of the random model",
    "halved": "the same attack in half the ball",
}

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


def tried_again(merged: dict[str, Any]) -> list[str]:
    """What a second attempt did where the gradients could not be trusted, in words."""
    said = []
    for note, how in _AGAIN.items():
        told = np.asarray(merged.get(f"note_{note}", []), dtype=float)
        rows = told[np.isfinite(told)]
        if len(rows):
            said.append(f"adaptive: {how} broke {int(rows.sum())} of {len(rows)} rows that had held")
    return said


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
    checks = (_vanished, _bad, _apart, _misled, _lucky, _idle, _rising, _halved, _random)
    return [doubt for check in checks if (doubt := check(merged, held))]


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


def _apart(merged: dict[str, Any], held: Rows) -> str:
    """Gradients of another path than the answers come from: detached, rounded, replaced on the way back."""
    told = np.asarray(merged.get("note_agreement", []), dtype=float)
    known = told[np.isfinite(told)]
    if not len(known) or (known < _APART).mean() <= _HALF:
        return ""
    return (
        f"misleading gradients: on {(known < _APART).sum()} of {len(known)} rows looked at they do not predict how the "
        "model answers nearby"
    )


def _misled(merged: dict[str, Any], held: Rows) -> str:
    told = np.asarray(merged.get("note_measured", []), dtype=float) == 1
    if not told.any() or mcnemar(int(told.sum()), 0) >= _LEVEL:
        return ""
    return f"a slope measured from the answers broke {told.sum()} rows that the attack's own gradients left standing"


def _lucky(merged: dict[str, Any], held: Rows) -> str:
    """Single draws of a random model lead nowhere; rows that still hold may do so by luck."""
    told = np.asarray(merged.get("note_averaged", []), dtype=float) == 1
    if not told.any():
        return ""
    return f"random model: the mean of many draws broke {told.sum()} rows that single draws had left standing"


def _rising(merged: dict[str, Any], held: Rows) -> str:
    """Most of the way made in the last part of the steps: it was not over yet."""
    late = _where(merged, "note_late_rise", held)
    known = np.isfinite(late)
    if not known.any() or (late[known] > _HALF).mean() <= _HALF:
        return ""
    return f"the loss was still rising on {(late > _HALF).sum()} of {held.sum()} rows that held: more steps would help"


def _halved(merged: dict[str, Any], held: Rows) -> str:
    told = np.asarray(merged.get("note_halved", []), dtype=float) == 1
    if not told.any():
        return ""
    return f"in half the ball it broke {told.sum()} rows that it had missed in the whole: its search is not reliable"


def _random(merged: dict[str, Any], held: Rows) -> str:
    """A random model needs the mean of many draws."""
    rows = _where(merged, "note_random_scores", held) > _SAME
    if rows.mean() <= _MANY or "note_averaged" in merged:
        return ""
    return f"the model answered {rows.sum()} of {held.sum()} rows that held differently when asked again"


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
