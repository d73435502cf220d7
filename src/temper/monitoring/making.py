"""From a temper.yaml to its monitor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from temper.config.monitor import truth_of, watch_of
from temper.config.objectives import objectives_of
from temper.config.reading import read as read_config
from temper.config.system import load_system
from temper.core.errors import ConfigError, Unsupported
from temper.core.outcome import Truth
from temper.core.schema import Column, Schema
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.watch import HOUR_OF_WEEK, Feed, Streaming, Watch
from temper.detectors.stream.shift import Shift
from temper.detectors.stream.shift import Watch as State
from temper.kernels.cbpe import Calibrator
from temper.monitoring.assessed import (
    FILE,
    fitting,
    reference_of,
    rows_of,
    scores_of,
    signed,
    threshold,
    watched,
    written,
)
from temper.monitoring.counted import Spread
from temper.monitoring.feed import arrived
from temper.monitoring.following import Following
from temper.monitoring.hours import clock_of
from temper.monitoring.kept import known_as
from temper.monitoring.labels import Cohort
from temper.monitoring.matured import Matured
from temper.monitoring.objectives import Following as Promised
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.store.control.outcomes import Outcomes
from temper.store.control.windows import Windows


def monitor_of(
    config: Path,
    windows: Windows,
    say: Callable[[str], None],
    *,
    trust_pickle: bool = False,
    today: date | None = None,
    spread: Spread = map,
) -> Monitor:
    """The monitor of this temper.yaml; its reference is made where there is none yet, or the rows behind it changed.
    `today` decides whether keys are still valid; without it one that ends is refused. Files are counted wherever
    `spread` says.

    Raises `ConfigError` where nothing says what is watched.
    """
    document, base = read_config(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    if watch is None:
        raise ConfigError(
            f"{config} does not say where predictions are", fix="add `monitor: {feed: predictions/, time: at}`"
        )
    if watch.kind is Feed.EXCHANGES:
        return exchanges_of(config, watch, windows)
    path, objectives = base / FILE, objectives_of(document, watch)
    system = load_system(config, trust_pickle=trust_pickle, today=today)
    if watch.manifest:
        reference, digest = signed(path, watch, today or date.max)
    else:
        reference = reference_of(system, watch)
        digest = written(reference, path, say)
    return Monitor(
        watch=watch,
        schema=watched(system, watch),
        reference=fitting(reference, system, watch),
        digest=digest,
        windows=windows,
        promised=Promised(objectives=objectives, served=windows.served) if objectives else None,
        following=following_of(system, watch, digest) if watch.stream else None,
        matured=matured_of(system, watch, truth, digest, windows.outcomes) if truth else None,
        done=path.with_name("feed.json"),
        spread=spread,
        system=system.name,
        model=system.target.digest,
    )


def exchanges_of(config: Path, watch: Watch, windows: Windows) -> Monitor:
    """The monitor of an assistant: exchanges have no columns, and its windows are held against those before."""
    from temper.config.assistant import load_assistant  # and with it what a monitor of tables need not wait for

    assistant = load_assistant(config)
    reference = Reference.fit(np.zeros((2, 0)), Schema())
    return Monitor(
        watch=watch,
        schema=Schema(),
        reference=reference,
        digest=known_as(reference),
        windows=windows,
        system=assistant.name,
        model=assistant.target.digest,
    )


def following_of(system: Protected, watch: Watch, digest: str) -> Following:
    """This feed as a stream that begins with what the rows of the assessment show.

    Those rows have to be the ones that a signed reference was made of; this is asked where a stream begins.
    """
    how, schema = watch.stream or Streaming(), streamed(system, watch)
    hourly = HOUR_OF_WEEK in how.strata and HOUR_OF_WEEK not in schema.names
    strata = tuple(name for name in how.strata if not hourly or name != HOUR_OF_WEEK)
    for name in strata:
        schema.index(name)
    at = clock_of(system.data) if hourly else np.zeros(0)
    shift = Shift(
        one_false_alarm_per=how.one_false_alarm_per,
        tolerance=how.tolerance,
        strata=strata,
        clock=HOUR_OF_WEEK if hourly else "",
    )
    columns = (*schema.columns, *([Column(name=HOUR_OF_WEEK)] if hourly else ()))

    def begins() -> State:
        if watch.manifest and known_as(reference_of(system, watch)) != digest:
            raise ConfigError(
                "a stream begins with the rows of the assessment, and they are not those of the signed reference",
                fix="put these rows back, or make the reference again with `temper assess` and sign it",
            )
        return shift.fit(following.rows(rows_of(system, watch), at), Schema(columns=columns))

    following = Following(watch=shift, begins=begins, zone=how.zone if hourly else "")
    return following


def streamed(system: Protected, watch: Watch) -> Schema:
    """The columns of this feed as a stream has them: types and names, and the score."""
    known = watched(system, watch).columns
    plain = [Column(name=one.name, type=one.type, categories=one.categories) for one in known]
    return Schema(columns=(*plain, *([Column(name="score")] if watch.score else ())))


def matured_of(system: Protected, watch: Watch, truth: Truth, digest: str, outcomes: Outcomes) -> Matured:
    """What is promised of the labels of this system's rows; scores are calibrated by the rows of its assessment."""
    kind = system.target.kind
    if system.target.classes != 2 or kind not in (ScoreKind.PROBABILITIES, ScoreKind.MARGIN):
        raise Unsupported(
            "labels are watched of two classes, with probabilities or margins", fix="leave `monitor: labels:` out"
        )
    return Matured(
        truth=truth,
        watch=watch,
        schema=system.schema,
        classes=system.classes,
        edge=threshold(system),
        policy=system.policy,
        cost=system.cost,
        calibrator=Calibrator.fit(scores_of(system), np.asarray(system.data.y)),
        digest=digest,
        outcomes=outcomes,
    )


def matured_rows(config: Path, system: Protected, windows: Windows, now: float) -> Cohort:
    """Every row of the feed of this temper.yaml that is old enough, with its label if that has come."""
    document, base = read_config(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    if watch is None or truth is None or watch.kind is Feed.LEDGER:
        raise ConfigError(
            f"{config} names no feed of rows with labels", fix="add `feed:`, `labels:` and `label:` under `monitor:`"
        )
    matured = matured_of(system, watch, truth, "", windows.outcomes)
    return matured.labelled(arrived(watch, system.schema), now)
