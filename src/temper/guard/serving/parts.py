"""Every part of a table model's guard, from its options in temper.yaml."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from temper.config.serving import Serving
from temper.core.errors import ConfigError
from temper.core.quota import QuotaConfig
from temper.core.review import Ruling
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.serving import Mode, Source, sees_scores
from temper.core.system import Protected
from temper.core.target import Target
from temper.guard.serving.fallback import Chain, Challenger, LastKnown, Link, Rule, Rules
from temper.guard.serving.golden import Golden, Probes
from temper.guard.serving.modes import Modes
from temper.guard.serving.profile import Profile
from temper.targets.load import open_target
from temper.targets.served import Served, served

Made = TypeVar("Made")
Options = Mapping[str, Mapping[str, Any]]
_ROOM = "temper.guard.serving.stages"
EACH, BEFORE, AFTER = ("quarantine", "extraction"), ("anomaly",), ("output",)
"""Which stages look at one request of a client, which at all rows at hand, and which at what the model said."""
PARTS = ("quota", "bounds", *EACH, *BEFORE, "concurrency", "breaker", "golden", *AFTER, "fallback", "decide", "people")
"""What can be set, in the order in which a request meets it."""
AROUND = ("quota", "bounds", "concurrency", "breaker", "golden", "fallback")
"""What is decided by the moment and not by the rows alone, so that it cannot be decided again."""
_ASKED_FOR = ("quota", "quarantine", "decide")  # off where nothing is written; all others are on, with their defaults


def options_of(serving: Serving) -> Options:
    """The options of everything that is not off; a name nobody knows is refused."""
    every = (*PARTS, *foreign(serving))
    for name, _, _ in serving.stages:
        if name not in every:
            raise ConfigError(f"guard has no stage {name!r}", fix=f"there are {', '.join(every)}")
    if any(name == "people" and mode is not Mode.ENFORCE for name, mode, _ in serving.stages):
        raise ConfigError("guard.people has no mode", fix="write how long they have and how many agree: due, eyes")
    return {name: options for name, mode, options in serving.stages if mode is not Mode.OFF}


def foreign(serving: Serving) -> tuple[str, ...]:
    """Stages of other packages. They judge rows before the model is asked, beside `anomaly`, or rows and scores after
    it, beside `output`, where their class says so. They know neither clients nor earlier requests, so that what they
    decide can be decided again.
    """
    found = tuple(name for name in serving.plugins if "." not in name)
    if taken := sorted(set(found) & set(PARTS)):
        raise ConfigError(f"guard.plugins names {taken[0]!r}, which is a part of Temper's own", fix="leave it out")
    return found


def before(serving: Serving) -> tuple[str, ...]:
    """The stages that look at rows before the model is asked."""
    return (*BEFORE, *(name for name in foreign(serving) if not _late(name, serving)))


def after(serving: Serving) -> tuple[str, ...]:
    """The stages that look at what the model said."""
    return (*AFTER, *(name for name in foreign(serving) if _late(name, serving)))


def _late(name: str, serving: Serving) -> bool:
    return sees_scores(room(serving).get(name))


def stages(serving: Serving) -> tuple[str, ...]:
    """Every stage there is for this guard, in the order in which a request meets them."""
    return (*EACH, *before(serving), *after(serving))


def detectors(serving: Serving) -> tuple[str, ...]:
    """Detectors of other packages."""
    found = tuple(name for name in serving.plugins if "." in name)
    if other := [name for name in found if not name.startswith("input.")]:
        raise ConfigError(f"guard.plugins names {other[0]!r}", fix="a detector of rows is called input.NAME")
    return found


def room(serving: Serving) -> Room:
    """The stages there are for this guard."""
    return Room(_ROOM, allowed=foreign(serving))


def mode_of(serving: Serving, name: str) -> Mode:
    """The mode of this part."""
    usual = Mode.OFF if name in _ASKED_FOR else Mode.ENFORCE
    return next((mode for written, mode, _ in serving.stages if written == name), usual)


def modes(serving: Serving) -> Modes:
    """The modes of the parts around the model."""
    return Modes(**{one.name: mode_of(serving, one.name) for one in fields(Modes)})


def bounds(serving: Serving) -> Mode:
    """Whether values outside the bounds of the Schema are refused."""
    known("bounds", options_of(serving).get("bounds", {}), [])
    return mode_of(serving, "bounds")


def outside(rows: Any, schema: Schema) -> Any:
    """Which rows (n,) the door refuses: a value that is missing where none may be, out of its bounds, between two whole
    numbers, or no word of the vocabulary.

    >>> from temper.core.schema import Column
    >>> schema = Schema(columns=(Column(name="n", type="integer", high=6.0),))
    >>> outside(np.array([[1.0], [np.nan], [7.0], [1.5]]), schema)
    array([False,  True,  True,  True])
    """
    missing, may = np.isnan(rows), np.array([one.missing for one in schema.columns], dtype=bool)
    whole = np.array([one.discrete for one in schema.columns], dtype=bool)
    wrong = (missing & ~may) | np.isinf(rows) | (rows < schema.lows) | (rows > schema.highs)
    wrong |= whole & ~missing & (rows != np.round(rows))
    return wrong.any(axis=1)


def made(kind: Callable[..., Made], name: str, options: Options, **usual: Any) -> Made:
    """The settings of one part, `usual` where nothing is written; what it does not know is refused."""
    given = {**usual, **options.get(name, {})}
    known(name, given, [one.name for one in fields(kind)])  # type: ignore[arg-type]
    return kind(**given)


def known(name: str, given: Mapping[str, Any], names: list[str]) -> None:
    """Refuse an option that is none."""
    if unknown := sorted(set(given) - set(names)):
        raise ConfigError(f"guard.{name} has no option {unknown[0]!r}", fix=f"there are {', '.join(names)}")


def quota(options: Options) -> QuotaConfig | None:
    """How much a client may ask; None where nobody is limited."""
    found = made(QuotaConfig, "quota", options) if "quota" in options else QuotaConfig()
    return found if found.most < math.inf else None


DESK = ("misses", "wrongs", "cases", "requests")
"""What may be written of people's work beside how long they have."""


def people(options: Options) -> Mapping[str, Any]:
    """How long a person has for a case, how many have to agree, and what becomes of it where nobody decides."""
    given = dict(options.get("people", {}))
    known("people", given, ["due", "eyes", "overdue", *DESK])
    overdue = str(given.get("overdue", Ruling.BLOCK))
    if overdue not in set(Ruling):
        raise ConfigError(f"guard.people.overdue is {overdue!r}", fix="use block or allow")
    return {
        "due": float(given.get("due", 3_600.0)),
        "eyes": int(given.get("eyes", 1)),
        "overdue": Ruling(overdue),
    }


def desk(options: Options) -> Mapping[str, float]:
    """What is written of people's work: the shares of attacks they let pass (`misses`) and of honest requests they
    refuse (`wrongs`), how many cases they look at in a day, and how many requests come in one. Nothing serves by it;
    `temper layers` counts by it.

    >>> desk({"people": {"due": 600, "misses": 0.1}})
    {'misses': 0.1}
    """
    written = options.get("people", {})
    given = {name: float(written[name]) for name in DESK if name in written}
    shares = [given.get(name, 0.0) for name in ("misses", "wrongs")]
    if not all(0.0 <= one <= 1.0 for one in shares) or min(given.values(), default=0.0) < 0.0:
        raise ConfigError("guard.people has a share that is none", fix="misses and wrongs lie between 0 and 1")
    if ("cases" in given) != ("requests" in given):
        raise ConfigError(
            "guard.people has no load", fix="write both, cases and requests, or neither: each is by the day"
        )
    return given


def golden(options: Options, system: Protected, model: Served, serving: Serving) -> Golden | None:
    """Known rows that are asked again and again: test rows with the scores the model has for them now."""
    given = dict(options.get("golden", {}))
    known("golden", given, ["period", "many", "tolerance"])
    if any(name == "golden" and mode is Mode.OFF for name, mode, _ in serving.stages):
        return None
    rows = system.data.x[:2_000]
    try:
        probes = Probes.choose(
            rows, model.score(rows), many=int(given.get("many", 8)), tolerance=float(given.get("tolerance", 1e-4))
        )
    except ConfigError:
        if "golden" in options:
            raise
        return None  # a model with one score for all rows has none that show anything
    return Golden(probes=probes, period=float(given.get("period", 5.0)))


def review(options: Options) -> tuple[float, float] | None:
    """The scores between which a human looks."""
    decide = options.get("decide", {})
    known("decide", decide, ["review"])
    if "review" not in decide:
        return None
    grey = decide["review"]
    if not (isinstance(grey, list | tuple) and len(grey) == 2 and all(isinstance(one, int | float) for one in grey)):
        raise ConfigError(f"guard.decide.review is {grey!r}", fix="write two scores: review: [0.4, 0.6]")
    return float(grey[0]), float(grey[1])


def profile(system: Protected, serving: Serving, model: Served) -> Profile:
    """What training data looked like, fitted once and kept; of another model or Schema it is refused."""
    path, plugins = Path(serving.profile), detectors(serving)
    if path.exists():
        found = Profile.load(path, plugins)
        if found.columns != system.schema.names:
            raise ConfigError(f"{path} was fitted on other columns", fix="remove it, and it is fitted again")
        return found
    if system.train is None:
        raise ConfigError("the guard has nothing to compare requests with", fix="name the training table: data.train")
    found = Profile.fit(system.train.x, system.schema, model.score(system.train.x), plugins=plugins)
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save(path)
    return found


def chain(options: Options, system: Protected, base: Path) -> tuple[Chain, LastKnown | None]:
    """What answers where the model cannot, and the memory in it that has to be told what the model said.

    Without a word about it a human decides: the score is that of the threshold.
    """
    given = options.get("fallback", {})
    known("fallback", given, ["challenger", "rules", "otherwise", "last_known", "score", "last"])
    links: list[Link] = []
    if "challenger" in given:
        other = challenger(given["challenger"], system, base)
        links.append(Challenger(predict=served(other, system.data.x, system.threshold).score))
    if "rules" in given:
        links.append(_rules(given, system))
    memory = _memory(given["last_known"], system) if "last_known" in given else None
    if memory is not None:
        links.append(memory)
    usual = 0.5 if system.threshold is None else system.threshold
    last = Source(given.get("last", "human"))
    return Chain(links=tuple(links), score=float(given.get("score", usual)), last=last), memory


def challenger(given: Any, system: Protected, base: Path) -> Target:
    """Another model over the same columns."""
    about = given if isinstance(given, Mapping) else {"path": given}
    known("fallback.challenger", about, ["path", "kind"])
    kind = system.target.kind if "kind" not in about else type(system.target.kind)(about["kind"])
    return open_target(str(base / str(about["path"])), schema=system.schema, kind=kind, classes=system.target.classes)


def _rules(given: Mapping[str, Any], system: Protected) -> Rules:
    rules = []
    for one in given["rules"]:
        known("fallback.rules", one, ["when", "score"])
        rules.append(Rule(when=str(one["when"]), score=float(one["score"])))
    otherwise = given.get("otherwise")
    return Rules(
        columns=system.schema.names, rules=tuple(rules), otherwise=None if otherwise is None else float(otherwise)
    )


def _memory(given: Any, system: Protected) -> LastKnown:
    about = dict(given or {})
    known("fallback.last_known", about, ["columns", "weight", "most"])
    names = about.pop("columns", ())
    return LastKnown(columns=tuple(system.schema.index(name) for name in names), **about)
