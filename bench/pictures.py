"""Draw the charts of the pages on defence in depth, red teaming and resilience from real runs, and print their figures.

    python -m bench.pictures [layers] [campaign] [drill]

Writes docs/pictures. `layers`: a guarded model on REAL rows of credit default (TEMPER_DATA); `campaign` and `drill`:
the fraud demo, SIMULATED. Two minutes in all; a drill wants a quiet machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.table import machine
from temper.report.charts import Chart

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
_DRILL, _SECONDS, _RATE = "primary-down", 40.0, 200.0


def main(words: list[str]) -> int:
    """Draw what is named, everything by default."""
    wanted = [word for word in words if not word.startswith("-")] or list(DRAWN)
    print(machine("numpy", "xgboost-cpu"), flush=True)
    for name in wanted:
        with tempfile.TemporaryDirectory() as place:
            for part, chart in DRAWN[name](Path(place) / name):
                path = FOLDER / f"{name}{part}.svg"
                path.write_text(_on_paper(chart.svg), encoding="utf-8")
                print(f"{path.relative_to(FOLDER.parents[1])}: {chart.title}. {chart.caption}", flush=True)
    return 0


def _layers(place: Path) -> Iterator[tuple[str, Chart]]:
    import temper
    from bench.layers.adaptive import credit
    from temper.report.depth_charts import streams

    path = credit(place)
    if path is None:
        raise SystemExit("layers are drawn on real rows: name their folder by TEMPER_DATA")
    depth = temper.weigh(temper.load(path), "standard", attacks=["evasion.coordinate"]).depth
    yield from zip(("-unknowing", "-knowing", "-honest"), streams(depth), strict=True)


def _campaign(place: Path) -> Iterator[tuple[str, Chart]]:
    import temper
    from temper.demos.serving import prepared
    from temper.report.campaign_chart import timeline

    record = temper.redteam(temper.load(prepared(place)), purple=True).record
    assert record.campaign is not None
    for one in record.campaign.objectives:
        print(f"{one.words}: {one.value:,.0f} of {one.goal:,.0f}, after {one.queries:,} queries")
    yield "", timeline(record.campaign)


def _drill(place: Path) -> Iterator[tuple[str, Chart]]:
    from temper.demos.serving import prepared
    from temper.engine.drill.gameday import everything, game_day
    from temper.engine.drill.terms import Load
    from temper.report.gameday import timeline

    load = Load(rate=_RATE, seconds=_SECONDS)
    (one,) = game_day(prepared(place), everything(load, [_DRILL]), lambda line: None).rehearsals
    why = "; ".join(one.reasons)
    print(f"{_DRILL} at {_RATE:g} a second: {one.verdict.name} {why}; {one.figures}")
    yield "", timeline(one)


def _on_paper(svg: str) -> str:
    """On white, so that it can be read on a dark page."""
    head, _, rest = svg.partition(">")
    return f'{head}><rect width="100%" height="100%" fill="#fff"/>{rest}\n'


DRAWN: dict[str, Callable[[Path], Iterator[tuple[str, Chart]]]] = {
    "layers": _layers,
    "campaign": _campaign,
    "drill": _drill,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
