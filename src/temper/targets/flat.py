"""Trees as arrays, as a target of their own: what hardening grows itself, scored, attacked, refitted and saved."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import ContractError, TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.kernels import trees
from temper.kernels.robust_trees import Growth, grown
from temper.targets import _digest, _estimator, _recipe
from temper.targets._score import shaped

_ARRAYS = ("feature", "threshold", "left", "right", "missing_left", "value", "root", "base")
_FORMAT = "temper trees 1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat:
    """Scores by walking the arrays in float64. With `growth` and `schema`, or with `fit`, it is made again on other
    rows; a file keeps the first two.
    """

    ensemble: TreeEnsemble
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    growth: Growth | None = None
    schema: Schema | None = None
    fit: Callable[[Data, Recipe], Target] | None = None

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "trees"

    @property
    def access(self) -> Access:
        """Labels, scores and trees; a refit where the settings it was grown with are known."""
        again = self.fit is not None or (self.growth is not None and self.schema is not None)
        return Access.LABELS | Access.SCORES | Access.TREES | (Access.RETRAIN if again else Access.NONE)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the arrays."""
        head = f"{self.ensemble.link} {self.ensemble.features} {self.kind.value} {self.classes}".encode()
        return _digest.of_bytes(head, *(np.ascontiguousarray(part).tobytes() for part in _parts(self).values()))

    def scores(self, x: Array) -> Array:
        """Scores (n, classes) or (n, 1)."""
        rows = np.asarray(x, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.ensemble.features:
            raise ContractError(f"the trees have {self.ensemble.features} columns, the rows are {rows.shape}")
        return shaped(trees.scores(self.ensemble, rows), self.kind, self.classes, len(rows), "the trees")

    def gradient(self, x: Array, cotangent: object) -> tuple[Array, Array]:
        """Trees have no gradients."""
        raise Unsupported("tree ensembles have no gradients", fix="use an attack that needs scores or labels")

    def trees(self) -> TreeEnsemble:
        """The arrays themselves."""
        return self.ensemble

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Made again with the same settings; `changes` are fields of `Growth`."""
        if self.fit is not None:
            return self.fit(data, recipe)
        if self.growth is None or self.schema is None:
            raise Unsupported("these trees do not say how they were grown", fix="grow them with hardening.robust_split")
        recipe = _recipe.checked(recipe, self.ensemble.features)
        if any(recipe.monotone):
            raise Unsupported("trees grown against an attacker take no monotone constraints")
        y = _estimator.truth(data, self.kind, self.classes, "the trees")
        growth = changed(self.growth, recipe)
        rng = Draws(recipe.seed, "targets.flat").generator()
        margin = self.kind is ScoreKind.MARGIN
        return replace(self, ensemble=grown(data.x, y, self.schema, growth, rng, margin=margin), growth=growth)


def changed(growth: Growth, recipe: Recipe) -> Growth:
    """The settings as the recipe wants them."""
    strength = recipe.regularise
    if strength:
        growth = replace(
            growth,
            depth=_recipe.depth(growth.depth, strength),
            rate=_recipe.rate(growth.rate, strength),
            trees=_recipe.rounds(growth.trees, strength),
            light=_recipe.weight(growth.light, strength),
        )
    known = {field.name for field in fields(Growth)}
    for name, value in recipe.changes:
        if name not in known:
            raise TemperError(f"trees have no parameter {name!r}", fix=f"use one of {', '.join(sorted(known))}")
        growth = replace(growth, **{name: value})  # type: ignore[arg-type]
    return growth


def save_trees(target: Flat, path: Path) -> None:
    """Write an .npz: the arrays of the ensemble by their names, and `about`, a JSON text.

    `about` says format, link, features, kind, classes and the growth settings (or null). Nothing in it is code; the
    same target gives the same bytes.
    """
    about = {
        "format": _FORMAT,
        "link": target.ensemble.link,
        "features": target.ensemble.features,
        "kind": target.kind.value,
        "classes": target.classes,
        "growth": asdict(target.growth) if target.growth else None,
    }
    text = np.array(json.dumps(about, sort_keys=True))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (_parts(target) | {"about": text}).items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(part), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def open_trees(path: Path, schema: Schema | None, kind: ScoreKind | None, classes: int | None) -> Flat:
    """The target written by `save_trees`; a `ContractError` says what does not fit."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            arrays = {name: stored[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as crash:
        raise ContractError(f"{path} holds no trees of Temper: {crash}", fix="save it again") from crash
    if about.get("format") != _FORMAT:
        raise ContractError(f"{path} holds {about.get('format')!r}, not {_FORMAT!r}", fix="save it again")
    ensemble = TreeEnsemble(**arrays, features=int(about["features"]), link=about["link"])
    _refuse_damage(ensemble, path)
    found = ScoreKind(about["kind"])
    if kind not in (None, found) or classes not in (None, about["classes"]):
        raise ContractError(f"{path} has {about['classes']} classes of {found.value}", fix="leave kind and classes out")
    if schema is not None and schema.columns and len(schema.columns) != ensemble.features:
        raise ContractError(f"{path} has {ensemble.features} columns, the schema has {len(schema.columns)}")
    growth = Growth(**about["growth"]) if about["growth"] else None
    return Flat(ensemble=ensemble, kind=found, classes=int(about["classes"]), growth=growth, schema=schema)


def _parts(target: Flat) -> dict[str, np.ndarray[Any, Any]]:
    return {name: getattr(target.ensemble, name) for name in _ARRAYS}


def _refuse_damage(e: TreeEnsemble, path: Path) -> None:
    """Walks are compiled and check no bounds: a node out of order would be read outside the arrays, or for ever."""
    n, here = len(e.feature), np.arange(len(e.feature))
    inner = e.feature >= 0
    sizes = {len(part) for part in (e.threshold, e.left, e.right, e.missing_left, e.value)}
    fits = sizes == {n} and e.value.ndim == 2 and e.value.shape[1] == len(e.base) and len(e.root) > 0
    fits = fits and ((e.root >= 0) & (e.root < n)).all() and (e.feature < e.features).all()
    for child in (e.left, e.right) if fits else ():
        fits = fits and (child[inner] > here[inner]).all() and (child[inner] < n).all()
    if not fits:
        raise ContractError(f"{path} holds damaged trees", fix="save it again")
