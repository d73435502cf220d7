"""Plans in words: constant:200, ramp:10-500, steps:100,200,400, spike:100*5."""

from __future__ import annotations

from temper.core.errors import TemperError
from temper.traffic.arrivals import Phase, constant, ramp, spike, steps

WORDS = "constant:200, ramp:10-500, steps:100,200,400, spike:100*5 or times:FILE"


def plan(words: str, seconds: float) -> tuple[Phase, ...]:
    """The phases that these words mean, over so many seconds.

    >>> plan("spike:100*5", 10.0)[1]
    Phase(seconds=2.0, start=500.0, end=500.0)
    """
    kind, _, rest = words.partition(":")
    splits = {"constant": None, "ramp": "-", "steps": ",", "spike": "*"}
    if kind not in splits:
        raise _wrong(words)
    try:
        numbers = [float(one) for one in (rest.split(splits[kind]) if splits[kind] else [rest])]
    except ValueError:
        raise _wrong(words) from None
    many = {"constant": 1, "ramp": 2, "spike": 2}.get(kind, max(len(numbers), 1))
    if len(numbers) != many or not all(0 <= one < 1e9 for one in numbers) or not max(numbers) > 0 or seconds <= 0:
        raise _wrong(words)
    if kind in ("constant", "spike") and min(numbers) <= 0:
        raise _wrong(words)
    if kind == "constant":
        return constant(numbers[0], seconds)
    if kind == "steps":
        return steps(numbers, seconds)
    return (ramp if kind == "ramp" else spike)(numbers[0], numbers[1], seconds)


def _wrong(words: str) -> TemperError:
    return TemperError(f"{words[:60]!r} is no plan", fix=f"write {WORDS}, with --seconds above 0")
