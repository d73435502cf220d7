"""Measurements of Temper itself: `python -m bench` runs all of them, `python -m bench.oracle` one."""

import os

# Before any numeric library is loaded: one thread, so that a ratio compares code and not the scheduler.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
