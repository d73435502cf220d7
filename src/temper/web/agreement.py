"""How far reviewers agree, whether they find what is planted, and whether they follow a score that misleads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from temper.store.control.agreement import FEW, Kappa, Reader, Share
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SHOWN = 20
NONE = "–"


def show(visit: Visit) -> Response:
    """The whole page."""
    found = visit.control.reviews.agreement()
    return visit.page(
        "agreement.html",
        share=_percent(visit.control.exercises.share()),
        waiting=found.waiting,
        whole=kappa(found.whole),
        pairs=[{"one": pair.one, "two": pair.two} | kappa(pair.kappa) for pair in found.pairs],
        readers=[_reader(one) for one in (found.everybody, *found.people)] if found.people else [],
        bias=_bias(found.everybody),
        differing=found.differing[:SHOWN],
        more=max(0, len(found.differing) - SHOWN),
        few=FEW,
    )


def kappa(kappa: Kappa) -> dict[str, Any]:
    """A kappa as figure, in words, and as a bar from -0.2 to 1 on 120 units."""
    known, few = not math.isnan(kappa.low), kappa.agreed.n < FEW
    low, high = (_place(kappa.low), _place(kappa.high)) if known else (0.0, 0.0)
    return {
        "value": NONE if few or math.isnan(kappa.value) else f"{kappa.value:.2f}",
        "interval": f"{kappa.low:.2f} to {kappa.high:.2f}" if known else "too few" if few else "none: all agree",
        "agreed": _share(kappa.agreed),
        "n": kappa.agreed.n,
        "known": known,
        "low": low,
        "width": max(2.0, high - low),
        "at": 0.0 if math.isnan(kappa.value) else _place(kappa.value),
    }


def _place(kappa: float) -> float:
    """Where a kappa stands on a bar of 120 units.

    >>> _place(-0.2), _place(0.4), _place(1.0), _place(-1.0)
    (4.0, 60.0, 116.0, 4.0)
    """
    return round(4 + 112 * (max(kappa, -0.2) + 0.2) / 1.2, 1)


def _reader(reader: Reader) -> dict[str, Any]:
    return {
        "name": reader.name or "everybody",
        "all": not reader.name,
        "right": _share(reader.right),
        "followed": _share(reader.followed),
        "strayed": _share(reader.strayed),
    }


def _bias(reader: Reader) -> str:
    """What the planted cases say of automation bias, in one sentence."""
    value, low, high = reader.bias
    if math.isnan(value):
        return "Nothing is known of it yet: it takes answers to scores that mislead and to scores that do not."
    told = f"{100 * value:+.0f} points, 95 % interval {100 * low:+.0f} to {100 * high:+.0f}"
    if low > 0:
        return f"People follow the score: they are wrong more often where it misleads ({told})."
    if high < 0:
        return f"People go against the score: they are wrong more often where it is right ({told})."
    return f"Not decided: the interval holds 0, so more cases are needed to tell ({told})."


def _share(share: Share) -> dict[str, str]:
    if not share.n:
        return {"count": NONE, "interval": ""}
    interval = f"{_percent(share.low)} to {_percent(share.high)}"
    return {"count": f"{share.count} of {share.n}", "interval": interval}


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if 100 * share < 1 else f"{100 * share:.0f} %"
