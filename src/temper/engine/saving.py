"""A hardened system as a folder: the model, its temper.yaml, and the training rows where some were left out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temper.config.kept import write_kept
from temper.config.rewrite import rewritten
from temper.core.system import Protected
from temper.engine.harden import Hardened
from temper.targets._flipped import Flipped
from temper.targets.save import save


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
