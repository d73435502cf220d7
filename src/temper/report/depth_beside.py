"""What stands beside a measured defence: its people, attackers of several accounts, rows of a run, what was sampled."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.depth import Depth, Share
from temper.report._inert import inert

_OVERDUE = {"block": "is blocked", "allow": "goes through"}


def told(share: Share) -> str:
    """A share with its interval and what it was counted over.

    >>> told(Share(value=0.0, low=0.0, high=0.308, n=10))
    '0.0 % (0.0 % to 30.8 %, n = 10)'
    """
    return f"{part(share.value)} ({part(share.low)} to {part(share.high)}, n = {share.n:,})"


def part(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.1f} %"


def people(depth: Depth) -> Iterator[str]:
    """How well the people among the layers judge, and what hangs on that."""
    desk = depth.desk
    if desk is None:
        return
    yield f"Of the attacks they look at they let {_figure(desk.misses, desk.said[0])} pass."
    yield f"Of the honest requests they look at they refuse {_figure(desk.wrongs, desk.said[1])}."
    late = f"Of the cases {_figure(desk.lapsed, desk.said[2])} are looked at too late"
    yield f"{late}: what comes too late {_OVERDUE[desk.overdue]}." if desk.lapsed.high else f"{late}."
    open_ = "" if desk.lapsed.low == desk.lapsed.high else ", and as many cases lapse as is {} by what is measured"
    for one, word in zip(depth.erring, ("best", "worst"), strict=False):
        lapse = open_.format(word)
        yield f"If they let {part(one.misses)} of the attacks pass{lapse}, {told(one.through)} get through all layers."
        if one.refused is not None and desk.refusing[0] < desk.refusing[1]:
            yield f"If they refuse {part(one.wrongs)} of the honest requests{lapse}, {told(one.refused)} are refused."


def _figure(share: Share, said: str) -> str:
    if said == "measured":
        return f"{told(share)[:-1]}, measured)"
    return f"{part(share.value)} ({said})" if said == "configured" else "none (assumed)"


def spread(depth: Depth) -> list[tuple[str, str, str]]:
    """What gets through all layers by number of accounts of an attacker: the number, the share, its interval."""
    return [
        (f"{one.accounts:,}", part(one.through.value), f"{part(one.through.low)[:-2]} to {part(one.through.high)[:-2]}")
        for one in depth.spread
    ]


def replayed(depth: Depth) -> list[tuple[str, str, str, str, str]]:
    """Rows of a stored run: by what they were found and in which finding, how many, what gets through all layers with
    its interval, and which layers object to how many.
    """
    return [
        (
            f"{inert(one.plugin, 30)} ({inert(one.finding, 12)})",
            f"{one.n:,}",
            part(one.through.value),
            f"{part(one.through.low)[:-2]} to {part(one.through.high)[:-2]}",
            ", ".join(
                f"{inert(layer.name, 16)} {part(share)}"
                for layer, share in zip(depth.layers, one.objects, strict=True)
                if share > 0
            )
            or "none",
        )
        for one in depth.replayed
    ]


def sampled(depth: Depth) -> str:
    """How the parts were come by, "" where every set of layers was looked at."""
    if not depth.orders:
        return ""
    return (
        f"Parts come of {depth.orders:,} random orders of the {len(depth.layers)} layers, each with its reverse: the "
        f"largest standard error is {part(depth.error)}, and their intervals are wider by two of them on both sides. "
        f"{len(depth.sets):,} sets were looked at. Of sets that fail at once all of one or two layers are among them; "
        "of more, and for the smallest set that keeps the limits, some: a smaller one is not excluded."
    )
