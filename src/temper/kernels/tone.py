"""Light and colour of images as maps of single pixels, for any array namespace."""

from __future__ import annotations

from typing import Any

from temper.core.data import Array


def toned(x: Array, low: float, high: float, brightness: Array, contrast: Array, curve: Array | None = None) -> Array:
    """Brighter by a share of the range, contrast about its middle, and a tone curve: shifts (n, knots) in between."""
    xp, width = _namespace(x), high - low
    unit = (x - low) / width
    move = _tall(brightness, x) + _tall(contrast, x) * (unit - 0.5)
    last = 0 if curve is None else curve.shape[1] - 1
    for knot in range(last + 1 if curve is not None else 0):
        move = move + _tall(curve[:, knot], x) * xp.clip(1 - xp.abs(unit * last - knot), 0, None)  # type: ignore[index]
    return xp.clip(x + width * move, low, high)


def tinted(x: Array, hue: Array, saturation: Array) -> Array:
    """Colours (n, 3, h, w) turned by `hue` radians and strengthened by `saturation`; the light (Y of YIQ) stays."""
    xp = _namespace(x)
    red, green, blue = x[:, 0], x[:, 1], x[:, 2]
    warm = 0.596 * red - 0.274 * green - 0.322 * blue
    cool = 0.211 * red - 0.523 * green + 0.312 * blue
    strength = 1 + saturation[:, None, None]
    cos, sin = strength * xp.cos(hue)[:, None, None], strength * xp.sin(hue)[:, None, None]
    to_warm, to_cool = (cos - 1) * warm - sin * cool, sin * warm + (cos - 1) * cool
    weights = ((0.956, 0.621), (-0.272, -0.647), (-1.106, 1.703))
    moved = [x[:, at] + a * to_warm + b * to_cool for at, (a, b) in enumerate(weights)]
    return xp.stack(moved, axis=1)


def _tall(values: Array, x: Array) -> Array:
    return values.reshape((-1,) + (1,) * (len(x.shape) - 1))


def _namespace(x: Array) -> Any:
    from array_api_compat import array_namespace

    return array_namespace(x)
