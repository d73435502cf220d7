"""What requirements may speak of: the metrics of Temper's own plugins, and which values each can have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources

from temper.core.errors import ConfigError
from temper.core.requirement import Requirement

RANGES = {
    "share": (0.0, 1.0),
    "from_zero": (0.0, math.inf),
    "to_one": (-math.inf, 1.0),
    "any": (-math.inf, math.inf),
}
_CLOSE = 0.7


@cache
def metrics() -> tuple[tuple[str, str, str], ...]:
    """(plugin, metric, name of its range), each a name or a glob."""
    import yaml

    text = (resources.files("temper.config") / "metrics.yaml").read_text(encoding="utf-8")
    return tuple(
        (plugin, metric, kind)
        for kind, plugins in yaml.safe_load(text).items()
        for plugin, listed in plugins.items()
        for metric in listed
    )


def found(metric: str) -> Iterator[str]:
    """The ranges of what a requirement's glob can mean; nothing where it means no metric that is known.

    >>> list(found("performance.auc")), list(found("performance.aucc"))
    (['share'], [])
    """
    plugin, _, name = metric.removeprefix("validation.").rpartition(".")
    for known, listed, kind in metrics():
        if _meets(plugin, known) and _meets(name, listed):
            yield kind


def checked(requirement: Requirement) -> None:
    """Raises `ConfigError` for a metric that no plugin has, and for a limit that no value of it can keep."""
    metric = requirement.metric
    kinds = list(found(metric))
    if not kinds:
        _unknown(metric)
        return
    low, high = min(RANGES[kind][0] for kind in kinds), max(RANGES[kind][1] for kind in kinds)
    limit = requirement.limit
    if (requirement.at_most is not None and limit < low) or (requirement.at_least is not None and limit > high):
        word = "at_most" if requirement.at_most is not None else "at_least"
        raise ConfigError(
            f"requirement {requirement.id!r} is impossible: {metric} lies {_words(low, high)}, and {word} is {limit:g}",
            fix="write the limit in the metric's own unit: 0.05 for 5 %",
        )


def _unknown(metric: str) -> None:
    """Of a plugin that is not Temper's nothing is known; its metric may be right."""
    plugin, _, name = metric.removeprefix("validation.").rpartition(".")
    mine = list(dict.fromkeys(listed for known, listed, _ in metrics() if _meets(plugin, known)))
    every = [f"{known}.{listed}" for known, listed, _ in metrics()]
    near = get_close_matches(name, mine, 1, _CLOSE) if mine else get_close_matches(metric, every, 1, _CLOSE)
    if near:
        meant = f"{plugin}.{near[0]}" if mine else near[0]
        raise ConfigError(f"no plugin measures {metric!r}; did you mean {meant!r}?", fix="`metric:` is PLUGIN.METRIC")
    if mine:
        raise ConfigError(f"{plugin} does not measure {name!r}", fix=f"it has {', '.join(mine)}")


def _meets(given: str, known: str) -> bool:
    """Whether a glob and a glob can mean the same name; one of them always covers the other here."""
    return fnmatchcase(given, known) or fnmatchcase(known, given)


def _words(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at or below {high:g}"
    return f"at or above {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
