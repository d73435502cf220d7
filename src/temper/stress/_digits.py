"""Powers of ten and places of digits, from a table: exact, and quicker than to compute them."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST = 330  # beyond what a 64-bit number can hold
_TENS = np.array([float(f"1e{power}") for power in range(-_MOST, _MOST + 1)])


def decades(size: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The power of ten of the first digit of sizes: 2 for 123.4; 0 for zero, infinity and missing values."""
    known = np.where((size > 0) & (size < np.inf), size, 1.0)
    found: np.ndarray[Any, Any] = np.floor(np.log10(known)).astype(np.int64)
    return found


def tens(powers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Ten to these whole numbers; 0 or infinity beyond what a number can hold."""
    return _TENS.take(powers + _MOST, mode="clip")
