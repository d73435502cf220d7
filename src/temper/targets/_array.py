"""NumPy arrays and torch tensors by the same words; torch is imported only where a tensor came in."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Array

Rows = np.ndarray[Any, Any]


def to_numpy(values: Array) -> Rows:
    """The values as a NumPy array, fetched from their device."""
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()


def moved(x: Array, x0: Array) -> Rows:
    """Which candidates are not the clean row itself: no attack has been made with that, however it is judged."""
    changed = (x != x0) & ~((x != x) & (x0 != x0))
    return to_numpy(changed.reshape((len(changed), -1)).any(1))


def locked(values: Array) -> Array:
    """A read-only view of the oracle's own memory; a tensor has none and is copied."""
    if not isinstance(values, np.ndarray):
        return values.clone()
    view = values.view()
    view.flags.writeable = False
    return view


def copied(values: Array) -> Array:
    """A copy that shares no memory."""
    return values.copy() if isinstance(values, np.ndarray) else values.clone()


def like(values: Any, model: Array) -> Array:
    """`values` in the namespace and on the device of `model`."""
    if isinstance(model, np.ndarray) or not isinstance(values, np.ndarray):
        return values
    import torch

    dtype = model.dtype if values.dtype.kind == "f" else None
    return torch.as_tensor(values, device=model.device, dtype=dtype)


def finite(values: Array) -> Array:
    """Where the values are neither NaN nor infinite."""
    return np.isfinite(values) if isinstance(values, np.ndarray) else values.isfinite()


def picked(values: Array, index: Rows) -> Array:
    """Rows of the values by rising positions; all of them are the values themselves."""
    if len(index) == len(values) and (index[1:] > index[:-1]).all():
        return values
    if isinstance(values, np.ndarray):
        return values[index]
    import torch

    return values.index_select(0, torch.as_tensor(index, device=values.device))


def unknown(x: Array) -> Array:
    """NaN in the shape of `x`, for a slope nobody knows; texts have none and stay as they are."""
    return x if isinstance(x, np.ndarray) and x.dtype == object else x * float("nan")


def stacked(parts: list[Array]) -> Array:
    """The parts one below the other."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import torch

    return torch.cat(parts)


def spread(values: Array, mask: Rows) -> Array:
    """Put the rows of `values` where `mask` is true, NaN elsewhere."""
    if mask.all():
        return values
    if isinstance(values, np.ndarray):
        full: Array = np.full((len(mask), *values.shape[1:]), np.nan, dtype=values.dtype)
    else:
        full = values.new_full((len(mask), *values.shape[1:]), float("nan"))
    full[mask] = values
    return full
