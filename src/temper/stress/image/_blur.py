"""Kernels of blurs, and pictures seen through them."""

from __future__ import annotations

import math

import numpy as np

from temper.core.data import Array

_FEW = 25  # taps of a kernel that are added one by one; more of them go through a Fourier transform
_NONE = 1e-9


def disk(radius: float, smooth: float) -> Array:
    """A disk of this radius, smoothed by a small Gaussian; it sums to one."""
    from scipy.ndimage import correlate

    reach = 8 if radius <= 8 else int(radius)
    line = np.arange(-reach, reach + 1)
    flat = ((line[:, None] ** 2 + line[None, :] ** 2) <= radius**2).astype(np.float64)
    soft = _bell(3 if radius <= 8 else 5, smooth)
    return _trimmed(correlate(flat / flat.sum(), np.outer(soft, soft), mode="mirror"))


def filtered(unit: Array, kernel: Array) -> Array:
    """Every channel seen through a square kernel of odd size; beyond the border the picture is mirrored."""
    reach = kernel.shape[0] // 2
    wide = _mirrored(unit, reach)
    high, long = unit.shape[2:]
    if (kernel > _NONE).sum() > _FEW:
        return _by_fourier(wide, kernel)[..., :high, :long]
    out = np.zeros_like(unit)
    for i, j in zip(*np.nonzero(kernel > _NONE), strict=True):
        out += np.float32(kernel[i, j]) * wide[..., i : i + high, j : j + long]
    return out


def smeared(unit: Array, weights: Array, angles: Array) -> Array:
    """Each picture added up along a line of its own angle (degrees), pixel by pixel with these weights.

    The border is repeated.
    """
    n, _, high, wide = unit.shape
    out = np.zeros_like(unit)
    reach = len(weights)
    padded = np.pad(unit, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    for at in range(n):
        turn = math.radians(angles[at])
        for step, weight in enumerate(np.asarray(weights, dtype=np.float32)):
            top = reach + math.ceil(step * math.sin(turn) - 0.5)
            left = reach + math.ceil(step * math.cos(turn) - 0.5)
            out[at] += weight * padded[at, :, top : top + high, left : left + wide]
    return out


def half_bell(radius: int, sigma: float) -> Array:
    """The weights of a motion that fades: one side of a Gaussian, 2 * radius + 1 steps long, summing to one."""
    line = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    return np.asarray(line / line.sum())


def softened(unit: Array, sigma: float) -> Array:
    """Pictures through a Gaussian of this many pixels; the border is repeated."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(unit, sigma, mode="nearest", axes=(-2, -1)))


def _bell(taps: int, sigma: float) -> Array:
    line = np.exp(-((np.arange(taps) - taps // 2) ** 2) / (2 * sigma**2))
    return np.asarray(line / line.sum())


def _trimmed(kernel: Array) -> Array:
    """The kernel without a border of nothing."""
    far = np.abs(np.argwhere(kernel > _NONE) - kernel.shape[0] // 2).max()
    middle = kernel.shape[0] // 2
    return kernel[middle - far : middle + far + 1, middle - far : middle + far + 1]


def _mirrored(unit: Array, reach: int) -> Array:
    """Padded by mirroring about the border pixels; a picture smaller than the reach is mirrored again and again."""
    return np.pad(unit, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")


def _by_fourier(wide: Array, kernel: Array) -> Array:
    from scipy import fft

    size = [fft.next_fast_len(length, real=True) for length in wide.shape[2:]]
    turned = fft.rfft2(wide, size, axes=(-2, -1)) * np.conj(fft.rfft2(kernel.astype(np.float32), size))
    return np.asarray(fft.irfft2(turned, size, axes=(-2, -1)))
