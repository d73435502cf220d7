"""The model that comes without data: fitted on the shipped corpus when it is first wanted, then kept in a file."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from temper.core.errors import TemperError
from temper.guard.text.corpus import SHIPPED, Written, corpus
from temper.guard.text.model import Model, load_model, train

FALSE_POSITIVES = 0.005
"""The share of the corpus's benign texts that lie above the threshold while their template is left out of the fit."""


@cache
def shipped_model() -> Model:
    """The model of the shipped corpus; the first call on a machine fits it (half a minute), later ones read the file.

    The file lies in `XDG_CACHE_HOME`, or ~/.cache, under temper/; where that cannot be written, each process fits anew.
    """
    path = _place()
    try:
        return load_model(path)
    except TemperError:
        model = fitted(corpus())
    _keep(model, path)
    return model


def fitted(made: Sequence[Written], false_positives: float = FALSE_POSITIVES) -> Model:
    """A model of these texts by the shipped recipe."""
    return train(
        [one.text for one in made],
        [one.attack for one in made],
        [one.group for one in made],
        false_positives=false_positives,
        folds=4,
    )


def _place() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "temper", f"guard-text-{identity()[:16]}.npz")


def identity() -> str:
    """What the model depends on, without fitting it: corpus, code, versions."""
    import sklearn

    here = Path(__file__).parent
    parts = [SHIPPED, *(here / name for name in ("corpus.py", "features.py", "model.py", "shipped.py"))]
    seen = hashlib.sha256(f"{sklearn.__version__} {sys.version_info[:2]}".encode())
    for part in parts:
        seen.update(part.read_bytes())
    return seen.hexdigest()


def _keep(model: Model, path: Path) -> None:
    """Write beside, then move: another process never sees half a file."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(beside)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
