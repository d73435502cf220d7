"""The workbench of pictures: one is corrupted, patched or uploaded, and seen before and after."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.guard.serving.bench import Bench
from temper.guard.serving.posed import Array, Posed
from temper.kernels.png import decode, encode, side_by_side
from temper.web import assessed, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SEVERITIES = (1, 2, 3, 4, 5)
SHADES = {"black": 0.0, "grey": 0.5, "white": 1.0}
_WIDE = 480
"""Pixels that a shown picture is wide, about."""


def page(visit: Visit, start: str) -> Response:
    """A picture with what was done to it."""
    bench = visit.bench
    one, wrong = posed(visit, start)
    return visit.page(
        "picturing.html",
        **workbench.tabs(visit),
        **_seen(one, bench),
        tab="/workbench",
        system=bench.system,
        model=assessed.model(bench.system.target.digest),
        start=start,
        origin=one.origin,
        wrong=wrong,
        said_label="" if one.label is None else bench.system.classes[one.label],
        corruptions=sorted(bench.corruptions),
        severities=SEVERITIES,
        shades=sorted(SHADES),
        form={
            name: visit.form.get(name, "") for name in ("corruption", "severity", "x", "y", "size", "shade", "picture")
        },
        size=f"{bench.system.data.x.shape[3]} by {bench.system.data.x.shape[2]}",
        policy=workbench.policy(visit, bench.policy),
        **workbench.keeping(visit, bench.name),
    )


def fragment(visit: Visit) -> Response:
    """What is seen of it, by itself."""
    one, wrong = posed(visit, visit.form.get("start", ""))
    return visit.page("picturing_now.html", **_seen(one, visit.bench), wrong=wrong)


def taken(visit: Visit) -> Response:
    """A picture that somebody brings takes the place of the one on the bench; it is kept nowhere."""
    if not pictures(visit):
        raise Refused(404, "No pictures here", "This model takes no pictures.")
    if not visit.form.get("picture"):
        raise Refused(422, "This picture is not taken", "It is empty.")
    return page(visit, visit.form.get("start", ""))


def pictures(visit: Visit) -> bool:
    """Whether what is on the bench are pictures."""
    return visit.desk.bench is not None and visit.desk.bench.system.data.x.ndim == 4


def posed(visit: Visit, start: str) -> tuple[Posed, str]:
    """The picture of this start with what the form does to it, and what of that cannot be done."""
    bench, one, wrong = visit.bench, workbench.started(visit, start), ""
    row = one.row
    if brought := visit.form.get("picture", ""):
        row, one = (
            _brought(brought, bench),
            replace(one, origin=f"{one.origin}, in its place a picture that was brought"),
        )
    try:
        row = _patched(_corrupted(row, visit, bench), visit, bench)
    except ValueError as error:
        wrong = str(error)
    return replace(one, row=row), wrong


def _seen(one: Posed, bench: Bench) -> dict[str, Any]:
    low, high = _range(bench)
    base = one.row if one.base is None else one.base
    grow = max(1, _WIDE // (3 * base.shape[2]))
    shown = encode(side_by_side(base, one.row, low, high, grow))
    return workbench.of_bench(one, bench) | {"picture": b64encode(shown).decode()}


def _brought(text: str, bench: Bench) -> Array:
    """A PNG of exactly the size that the model takes; everything else is refused before it is unpacked."""
    low, high = _range(bench)
    try:
        unit = decode(b64decode(text, validate=True), bench.system.data.x.shape[1:])
    except (ValueError, binascii.Error) as error:
        said = "it cannot be read" if isinstance(error, binascii.Error) else str(error)
        raise Refused(422, "This picture is not taken", f"{said[:1].upper()}{said[1:]}.") from None
    return np.asarray(low + (high - low) * unit)


def _corrupted(row: Array, visit: Visit, bench: Bench) -> Array:
    name, severity = visit.form.get("corruption", ""), visit.form.get("severity", "3")
    if not name:
        return row
    if name not in bench.corruptions or severity not in {str(one) for one in SEVERITIES}:
        raise ValueError("There is no such corruption.")
    return np.asarray(bench.corruptions[name](row[None], int(severity))[0], dtype=np.float64)


def _patched(row: Array, visit: Visit, bench: Bench) -> Array:
    """A square of one shade on it, where a size is given."""
    if not visit.form.get("size", "").strip():
        return row
    x, y, size = (_whole(visit.form.get(name, "0")) for name in ("x", "y", "size"))
    shade, (low, high) = SHADES.get(visit.form.get("shade", "grey"), 0.5), _range(bench)
    out = row.copy()
    out[:, y : y + size, x : x + size] = low + (high - low) * shade
    return out


def _whole(text: str) -> int:
    text = text.strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ValueError("A patch lies at whole numbers of pixels.")
    return int(text)


def _range(bench: Bench) -> tuple[float, float]:
    schema = bench.system.schema
    return (schema.low, schema.high) if np.isfinite([schema.low, schema.high]).all() else (0.0, 1.0)
