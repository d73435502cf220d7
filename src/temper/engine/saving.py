"""A hardened system as a folder: the model, its temper.yaml, and the training rows where some were left out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from temper.config.kept import write_kept
from temper.config.rewrite import rewritten
from temper.core.errors import TemperError
from temper.core.event import Event, Listener
from temper.core.system import Protected
from temper.core.target import Target
from temper.engine.harden import Hardened
from temper.targets._array import to_numpy
from temper.targets._flipped import Flipped
from temper.targets.load import open_target
from temper.targets.save import save


def as_saved(system: Protected, results: Sequence[Hardened], listener: Listener) -> Protected:
    """The system with its model as it opens from the file that `saved` writes, so that what is assessed carries the
    digest of what will be deployed. Where a file does not bring back the same model, it stays and the listener is told.
    """
    try:
        opened = _reopened(system, turned=isinstance(results[0].was, Flipped))
        apart = _apart(system, opened)
    except TemperError as reason:
        apart = reason.message
    if apart:
        words = f"assessed as it is in memory, so a file of it is to be assessed again: {apart}"
        listener(Event(kind="note", message=words))
        return system
    return replace(system, target=opened)


def _reopened(system: Protected, *, turned: bool) -> Target:
    """The model written to a file and read from it, as a temper.yaml would have it opened."""
    known: dict[str, Any] = {"kind": system.target.kind, "classes": system.target.classes}
    with TemporaryDirectory() as folder:
        path = save(system.target, Path(folder), turned=turned)
        opened: Target = open_target(
            path,
            schema=system.schema,
            stochastic=system.target.stochastic,
            positive=0 if turned else 1,
            **known,
        )
        return opened


def _apart(system: Protected, opened: Target) -> str:
    """In what the opened model is another one than the system's, "" where it is the same."""
    was = system.target
    if opened.access != was.access:
        return "its file offers another access than the model in memory"
    x = system.data.x
    same = np.array_equal(to_numpy(was.scores(x)), to_numpy(opened.scores(x))) or was.stochastic
    return "" if same else "its file answers otherwise than the model in memory"


def saved(system: Protected, results: Sequence[Hardened], folder: Path) -> Path:
    """Write the system that hardening has left into `folder`; the path of its temper.yaml."""
    import yaml

    source = Path(system.source)
    model = save(system.target, folder, turned=isinstance(results[0].was, Flipped))
    answers: dict[tuple[str, str], Any] = {("model", "path"): model.name}
    if system.threshold is not None:
        answers["model", "threshold"] = system.threshold
    text = source.read_text(encoding="utf-8")
    written = yaml.safe_load(text)
    answers |= _moved_paths(written["data"], source.parent, folder)
    answers |= _kept_rows(system, results, written["data"], source.parent, folder)
    # The old model's signature says nothing of the new one: it is signed anew, or refused.
    answers |= {("model", key): None for key in ("manifest", "public_key") if key in written["model"]}
    path = folder / "temper.yaml"
    path.write_text(rewritten(text, answers), encoding="utf-8")
    return path


def _moved_paths(data: dict[str, Any], old: Path, new: Path) -> dict[tuple[str, str], Any]:
    """The data files of a temper.yaml as seen from another folder."""
    named = {key: data[key] for key in ("test", "train", "accepted", "history") if data.get(key)}
    return {("data", key): os.path.relpath((old / value).resolve(), new.resolve()) for key, value in named.items()}


def _kept_rows(
    system: Protected, results: Sequence[Hardened], data: dict[str, Any], old: Path, folder: Path
) -> dict[tuple[str, str], Any]:
    """The training table without the rows that a defence has left out, where one has."""
    if not any(result.chosen is not None and result.chosen.train is not None for result in results):
        return {}
    ids = () if system.train is None else system.train.ids
    return {("data", "train"): write_kept(old / data["train"], data.get("id", ""), ids, folder).name}
