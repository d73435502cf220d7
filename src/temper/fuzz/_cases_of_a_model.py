"""Inputs that once broke a law of a model, kept as tests; written by Temper, whose public functions open the model."""

from __future__ import annotations

import math
import multiprocessing
import sys
import threading
import time
from typing import Any

SETTINGS: dict[str, Any] = {}
MODEL: Any = None
AGAIN, ROUNDS, STARTS = 150, 40, 3


def number(text: Any) -> Any:
    """A value as it was, to the bit; a text stands in a list."""
    return text[0] if isinstance(text, list) else float.fromhex(text)


def asked(*rows: Any) -> Any:
    """The scores of each row, None where they are refused: by ValueError, TypeError or an error of Temper."""
    import numpy as np

    from temper.core.errors import TemperError

    texts = isinstance(rows[0][0], str)
    x = np.array([row[0] for row in rows], dtype=object) if texts else np.array(rows, dtype=np.float64)
    try:
        return np.asarray(MODEL.scores(x), dtype=float).reshape((len(rows), -1)).tolist()
    except UnicodeError:
        raise
    except (TemperError, ValueError, TypeError):
        return None


def close(one: Any, other: Any) -> bool:
    """Whether two answers to a row agree."""
    if one is None or other is None:
        return one is other
    return all(math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in zip(one[0], other[0], strict=True))


def broken(case: dict[str, Any]) -> str:
    """What shows that the law does not hold, "" where it does."""
    rows = [[number(value) for value in row] for row in case["rows"]]
    begun = time.monotonic()
    first = asked(rows[0])
    match case["law"]:
        case "in_time":
            late = time.monotonic() - begun
            return f"{late:.1f} s" if late >= SETTINGS["deadline"] else ""
        case "accepts":
            return "refused" if first is None else ""
        case "refuses":
            return "" if first is None else f"scored {first[0]}"
        case "in_range":
            return _out_of_range(first)
        case "repeats":
            return _preceded(rows) or _changes(rows)
        case "alone":
            return _depends_on_company(rows, first)
        case "own_answer":
            return next((shown for _ in range(STARTS) if (shown := str(elsewhere(_mixes, rows)))), "")
    return ""


def _out_of_range(scores: Any) -> str:
    bounded = MODEL.kind.value == "probabilities"
    low, high = (0.0, 1.0) if bounded else (-math.inf, math.inf)
    fine = scores is None or all(math.isfinite(value) and low <= value <= high for value in scores[0])
    return "" if fine else f"scored {scores[0]}"


def elsewhere(work: Any, rows: Any) -> Any:
    """What `work` gives in a process of its own, whose model was asked nothing before."""
    with multiprocessing.get_context("spawn").Pool(1) as one:
        return one.apply(work, (rows,))


def each(rows: Any) -> Any:
    """The rows one after the other."""
    return [asked(row) for row in rows]


def _preceded(rows: Any) -> str:
    if len(rows) < 2:
        return ""
    first, after = elsewhere(each, rows[:1])[0], elsewhere(each, [*rows[1:], rows[0]])[-1]
    return "" if close(first, after) else f"{first}, and {after} after {len(rows) - 1} other rows"


def _changes(rows: Any) -> str:
    first = [asked(row) for row in rows]
    for _ in range(max(2, AGAIN // len(rows))):
        for row, before in zip(rows, first, strict=True):
            if not close(now := asked(row), before):
                return f"{before}, and asked again {now}"
    return ""


def _depends_on_company(rows: Any, first: Any) -> str:
    for batch, at in ((asked(*rows), 0), (asked(*rows[1:], rows[0]), -1)):
        if batch is not None and not close([batch[at]], first):
            return f"{first[0]} alone, {batch[at]} in a batch of {len(rows)}"
    return ""


def _mixes(rows: Any) -> str:
    found: list[list[Any]] = [[] for _ in rows]
    wrong: list[str] = []

    together = threading.Barrier(len(rows))

    def work(at: int) -> None:
        together.wait()
        try:
            found[at] = [asked(rows[at]) for _ in range(ROUNDS)]
        except Exception as failure:
            wrong.append(f"with {len(rows)} callers at once: {type(failure).__name__}: {failure}")

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(usual)
    for row, several in zip(rows, found, strict=True):
        alone = asked(row)
        wrong += [f"{alone} alone, {now} with {len(rows)} callers at once" for now in several if not close(now, alone)]
    return wrong[0] if wrong else ""
