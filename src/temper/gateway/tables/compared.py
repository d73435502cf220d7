"""What is seen of a model on trial beside the live one, and what that speaks for: kept by every process of a gateway in
a small file beside its ledger, added up and told to whoever has to decide.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.serving import Answer
from temper.kernels.confidence_sequence import Evidence

LATEST = 500
"""Times of calls that are kept."""
ENOUGH = 1_000
"""Rows below which nothing is advised."""
FEW = 0.01
"""A share of changed decisions, or of answers passed on, that is small."""
MOST = 1_000
"""Clients that are told apart."""
_UNJUDGED = "there is no threshold, so no decisions to compare: look at the scores yourself"
_OTHERS = "(others)"
_STALE = 60.0
_BOTH = 0.975
"""The confidence of each of two intervals that are to hold together."""


def times() -> deque[float]:
    """Room for the latest times."""
    return deque(maxlen=LATEST)


@dataclass(slots=True, kw_only=True, eq=False)
class Arm:
    """What one of two models did for its clients: requests it answered, rows with a score, those at or above the
    threshold, and how long the latest requests took.
    """

    requests: int = 0
    rows: int = 0
    ones: int = 0
    seconds: deque[float] = field(default_factory=times)

    def add(self, answer: Answer, seconds: float, threshold: float | None) -> None:
        """One more answer."""
        self.requests += 1
        self.rows += len(answer.scores)
        self.seconds.append(seconds)
        if threshold is not None:
            self.ones += int((answer.scores >= threshold).sum())

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {"requests": self.requests, "rows": self.rows, "ones": self.ones, "seconds": list(self.seconds)}


@dataclass(slots=True, kw_only=True, eq=False)
class Changes:
    """Decisions of a shadow that would be others: by direction, and by client."""

    up: int = 0
    down: int = 0
    who: dict[str, list[int]] = field(default_factory=dict)

    def add(self, clients: Sequence[tuple[str, int]], old: Any, new: Any) -> None:
        """Rows of these clients, each with how many; which rows were and would be at or above the threshold."""
        self.up += int((new & ~old).sum())
        self.down += int((old & ~new).sum())
        at = 0
        for client, rows in clients:
            name = client if client in self.who or len(self.who) < MOST else _OTHERS
            mine = self.who.setdefault(name, [0, 0])
            mine[0] += rows
            mine[1] += int((old[at : at + rows] != new[at : at + rows]).sum())
            at += rows


def save(file: Path, document: Mapping[str, Any] | None) -> None:
    """Keep what was seen until now; nothing where there is no trial."""
    if document is None:
        return file.unlink(missing_ok=True)
    beside = file.with_suffix(".part")
    beside.write_text(json.dumps(document), encoding="utf-8")
    os.replace(beside, file)
    return None


def seen(folder: Path, mode: str, digest: str) -> list[dict[str, Any]]:
    """What every process on this machine has seen of this trial."""
    found = []
    for file in sorted(folder.glob("trial-*.json")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is being removed, or was cut off by a kill
            continue
        if (document.get("mode"), document.get("digest")) == (mode, digest):
            found.append(document)
    return found


def told(documents: Sequence[Mapping[str, Any]], mode: str, now: float) -> Iterator[str]:
    """The figures in a few lines, and at the end one sentence of advice."""
    if not documents:
        yield "advice: no gateway on this machine has told of it yet; see that one runs, and ask again in a few seconds"
        return
    late = now - max(one["at"] for one in documents)
    heard = f"  heard from {len(documents)} process(es) on this machine, for {_long(now - min(_since(documents)))}"
    yield heard + (f"; the last word is {_long(late)} old" if late > _STALE else "")
    yield from (_shadow if mode == "shadow" else _canary)(documents)


def _shadow(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    n, failed, dropped = (_sum(documents, name) for name in ("seen", "failed", "dropped"))
    up, down = _sum(documents, "up"), _sum(documents, "down")
    low, high = Evidence.rate(up + down, n).ends()
    same = f"{_percent(1 - high)} to {_percent(1 - low)}, 95 % interval that holds however often you look"
    yield f"  rows       {n:,} scored along; {failed:,} it had no score for, {dropped:,} left out because it was busy"
    if _judged(documents):
        yield f"  decisions  {n - up - down:,} of {n:,} the same ({same})"
        yield f"             {up:,} would reach the threshold that do not now, {down:,} would no longer"
        yield f"  who        {_who(documents)}"
    yield f"  scores     differ by {max(one['largest'] for one in documents):.3g} at most"
    live, new = (_all(documents, name) for name in ("live", "new"))
    yield f"  a call     live {_latency(live)}; new {_latency(new)}"
    advice = _of_shadow(n, failed, low, high) if _judged(documents) or failed else _UNJUDGED
    yield f"advice: {advice}{_slower(live, new)}"


def _of_shadow(n: int, failed: int, low: float, high: float) -> str:
    if failed:
        return f"do not promote it: it had no score for {failed:,} of {n + failed:,} rows"
    if n < ENOUGH:
        return f"{n:,} rows tell little: look again when there are {ENOUGH:,}"
    if high <= FEW:
        return f"at most {_percent(high)} of the decisions would change: try it on some clients with --canary 10%"
    return f"{_percent(low)} to {_percent(high)} of the decisions would change: know why, and for whom, before --canary"


def _canary(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    passed = _sum(documents, "passed")
    arms = {name: [one["arms"][name] for one in documents] for name in ("live", "new")}
    for name, arm in arms.items():
        rows = _sum(arm, "rows")
        share = f"; {_share(_sum(arm, 'ones'), rows)}" if rows and _judged(documents) else ""
        yield f"  {name:<9}  {_sum(arm, 'requests'):,} requests, {rows:,} rows{share}"
    yield f"  passed     {passed:,} requests the new one had no answer for"
    live, new = (_all(arm, "seconds") for arm in arms.values())
    yield f"  a request  live {_latency(live)}; new {_latency(new)}"
    advice = _of_canary(arms["live"], arms["new"], passed) if _judged(documents) or passed else _UNJUDGED
    yield f"advice: {advice}{_slower(live, new)}"


def _of_canary(live: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], passed: int) -> str:
    answered, rows = _sum(new, "requests"), _sum(new, "rows")
    if passed > FEW * (answered + passed):
        return f"do not promote it: it had no answer to {passed:,} of {answered + passed:,} requests"
    if rows < ENOUGH:
        return f"{rows:,} rows tell little: look again when there are {ENOUGH:,}"
    ours, theirs = (_rate(arm, _BOTH) for arm in (new, live))
    if ours[0] > theirs[1] or ours[1] < theirs[0]:
        more = "more" if ours[0] > theirs[1] else "less"
        return (
            f"its clients reach the threshold {more} often: see whether that is the model or the clients before --live"
        )
    return "nothing here speaks against --live"


def _judged(documents: Sequence[Mapping[str, Any]]) -> bool:
    """Whether scores are decisions: there is a threshold."""
    return all(one["threshold"] is not None for one in documents)


def _share(ones: int, rows: int) -> str:
    low, high = Evidence.rate(ones, rows).ends()
    return f"{_percent(ones / rows)} at or above the threshold ({_percent(low)} to {_percent(high)})"


def _rate(arm: Sequence[Mapping[str, Any]], confidence: float) -> tuple[float, float]:
    return Evidence.rate(_sum(arm, "ones"), _sum(arm, "rows")).ends(confidence)


def _slower(live: Sequence[float], new: Sequence[float]) -> str:
    """What there is to say of its time, as the end of a sentence."""
    if len(live) < 20 or len(new) < 20:
        return ""
    ratio = float(np.median(new) / np.median(live))
    return f" (it takes {ratio:.1f} times as long)" if ratio > 1.5 else ""


def _who(documents: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, list[int]] = {}
    for one in documents:
        for name, (rows, changed) in one["who"].items():
            mine = found.setdefault(name, [0, 0])
            mine[0], mine[1] = mine[0] + rows, mine[1] + changed
    differ = sorted((one for one in found.items() if one[1][1]), key=lambda one: (-one[1][1], one[0]))
    said = ", ".join(f"{name} {changed:,} of {rows:,}" for name, (rows, changed) in differ[:5])
    return (said or "nobody would be decided otherwise") + (f", and {len(differ) - 5} more" if len(differ) > 5 else "")


def _since(documents: Sequence[Mapping[str, Any]]) -> list[float]:
    return [float(one["since"]) for one in documents]


def _sum(documents: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(one[name]) for one in documents)


def _all(documents: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [seconds for one in documents for seconds in one[name]]


def _latency(seconds: Sequence[float]) -> str:
    if not seconds:
        return "no time yet"
    return "p50 {:.3g} ms, p99 {:.3g} ms".format(*(1e3 * np.percentile(seconds, (50, 99))))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _long(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
