"""What windows are compared with: the rows of an assessment as counts, and the file in which they are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import ConfigError, StoreError, Unsupported
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.core.watch import Feed, Watch
from temper.monitoring import kept
from temper.monitoring.reference import Reference
from temper.targets.signature import verify

Array = np.ndarray[Any, Any]
FILE = Path(".temper") / "reference.npz"


def reference_of(system: Protected, watch: Watch) -> Reference:
    """The rows this system was assessed on, as counts; with the model's scores as their last column, if watched.

    Of two classes the score has a threshold.
    """
    schema, x = watched(system, watch), rows_of(system, watch)
    if not watch.score:
        return Reference.fit(x, schema, (), system.data.ids)
    return Reference.fit(x, schema, ("score",), system.data.ids, threshold(system))


def rows_of(system: Protected, watch: Watch) -> Array:
    """The rows of the assessment as this feed has them, (n, d), with the model's scores as last column, if watched."""
    x = np.zeros((len(system.data.ids), 0))
    if watched(system, watch).columns:
        x = np.asarray(system.data.x, dtype=np.float64)
    return np.column_stack([x, scores_of(system)]) if watch.score else x


def watched(system: Protected, watch: Watch) -> Schema:
    """The columns of rows of this feed: a ledger has none, beside the score."""
    if watch.kind is Feed.LEDGER:
        return Schema()
    if not system.schema.columns:
        raise Unsupported("windows are compared column by column, and this system has no columns", fix="watch a table")
    return system.schema


def scores_of(system: Protected) -> Array:
    """The one number per row that a threshold is held against: of class 1 of two, else of the likeliest class."""
    if Access.SCORES not in system.target.access:
        raise Unsupported("this model gives no scores", fix="leave `monitor: score:` out")
    scores = np.asarray(system.target.scores(system.data.x))
    return scores[:, 1] if scores.shape[1] == 2 else scores.max(axis=1)


def threshold(system: Protected) -> float:
    """The score from which on a row is flagged: the system's, else that of an even chance; NaN where there is none."""
    if system.target.classes != 2:
        return float("nan")
    usual = {ScoreKind.PROBABILITIES: 0.5, ScoreKind.MARGIN: 0.0}.get(system.target.kind, float("nan"))
    return usual if system.threshold is None else system.threshold


def written(reference: Reference, path: Path, say: Callable[[str], None]) -> str:
    """Keep a reference where it is not what is there already; its digest."""
    try:
        before = kept.read(path)[1] if path.exists() else ""
    except StoreError as damaged:
        before = ""
        say(f"{damaged.message}: it is made again")
    digest = kept.known_as(reference)
    if digest != before:
        kept.keep(reference, path)
        say(f"reference: {reference.tally.rows:,} rows, {len(reference.cells)} columns, {digest[:12]} ({path})")
    return digest


def signed(path: Path, watch: Watch, today: date) -> tuple[Reference, str]:
    """The reference in this file, once it is what was signed; it is not made again. Raises `TemperError` otherwise."""
    manifest = Path(watch.manifest)
    found = verify(manifest, watch.public_key, today)
    if path.resolve() not in {(manifest.parent / name).resolve() for name in found.files}:
        raise ConfigError(f"{manifest} does not speak of {path}", fix=f"`temper sign {path} --key NAME.key`")
    return kept.read(path)


def fitting(reference: Reference, system: Protected, watch: Watch) -> Reference:
    """The same, where it is of the columns of this feed; `ConfigError` otherwise."""
    wanted = (*watched(system, watch).names, *(("score",) if watch.score else ()))
    if reference.names != wanted:
        raise ConfigError(
            f"the reference is of {', '.join(reference.names[:8])}, and the feed of {', '.join(wanted[:8])}",
            fix="make it again with `temper assess`, and sign it",
        )
    return reference
