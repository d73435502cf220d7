"""Laws of stressors of pictures and of texts: what comes out is still a picture or a text, and each one on its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.text import TextSchema, edit_distance
from temper.testing.law import LawBroken, only_reads, require, sealed

SEVERITIES = (1, 2, 3, 4, 5)
_ROWS = 16
_IDS = np.arange(_ROWS) * 7 + 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the laws are tried on: `rows` as a model would get them, `other` that no such stressor can work on.

    `far(out, clean)` is how much was changed in all, `fault(out, clean)` what is wrong with a result, or "".
    """

    name: str
    rows: Array
    other: Array
    schema: Schema
    far: Callable[[Array, Array], float]
    fault: Callable[[Array, Array], str]


def law_same_seed_same_rows(stressor: type[Any], ground: Ground) -> None:
    """A stressed batch can be made again, exactly."""
    one, two = (_apply(stressor, ground, 4, seed=1) for _ in range(2))
    require(np.array_equal(one, two), "gives other rows when run again with the same seed")


def law_other_seed_other_rows(stressor: type[Any], ground: Ground) -> None:
    """The seed reaches what is drawn."""
    one, two = (_apply(stressor, ground, 4, seed=seed) for seed in (1, 2))
    require(not np.array_equal(one, two), "gives the same rows with another seed")


def law_leaves_inputs_alone(stressor: type[Any], ground: Ground) -> None:
    """The rows it is given are as before, and what comes back is not a view of them."""
    given = sealed(ground.rows)
    with only_reads(stressor.__name__):
        out = _made(stressor, ground).apply(given, 5, _draws(0))
    require(np.array_equal(given, ground.rows), "writes to the rows it is given")
    require(not np.shares_memory(out, given), "gives back the very rows it was given")


def law_keeps_the_form(stressor: type[Any], ground: Ground) -> None:
    """As many rows come out, each of the same kind: pictures in their range, texts that are whole and not empty."""
    for n in (0, 1, _ROWS):
        clean = ground.rows[:n]
        for severity in SEVERITIES:
            out = _made(stressor, ground).apply(clean, severity, _draws(0))
            require(out.shape == clean.shape, f"gives {out.shape} for {clean.shape}")
            require(out.dtype == clean.dtype, f"gives {out.dtype} for {clean.dtype}")
            fault = ground.fault(out, clean)
            require(not fault, f"severity {severity}: {fault}")


def law_rows_stand_alone(stressor: type[Any], ground: Ground) -> None:
    """A row is stressed alike whatever stands beside it: shards and dropped rows change nobody's stress."""
    whole, at = _apply(stressor, ground, 4), _ROWS // 2
    for rows in (np.array([at]), np.arange(at, _ROWS), np.arange(_ROWS)[::-1]):
        part = _made(stressor, ground).apply(ground.rows[rows], 4, Draws(0, "testing.stressor", _IDS[rows]))
        require(ground.far(part, whole[rows]) < 1e-3, "stresses a row otherwise when others stand beside it")


def law_severity_rises(stressor: type[Any], ground: Ground) -> None:
    """The lowest severity changes something, and the highest changes clearly more."""
    first, last = (ground.far(_apply(stressor, ground, severity), ground.rows) for severity in (1, 5))
    require(first > 0, "changes nothing at severity 1")
    require(last > 1.1 * first, f"changes {first:g} at severity 1 and {last:g} at severity 5")


def law_other_severities_are_refused(stressor: type[Any], ground: Ground) -> None:
    """Severity is 1 to 5; anything else is a mistake that is told."""
    for severity in (0, 6, -1):
        _refused(stressor, ground, ground.rows, severity, f"accepts severity {severity}")


def law_other_inputs_are_refused(stressor: type[Any], ground: Ground) -> None:
    """Inputs of another form are refused in words, not with a crash somewhere in the mathematics."""
    _refused(stressor, ground, ground.other, 3, f"works on what is no {ground.name}")


def _refused(stressor: type[Any], ground: Ground, rows: Array, severity: int, message: str) -> None:
    try:
        _made(stressor, ground).apply(rows, severity, _draws(0))
    except TemperError:
        return
    except Exception as crash:
        raise LawBroken(f"{message}, and crashes with {type(crash).__name__}") from crash
    raise LawBroken(message)


def _made(stressor: type[Any], ground: Ground) -> Any:
    known = {field.name for field in fields(stressor)}
    return stressor(schema=ground.schema) if "schema" in known else stressor()


def _apply(stressor: type[Any], ground: Ground, severity: int, seed: int = 0) -> Array:
    return np.asarray(_made(stressor, ground).apply(ground.rows, severity, _draws(seed)))


def _draws(seed: int) -> Draws:
    return Draws(seed, "testing.stressor", _IDS)


# -- pictures -------------------------------------------------------------------------------------------------------


def _pictures() -> Array:
    """Waves of three colours with a bright square, (n, 3, 20, 24) in [-1, 1]."""
    draws = Draws(0, "testing.stressed_pictures")
    row, column = np.mgrid[:20, :24]
    turn = draws.uniform(np.arange(_ROWS), 0, (3, 3), 0.1, 0.8)[..., None, None]
    waves = 0.4 * np.sin(turn[:, 0] * row + turn[:, 1] * column + 6 * turn[:, 2])
    waves[:, :, 6:14, 8:16] += 0.5
    return sealed(waves.astype(np.float32))


def _picture_fault(out: Array, clean: Array) -> str:
    if not np.isfinite(out).all():
        return "a value is not finite"
    return "" if out.size == 0 or np.abs(out).max() <= 1.0 + 1e-6 else "a value is outside the range of the pictures"


PICTURES = Ground(
    name="picture",
    rows=_pictures(),
    other=sealed(np.zeros((_ROWS, 5))),
    schema=Schema.box(-1.0, 1.0),
    far=lambda out, clean: float(np.abs(out - clean).mean()),
    fault=_picture_fault,
)
"""Small pictures in colour, higher than nothing usual: neither square nor between 0 and 1."""

# -- texts ----------------------------------------------------------------------------------------------------------

_SAID = (
    "Your parcel is waiting at the depot, please call 0800 123 456 before Friday!",
    "Can you send me the minutes of yesterday's meeting? Thanks a lot :-)",
    "WIN a FREE holiday now!!! Text YES to 80082, only 1.50 per message.",
    "the film was long, but the last hour made up for everything that came before",
    "Café naïve résumé, Straße und Größe: it stays what it is, even decomposed e\u0301 a\u0308",
    "family 👨‍👩‍👧‍👦 and flag 🇩🇪 and thumb 👍🏽 in one short message, nothing broken",
    "שלום עולם, this line mixes directions, مرحبا بالعالم, and it should still be read",
    "हिन्दी में एक छोटा संदेश, with English words following right behind it",
)
_SHORT = ("ok", "I", "👍🏽", "...", "שלום", "e\u0301", "  hm  ", "don't")


def _texts() -> Array:
    found = np.empty(_ROWS, dtype=object)
    found[:] = (*_SAID, *_SHORT)
    return sealed(found)


def _text_fault(out: Array, clean: Array) -> str:
    for text, before in zip(out, clean, strict=True):
        if not isinstance(text, str):
            return f"{text!r} is no str"
        if before.strip() and not text.strip():
            return f"{before!r} became an empty text"
        if any(unicodedata.category(char) in ("Cs", "Cn") for char in text):
            return f"{text!r} holds half a character"
        if broken := _torn(text, before):
            return f"{broken!r} of {text!r} is a mark torn from its letter in {before!r}"
    return ""


def _torn(text: str, before: str) -> str:
    """A mark, joiner, skin tone or half of a flag that stands where it cannot, and did not, or ""."""
    known = {before[at - 1 : at + 1] if at else before[0] for at in range(len(before))}
    for at, char in enumerate(text):
        hangs = unicodedata.combining(char) or char in "\u200d\ufe0f" or unicodedata.category(char) in ("Mc", "Sk")
        pair = text[at - 1 : at + 1] if at else char
        if hangs and ord(char) > 0x7F and pair not in known and (at == 0 or not _carries(text[at - 1])):
            return pair
    if text.endswith("\u200d"):
        return text[-2:]
    return next((run for run in re.findall("[\U0001f1e6-\U0001f1ff]+", text) if len(run) % 2), "")


def _carries(char: str) -> bool:
    """Whether a mark can stand on this character: a letter, another mark, a picture."""
    return unicodedata.category(char)[0] in "LM" or unicodedata.category(char) in ("So", "Sk", "Cf")


TEXTS = Ground(
    name="text",
    rows=_texts(),
    other=sealed(np.zeros((_ROWS, 5))),
    schema=TextSchema(),
    far=lambda out, clean: float(sum(edit_distance(a, b) for a, b in zip(out, clean, strict=True))),
    fault=_text_fault,
)
"""Short and long texts, with marks, joined emoji and scripts that run from the right."""


LAWS = (
    law_same_seed_same_rows,
    law_other_seed_other_rows,
    law_leaves_inputs_alone,
    law_keeps_the_form,
    law_rows_stand_alone,
    law_severity_rises,
    law_other_severities_are_refused,
    law_other_inputs_are_refused,
)
