"""Is this machine able: what is installed, what is missing for which model, does everything turn."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from temper.engine.task import clock
from temper.kernels.warm import parts

_CORE = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "msgspec",
    "PyYAML",
    "rich",
    "typer",
    "jinja2",
    "altair",
)
_FIRST = (
    "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.ensemble", "altair", "vl_convert", "xgboost", "jinja2",
)  # fmt: skip
_EXTRAS = {
    "xgboost": ("xgboost-cpu", "xgboost"),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "onnx": ("onnxruntime",),
    "postgres": ("psycopg",),
    "otel": ("opentelemetry-sdk",),
    "torch": ("torch",),
    "ray": ("ray",),
    "skops": ("skops",),
    "fuzz": ("hypothesis",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Lines to print, and whether the core is whole."""

    lines: tuple[str, ...]
    healthy: bool


def examine(warm: bool = False) -> Examination:
    """Look at the interpreter, the libraries and the store; with `warm`, load what the first run would load."""
    missing = [name for name in _CORE if not _version(name)]
    lines = [
        f"temper {_version('temper-ml') or 'from source'}, Python {platform.python_version()} at {sys.executable}",
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        *(f"core  {name:<14} {_version(name) or 'MISSING'}" for name in _CORE),
        *_extras(),
    ]
    lines += _warm() if warm else ("temper doctor --warm compiles now what the first attack on trees would wait for",)
    lines.append("healthy" if not missing else f"broken: reinstall temper-ml, {', '.join(missing)} missing")
    lines.append("next: temper demo fraud, or temper init --model M --data D --target Y")
    return Examination(lines=tuple(lines), healthy=not missing)


def _extras() -> Iterator[str]:
    for extra, names in _EXTRAS.items():
        found = next((v for v in map(_version, names) if v), "")
        yield f"extra {extra:<14} {found or f'not installed: pip install temper-ml[{extra}]'}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _warm() -> Iterator[str]:
    """Page in the libraries of a first run and compile the kernels, and say how long each took."""
    started = clock()
    loaded = [name for name in _FIRST if _loaded(name)]
    yield f"warm  {'libraries':<18} {clock() - started:.1f} s ({', '.join(loaded)})"
    for name, compile_now in parts():
        started = clock()
        compile_now()
        yield f"warm  {name:<18} {clock() - started:.1f} s (compiled, or loaded where it was: kept for later runs)"


def _loaded(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
