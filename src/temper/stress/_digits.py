"""Powers of ten and places of digits, from a table: exact, and quicker than to compute them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_MOST = 330  # beyond what a 64-bit number can hold
_LEAST = 1074  # a 64-bit number is at least 2 to the minus this
_DECADES = np.array([math.floor((power - 1) * math.log10(2)) for power in range(-_LEAST, 1026)])
_TENS = np.array([float(f"1e{power}") for power in range(-_MOST, _MOST + 1)])


def decades(size: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The power of ten of the first digit of sizes: 2 for 123.4; whatever it is for zero, infinity and NaN is finite.

    The power of two leaves two candidates.
    """
    near = _DECADES.take(np.frexp(size)[1] + _LEAST)
    found: np.ndarray[Any, Any] = near + (size >= tens(near + 1))
    return found


def tens(powers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Ten to these whole numbers; 0 or infinity beyond what a number can hold."""
    return _TENS.take(powers + _MOST, mode="clip")
