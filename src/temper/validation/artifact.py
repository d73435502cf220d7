"""The model's own file: what it would do when it is loaded, and what it keeps of the training rows."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.validation._artifact_lint import forms_of, leaf_sizes, raw_model, rows_kept, statistics_kept
from temper.validation._measured import missing, not_applicable

NAME = "artifact"
_TOLD = 5
_BLIND = "says nothing of what the model has learned: a backdoor is no bad file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Findings of the scan of the model's file, names in it that need a review, and training data it still holds.

    `rows_kept` is the share of training rows that lie in the model value for value, `small_leaves` the share of leaves
    with fewer than `few` training rows, `statistics_kept` how many kinds of column statistics it carries. `file` is the
    model's file; `temper.yaml` fills it in. `written`: the model was hardened and has no file yet, so what `temper
    harden` writes of it is scanned.
    Misleads where rows are kept rounded or mixed: only exact copies are counted, and what a membership attack can tell
    is measured elsewhere.
    Source: Ferry et al., "Trained random forests completely reveal your dataset", 2024; the scan's own sources.

    >>> Artifact(few=10).few
    10
    """

    file: str = ""
    few: int = 5
    written: bool = False

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """The scan's figures, then what is kept."""
        if not len(scene.x):
            return (missing(NAME, "findings", Status.INCONCLUSIVE, "there are no held-out rows"),)
        return (*(_as_written(scene) if self.written else _scanned(self.file)), *_kept(scene, self.few))


def _as_written(scene: Scene) -> tuple[Measurement, ...]:
    """The scan of the files that are written of a hardened model; a wrapped model has several."""
    if scene.target is None:
        return not_applicable(NAME, "there is no model to write")
    from temper.targets.artifact import scan
    from temper.targets.save import save

    with tempfile.TemporaryDirectory(prefix="temper-") as folder:
        try:
            save(scene.target, Path(folder))
        except TemperError as problem:
            reason = f"the hardened model has no file, and none can be written of it: {problem.message}"
            return tuple(missing(NAME, metric, Status.UNTRIED, reason) for metric in ("findings", "needs_review"))
        reports = [scan(path) for path in sorted(Path(folder).iterdir())]
    how = f"{', '.join(report.kind for report in reports)}, as it is written of the hardened model"
    return _told(
        how, [text for r in reports for text in r.findings], [text for r in reports for text in r.needs_review]
    )


def _scanned(file: str) -> tuple[Measurement, ...]:
    if not file:
        return not_applicable(NAME, "the model was handed over as an object: there is no file to scan")
    from temper.targets.artifact import scan

    report = scan(file)
    with Path(file).open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    how = f"{report.kind}, scanned without loading it; SHA-256 {digest}"
    return _told(how, report.findings, report.needs_review)


def _told(how: str, findings: Sequence[str], strange: Sequence[str]) -> tuple[Measurement, ...]:
    return (
        _count("findings", len(findings), how, (*findings[:_TOLD], _BLIND)),
        _count("needs_review", len(strange), how, tuple(strange[:_TOLD])),
    )


def _kept(scene: Scene, few: int) -> tuple[Measurement, ...]:
    model = raw_model(scene.target)
    if model is None:
        reason = "the model is reached as a black box: what it keeps cannot be seen"
        return (missing(NAME, "statistics_kept", Status.UNTRIED, reason),)
    statistics, sizes = statistics_kept(model), leaf_sizes(model)
    how = "kinds of statistics of the training rows in the model"
    told = [_count("statistics_kept", len(statistics), how, statistics)]
    if len(sizes):
        told.append(_share("small_leaves", int((sizes < few).sum()), len(sizes), f"leaves of fewer than {few} rows"))
    if scene.train is None:
        told.append(missing(NAME, "rows_kept", Status.UNTRIED, "no training rows are given to look for"))
    elif len(scene.train.x) and np.ndim(scene.train.x) == 2:
        count = rows_kept(model, forms_of(scene.target, model, scene.train.x))
        told.append(_share("rows_kept", count, len(scene.train.x), "training rows found in the model, value for value"))
    return tuple(told)


def _count(metric: str, value: int, method: str, caveats: tuple[str, ...]) -> Measurement:
    exact: dict[str, Any] = {"value": float(value), "low": float(value), "high": float(value), "n": 1}
    return Measurement(plugin=NAME, metric=metric, **exact, better=Better.LOWER, method=method, caveats=caveats)


def _share(metric: str, count: int, n: int, method: str) -> Measurement:
    """A census, so the interval is the figure itself."""
    exact: dict[str, Any] = {"value": count / n, "low": count / n, "high": count / n, "n": n, "count": count}
    return Measurement(plugin=NAME, metric=metric, **exact, better=Better.LOWER, method=method)


PLUGIN = Artifact
