"""Write a target's model in its framework's own inert format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temper.core.errors import TemperError, Unsupported
from temper.core.target import Access, Target
from temper.targets._flipped import Flipped
from temper.targets._wrapper import Wrapper


def save(target: Target, folder: Path, *, turned: bool = False) -> Path:
    """Write the model into `folder` and give the path; scikit-learn models as skops, never as a pickle.

    A torch module is written as TorchScript, which loads again without its Python class; a wrapped model as a document
    beside the inner model's file. `turned`: whoever opens the file turns class 0 and 1 round, so it is written so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if turned:
        target = target.inner if isinstance(target, Flipped) else Flipped(inner=target)
    return _saved(target, folder, "model")


def _saved(target: Target, folder: Path, stem: str) -> Path:
    held: Any = target
    if isinstance(target, Wrapper):
        from temper.targets.wrapped_file import ENDING, save_wrapped

        inner, path = _saved(target.inner, folder, f"{stem}-inner"), folder / f"{stem}{ENDING}"
        save_wrapped(target, path, inner)
        return path
    if target.name == "xgboost":
        return _written(held.booster.save_model, folder / f"{stem}.ubj")
    if target.name == "lightgbm":
        return _written(held.booster.save_model, folder / f"{stem}.txt")
    if target.name == "catboost":
        return _written(held.model.save_model, folder / f"{stem}.cbm")
    if target.name == "sklearn":
        return _skops(held.model, folder / f"{stem}.skops")
    if target.name == "torch":
        return _program(held, folder, stem)
    if target.name == "trees":
        from temper.targets.flat import save_trees

        return _written(lambda path: save_trees(held, Path(path)), folder / f"{stem}.npz")
    if target.name == "averaged" and Access.TREES in target.access:
        from temper.targets.flat import Flat

        return _saved(Flat(ensemble=held.trees(), kind=target.kind, classes=target.classes), folder, stem)
    raise Unsupported(
        f"a {target.name} model cannot be written back to a file", fix="keep the hardened target in Python"
    )


def _written(write: Any, path: Path) -> Path:
    write(str(path))
    return path


def _program(held: Any, folder: Path, stem: str) -> Path:
    """What a stored program already is, else the module scripted."""
    exported = b"archive_format" in held.stored
    path = folder / f"{stem}.pt{'2' if exported else ''}"
    path.write_bytes(held.stored or _scripted(held.model))
    return path


def _scripted(model: Any) -> bytes:
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated, its files are not gone
        try:
            return bytes(torch.jit.script(model).save_to_buffer())
        except Exception as crash:  # whatever the compiler meets in the user's own code
            fix = "save the module yourself with torch.jit.save or torch.export.save"
            raise Unsupported(
                f"the module cannot be written as TorchScript: {type(crash).__name__}", fix=fix
            ) from crash


def _skops(model: Any, path: Path) -> Path:
    try:
        from skops.io import dump
    except ImportError:
        fix = "pip install 'temper-ml[skops]'"
        raise TemperError("writing a scikit-learn model takes skops, which is not installed", fix=fix) from None
    dump(model, path)
    return path
