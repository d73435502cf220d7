"""What every test can ask for: the real data sets, and the same numbers on every run."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from databases import cluster, place

__all__ = ["cluster", "place"]  # a PostgreSQL server, and where a control store may be

ROOT = Path(__file__).parents[1]

# Before any numeric library is loaded (none is above): the test workers share the cores already.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Temporary folders lie in memory: stores and ledgers wait for their disk after every line, thousands of times in all.
# A kill is no power cut, and the tests of power cuts count what had reached the disk by themselves.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

settings.register_profile(
    "temper",
    derandomize=True,  # a red test stays red until it is mended
    deadline=None,  # the first call of a compiled kernel is slow, and so is a shared machine
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("temper")


def pytest_collection_finish() -> None:
    """The garbage collector need not go through what stays to the end: eleven thousand tests and every library."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets: TEMPER_DATA, else ../shared/data beside the checkout; absent, the test skips."""
    folder = Path(os.environ.get("TEMPER_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TEMPER_DATA to the folder that holds it")
    return folder
