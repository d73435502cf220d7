"""The one table that results of other tools are read into, and the figures made of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from temper.core.attack import RowVerdict
from temper.core.measure import Better, Measurement, Status
from temper.kernels.clustered import clustered_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One trial of one prompt, as another tool judged it: BROKEN, HELD, or ERROR where nobody can say.

    `family` is the tool's own name for the kind of attack, `prompt` tells prompts apart (trials of one are alike),
    `detector` is what judged.
    """

    family: str
    prompt: str
    trial: int
    verdict: RowVerdict
    detector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An honest task that another tool tried: `attacked` says whether an attack was under way."""

    task: str
    attacked: bool
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a file of another tool's says."""

    tool: str
    source: str
    attempts: tuple[Attempt, ...]
    work: tuple[Work, ...] = ()
    caveats: tuple[str, ...] = ()

    def measurements(self, confidence: float = 0.95) -> tuple[Measurement, ...]:
        """Attack success of all and of each family by each detector, and utility where the tool has measured it.

        "all" counts a trial as a success where any detector does.
        """
        groups: dict[str, list[Attempt]] = {"all": list(_worst(self.attempts))} if self.attempts else {}
        for attempt in self.attempts:
            name = f"{attempt.family} by {attempt.detector}" if attempt.detector else attempt.family
            groups.setdefault(name, []).append(attempt)
        found = [self._success(name, attempts, confidence) for name, attempts in groups.items()]
        for attacked, metric in ((False, "utility"), (True, "utility_under_attack")):
            work = [one for one in self.work if one.attacked is attacked]
            if work:
                found.append(self._utility(metric, work, confidence))
        return tuple(found)

    def _success(self, name: str, attempts: Sequence[Attempt], confidence: float) -> Measurement:
        """The rate over prompts; trials nobody could judge are misses at the lower end and hits at the upper."""
        counts = _counted(attempts)
        hits, errors, trials = (sum(column) for column in zip(*counts, strict=True))
        low = clustered_rate([h for h, _, _ in counts], [n for _, _, n in counts], confidence)[1]
        high = clustered_rate([h + e for h, e, _ in counts], [n for _, _, n in counts], confidence)[2]
        value = clustered_rate([h for h, _, _ in counts], [n - e for _, e, n in counts], confidence)[0]
        undecided = (f"{errors} of {trials} trials could not be judged",) if errors else ()
        found = Measurement(
            plugin=f"imported.{self.tool}",
            metric="attack_success",
            slice=name,
            value=value,
            low=low,
            high=high,
            confidence=confidence,
            n=trials,
            count=hits,
            undecided=errors,
            unit="share",
            better=Better.LOWER,
            method=f"mean over {len(counts)} prompts, interval over prompts",
            caveats=(*self.caveats, *undecided),
        )
        if errors < trials:
            return found
        return replace(found, value=None, low=None, high=None, status=Status.UNTRIED, reason="no trial could be judged")

    def _utility(self, metric: str, work: Sequence[Work], confidence: float) -> Measurement:
        tasks: dict[str, list[bool]] = defaultdict(list)
        for one in work:
            tasks[one.task].append(one.done)
        hits, trials = [sum(done) for done in tasks.values()], [len(done) for done in tasks.values()]
        value, low, high = clustered_rate(hits, trials, confidence)
        return Measurement(
            plugin=f"imported.{self.tool}",
            metric=metric,
            value=value,
            low=low,
            high=high,
            confidence=confidence,
            n=sum(trials),
            count=sum(hits),
            unit="share",
            better=Better.HIGHER,
            method=f"mean over {len(tasks)} tasks, interval over tasks",
            caveats=self.caveats,
        )


def prompt_key(*texts: str) -> str:
    """What tells prompts apart: equal texts are one prompt."""
    return hashlib.blake2b("\x1f".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def numbered(attempts: Iterable[tuple[object, Attempt]]) -> tuple[Attempt, ...]:
    """Trials numbered within their prompt, in the order they came; each is given with what tells answers apart, so
    that two verdicts on one answer are one trial.
    """
    seen: dict[str, dict[object, int]] = defaultdict(dict)
    found = []
    for answer, attempt in attempts:
        trials = seen[attempt.prompt]
        found.append(replace(attempt, trial=trials.setdefault(answer, len(trials))))
    return tuple(found)


def _worst(attempts: Sequence[Attempt]) -> Iterator[Attempt]:
    """One per trial: BROKEN where any detector says so, else ERROR where any could not judge."""
    order = (RowVerdict.BROKEN, RowVerdict.ERROR, RowVerdict.HELD)
    found: dict[tuple[str, int], Attempt] = {}
    for attempt in attempts:
        key = (attempt.prompt, attempt.trial)
        if key not in found or order.index(attempt.verdict) < order.index(found[key].verdict):
            found[key] = attempt
    return iter(found.values())


def _counted(attempts: Sequence[Attempt]) -> list[tuple[int, int, int]]:
    """Hits, errors and trials per prompt."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for attempt in attempts:
        row = found[attempt.prompt]
        row[0] += attempt.verdict is RowVerdict.BROKEN
        row[1] += attempt.verdict is RowVerdict.ERROR
        row[2] += 1
    return [(hits, errors, trials) for hits, errors, trials in found.values()]
