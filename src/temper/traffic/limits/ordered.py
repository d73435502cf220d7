"""Limits as somebody orders them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temper.core.errors import TemperError

_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_SIZE, _NUMBER, _WHOLE = (re.compile(one) for one in (r"(\d+)([KMG]?)", r"\d+(\.\d+)?", r"\d+"))
_LEAST: Final = {"cpu": 0.01, "memory": 2**20, "files": 16, "cores": 1, "disk": 2**16}
_EXAMPLES: Final = "cpu=0.5, memory=400M, files=64, cores=1 or disk=20M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """One limit: `amount` is processors, bytes, files or cores, `words` as it was written."""

    name: str
    amount: float
    words: str


def ordered(texts: Sequence[str]) -> tuple[Ordered, ...]:
    """What was written, each as NAME=AMOUNT. TemperError for what is none, is too little to be one, or comes twice.

    >>> [one.amount for one in ordered(["cpu=0.5", "memory=1M"])]
    [0.5, 1048576.0]
    """
    found = tuple(map(_one, texts))
    twice = next((one.name for at, one in enumerate(found) if one.name in {before.name for before in found[:at]}), "")
    if twice:
        raise TemperError(f"two limits of {twice}", fix=f"keep one --limit {twice}=...")
    return found


def _one(text: str) -> Ordered:
    name, _, words = text.partition("=")
    amount = _amount(name, words.strip())
    if amount is None:
        raise TemperError(f"{text[:60]!r} is no limit", fix=f"write --limit {_EXAMPLES}")
    if amount < _LEAST[name]:
        raise TemperError(f"{text[:60]!r} is too little for any service", fix=f"at least {name}={_LEAST[name]:g}")
    return Ordered(name=name, amount=amount, words=text)


def _amount(name: str, words: str) -> float | None:
    if name in ("memory", "disk"):
        size = _SIZE.fullmatch(words.upper())
        return float(int(size[1]) * _UNITS[size[2]]) if size else None
    pattern = {"cpu": _NUMBER, "files": _WHOLE, "cores": _WHOLE}.get(name)
    return float(words) if pattern is not None and pattern.fullmatch(words) else None
