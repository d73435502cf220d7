"""Write a target's model in its framework's own inert format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.errors import TemperError, Unsupported
from temper.core.target import Target


def save(target: Target, folder: Path) -> Path:
    """Write the model into `folder` and give the path; scikit-learn models as skops, never as a pickle."""
    held: Any = target
    folder.mkdir(parents=True, exist_ok=True)
    if target.name == "xgboost":
        return _written(held.booster.save_model, folder / "model.ubj")
    if target.name == "lightgbm":
        return _written(held.booster.save_model, folder / "model.txt")
    if target.name == "catboost":
        return _written(held.model.save_model, folder / "model.cbm")
    if target.name == "scikit-learn":
        return _skops(held.model, folder / "model.skops")
    raise Unsupported(f"a {target.name} model cannot be written back to a file")


def _written(write: Any, path: Path) -> Path:
    write(str(path))
    return path


def _skops(model: Any, path: Path) -> Path:
    try:
        from skops.io import dump
    except ImportError:
        fix = "pip install 'temper-ml[skops]'"
        raise TemperError("writing a scikit-learn model takes skops, which is not installed", fix=fix) from None
    dump(model, path)
    return path
