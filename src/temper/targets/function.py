"""A callable as a target: the model stays wherever the user keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, Unsupported
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.targets import _digest
from temper.targets._score import one_hot, shaped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """`call(x)` takes the float64 matrix (n, d) of the Schema, or a list of n texts, and returns scores of the declared
    kind.

    With `labels_only` it returns class numbers (n,), and the scores are one-hot. `source` is the "module:name" or
    "file.py:name" it was found by: a worker process finds it there again. `version` gives it a digest.

    >>> Function(call=lambda x: np.column_stack([1 - x[:, 0], x[:, 0]])).scores(np.array([[0.25]]))
    array([[0.75, 0.25]])
    """

    call: Callable[[Any], Any]
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    version: str = ""
    source: str = ""
    labels_only: bool = False

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "function"

    @property
    def access(self) -> Access:
        """Labels, and scores unless it only decides."""
        return Access.LABELS if self.labels_only else Access.LABELS | Access.SCORES

    @property
    def digest(self) -> str:
        """Empty without a declared version: code has no content that could be hashed truthfully."""
        return _digest.of_bytes(self._where().encode(), self.version.encode()) if self.version else ""

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        raw = self.call(x.tolist() if isinstance(x, np.ndarray) and x.dtype == object else x)
        if self.labels_only:
            return one_hot(self._labels(raw, len(x)), self.classes)
        return shaped(raw, self.kind, self.classes, len(x), self._called())

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """A callable has no gradient."""
        raise Unsupported("a callable has no gradients", fix="open the torch module itself")

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """A callable cannot be fitted again."""
        raise Unsupported("a callable cannot be fitted again", fix="open the estimator itself")

    def _labels(self, raw: Any, n: int) -> np.ndarray[Any, Any]:
        labels = np.asarray(raw)
        if labels.shape == (n, 1):
            labels = labels[:, 0]
        whole = labels.shape == (n,) and labels.dtype.kind in "biuf" and bool((labels == np.round(labels)).all())
        if not whole or (n and not 0 <= labels.min() <= labels.max() < self.classes):
            raise ContractError(
                f"{self._called()} is opened with labels_only and returned {labels.shape} {labels.dtype}",
                fix=f"return the class number 0 to {self.classes - 1} of each of the {n} rows",
            )
        return labels

    def _called(self) -> str:
        return self.source or getattr(self.call, "__qualname__", type(self.call).__name__)

    def _where(self) -> str:
        owner = self.call if hasattr(self.call, "__qualname__") else type(self.call)
        return self.source or f"{owner.__module__}:{owner.__qualname__}"

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: getattr(self, name) for name in ("kind", "classes", "stochastic", "version", "labels_only")}
        return _restored, (self.source or self.call, kept)


def find(source: str) -> Any:
    """What "package.module:name" or "path/file.py:name" names; a `ContractError` says which part is wrong."""
    import importlib
    from pathlib import Path

    place, _, name = source.rpartition(":")
    try:
        module = _run(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, OSError) as error:
        raise ContractError(
            f"cannot import {place!r}: {error}", fix="give package.module:name or file.py:name"
        ) from error
    except (Exception, SystemExit) as crash:  # the user's own code, which may raise anything
        raise ContractError(
            f"cannot import {place!r}: {type(crash).__name__}: {crash}", fix="run the file by itself until it loads"
        ) from crash
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ContractError(f"{place!r} has no {name!r}", fix=f"it has: {', '.join(_public(found)) or 'nothing'}")
        found = getattr(found, part)
    return found


def _run(path: Any) -> Any:
    """The module of a file, under a name of its own so that it shadows nothing; run once per process."""
    import importlib.util
    import sys

    path = path.resolve()
    name = f"temper_model_{_digest.of_bytes(str(path).encode())[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise OSError(f"{path} is not a file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _public(found: Any) -> list[str]:
    return [name for name in dir(found) if not name.startswith("_")][:12]


def _restored(call: Any, kept: dict[str, Any]) -> Function:
    if isinstance(call, str):
        return Function(call=find(call), source=call, **kept)
    return Function(call=call, **kept)
