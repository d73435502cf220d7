"""Wrapped targets as files: a small JSON document beside the model's own file. Nothing in it is code.

It says format, wrapper, model (the inner file's name, in the same folder) and settings. The schema is the system's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Schema
from temper.core.target import Target
from temper.targets._flipped import Flipped
from temper.targets._wrapper import Wrapper
from temper.targets.answers import Decided, Masked, Rounded
from temper.targets.budgeted import Budgeted
from temper.targets.flat import Flat, open_trees, save_trees
from temper.targets.misleading import Misled, Noised
from temper.targets.private import Private, private
from temper.targets.smoothed import Smoothed
from temper.targets.wrapped import Refusing, Region, Squeezed, squeezed

ENDING = ".wrapped"
_FORMAT = "temper wrapper 1"
_KINDS: dict[str, type[Wrapper]] = {
    "budgeted": Budgeted,
    "decided": Decided,
    "flipped": Flipped,
    "masked": Masked,
    "misled": Misled,
    "noised": Noised,
    "private": Private,
    "refusing": Refusing,
    "rounded": Rounded,
    "smoothed": Smoothed,
    "squeezed": Squeezed,
}
_MADE: dict[type[Wrapper], Callable[..., Wrapper]] = {Private: private, Squeezed: squeezed}
_LARGEST = 2**24


def save_wrapped(target: Wrapper, path: Path, inner: Path) -> None:
    """Write the document of `target`, whose inner model lies in the file `inner` of the same folder."""
    wrapper = next((name for name, kind in _KINDS.items() if isinstance(target, kind)), None)
    if wrapper is None:
        raise Unsupported(f"a {target.name} model cannot be written back to a file")
    settings = {name: _told(getattr(target, name), path) for name in _settings(_KINDS[wrapper])}
    document = {"format": _FORMAT, "wrapper": wrapper, "model": inner.name, "settings": settings}
    path.write_text(json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def open_wrapped(path: Path, schema: Schema | None, opened: Callable[[Path], Target]) -> Target:
    """The target written by `save_wrapped`; `opened` opens the inner file. A `ContractError` says what does not fit."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        kind, settings, inner = _KINDS[document["wrapper"]], dict(document["settings"]), str(document["model"])
        if document["format"] != _FORMAT or set(settings) != set(_settings(kind)):
            raise ValueError(f"its format or its settings are not those of {_FORMAT!r}")
        if "region" in settings:
            settings["region"] = _region(settings["region"])
    except (OSError, ValueError, KeyError, TypeError) as crash:
        raise ContractError(f"{path} holds no wrapped model of Temper: {crash}", fix="save it again") from crash
    if inner != Path(inner).name or inner == path.name:
        raise ContractError(f"{path} names a model outside its own folder: {inner!r}", fix="put both files in one")
    if kind in (Smoothed, Squeezed):
        if schema is None:
            raise ContractError(f"{path} needs the schema it was made with", fix="open it with that schema")
        settings["schema"] = schema
    if kind is Misled:
        settings["judge"] = open_trees(_beside(path), schema, None, None)
    target = opened(path.parent / inner)
    make = _MADE.get(kind)
    return cast(Target, make(target, **settings) if make else kind(inner=target, **settings))


def _settings(kind: type[Wrapper]) -> list[str]:
    return [f.name for f in fields(kind) if f.name not in ("inner", "schema", "fit")]


def _told(value: Any, path: Path) -> Any:
    if isinstance(value, Flat):
        save_trees(value, _beside(path))
        return _beside(path).name
    if isinstance(value, Region):
        return {f.name: np.asarray(getattr(value, f.name)).tolist() for f in fields(Region)}
    return value


def _beside(path: Path) -> Path:
    """The file of the trees that stand beside the model."""
    return path.with_suffix(f"{ENDING}.npz")


def _region(told: dict[str, Any]) -> Region:
    """The region with its arrays back; shapes that do not fit each other are refused."""
    columns = np.array(told["columns"], dtype=np.int64)
    parts = {name: np.array(told[name], dtype=np.float64) for name in ("middle", "spread", "mean", "precision")}
    n = len(columns)
    shapes = [part.shape for part in parts.values()]
    if shapes != [(n,), (n,), (n,), (n, n)] or columns.min(initial=0) < 0:
        raise ValueError(f"the detector's arrays have shapes {shapes} for {n} columns")
    return Region(columns=columns, cut=float(told["cut"]), **parts)
