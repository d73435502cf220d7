"""What every test can ask for: the real data sets, and the same numbers on every run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from databases import cluster, place

__all__ = ["cluster", "place"]  # a PostgreSQL server, and where a control store may be

ROOT = Path(__file__).parents[1]

# Before any numeric library is loaded (none is above): the test workers share the cores already.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

settings.register_profile(
    "temper",
    derandomize=True,  # a red test stays red until it is mended
    deadline=None,  # the first call of a compiled kernel is slow, and so is a shared machine
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("temper")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets: TEMPER_DATA, else ../shared/data beside the checkout; absent, the test skips."""
    folder = Path(os.environ.get("TEMPER_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TEMPER_DATA to the folder that holds it")
    return folder
