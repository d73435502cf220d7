"""What all corruptions of pictures, or of texts, say together: their mean, the worst of them, the corruption error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from temper.core.measure import Better, Curve, Measurement, Point, Status

COMMON = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic", "pixelate", "jpeg"),
)
"""The fifteen corruptions of ImageNet-C and CIFAR-10-C, over which the mean corruption error is taken."""
_ENDS = "ends: means of the single ends, which hold however the corruptions are related"


def means(measured: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The summaries of `stress.image` and of `stress.text`, of each as far as two of its corruptions were measured."""
    found: list[Measurement] = []
    for family in ("stress.image", "stress.text"):
        losses = [m for m in measured if m.plugin.startswith(f"{family}.") and m.metric == "loss"]
        curved = [m for m in losses if m.status is Status.OK and m.curve is not None]
        if len(curved) > 1:
            broken = [m.plugin for m in losses if m.status is Status.ERROR]
            found += [_mean(family, curved, broken), _worst(family, curved), *_error(family, curved)]
    return tuple(found)


def _mean(family: str, losses: Sequence[Measurement], broken: Sequence[str]) -> Measurement:
    """The drop over all corruptions and severities; where the model failed on one, it is no figure but an error."""
    curve = _averaged(losses)
    return _figure(
        f"{family}.mean_loss",
        losses,
        _over(curve.points[1:]),
        curve=curve,
        status=Status.ERROR if broken else Status.OK,
        reason=f"the model stops working under {', '.join(broken)}" if broken else "",
        caveats=(f"mean of {len(losses)} corruptions at severities 1 to 5",),
        baseline=losses[0].baseline,
    )


def _worst(family: str, losses: Sequence[Measurement]) -> Measurement:
    """The corruption with the largest mean drop, and the next four beside it."""
    ranked = sorted(losses, key=lambda m: -_over(_points(m))[0])
    first = ranked[0]
    return _figure(
        f"{family}.worst_loss",
        [first],
        _over(_points(first)),
        slice=f"corruption:{_short(first)}",
        caveats=(f"mean of severities 1 to 5; the largest of {len(losses)}, chosen on the same rows",),
        baseline=tuple((_short(m), _over(_points(m))[0]) for m in ranked[1:5]),
    )


def _error(family: str, losses: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The share of wrong answers over the fifteen common corruptions, where all were measured and answers are classes.

    Source: Hendrycks & Dietterich, 2019, but not divided by the errors of AlexNet.
    """
    common = [m for m in losses if _short(m) in COMMON]
    clean = dict(losses[0].baseline).get("clean accuracy")
    if len(common) < len(COMMON) or clean is None:
        return ()
    value, low, high = _over(_averaged(common).points[1:])
    return (
        _figure(
            f"{family}.mean_corruption_error",
            common,
            (1 - clean + value, 1 - clean + low, 1 - clean + high),
            unit="share of wrong answers",
            caveats=("not divided by the errors of AlexNet, as the published figure is",),
            baseline=(("clean error", 1 - clean),),
        ),
    )


def _figure(name: str, losses: Sequence[Measurement], ends: tuple[float, float, float], **more: object) -> Measurement:
    plugin, _, metric = name.rpartition(".")
    first = losses[0]
    usual: dict[str, object] = {
        "unit": first.unit,
        "better": Better.LOWER,
        "method": f"{first.curve.unit if first.curve else ''} averaged; {_ENDS}",
        "simulated": first.simulated,
        "n": first.n,
    }
    value, low, high = ends
    given: dict[str, object] = usual | more
    make: Callable[..., Measurement] = Measurement
    return make(plugin=plugin, metric=metric, value=value, low=low, high=high, **given)


def _averaged(losses: Sequence[Measurement]) -> Curve:
    """The mean curve over corruptions."""
    rows = zip(*(_points(m) for m in losses), strict=True)
    start = Point(at=0, value=0.0, low=0.0, high=0.0, n=losses[0].n)
    points = tuple(
        Point(at=row[0].at, value=value, low=low, high=high, n=row[0].n)
        for row in rows
        for value, low, high in [_over(row)]
    )
    return Curve(name="all corruptions: loss", axis="severity", unit=losses[0].unit, points=(start, *points))


def _points(m: Measurement) -> tuple[Point, ...]:
    """The curve without severity 0, which is no corruption."""
    return tuple(point for point in (m.curve.points if m.curve else ()) if point.at > 0)


def _over(points: Sequence[Point]) -> tuple[float, float, float]:
    """Mean value, mean lower and mean upper end."""
    return fmean(p.value for p in points), fmean(p.low for p in points), fmean(p.high for p in points)


def _short(m: Measurement) -> str:
    return m.plugin.rpartition(".")[2]
