"""What robustness costs is drawn with every defence that was tried, the ones that hurt included."""

from __future__ import annotations

from temper.core.defence import Effect
from temper.report.tradeoff import tradeoff


def effects(name: str, evading: float, auc: float) -> tuple[Effect, ...]:
    """A defence that leaves this share of rows evading, from 63 %, at this AUC, from .96."""
    return tuple(
        Effect(
            defence=name,
            metric=metric,
            before=before,
            after=after,
            difference=after - before,
            low=low,
            high=high,
            n=100,
        )
        for metric, before, after, low, high in (
            ("evasion.any.success_rate", 0.63, evading, evading - 0.73, evading - 0.53),
            ("auc", 0.96, auc, auc - 0.964, auc - 0.956),
        )
    )


TRIED = (*effects("augment", 0.35, 0.95), *effects("worse", 0.7, 0.94), *effects("regularise", 0.5, 0.958))


def test_every_defence_is_a_numbered_point_beside_the_model_as_it_is() -> None:
    (chart,) = tradeoff(TRIED, "augment")
    assert chart.title == "Trade-off: rows that hold against clean AUC"
    assert "0: as it is; 1: augment; 2: worse; 3: regularise." in chart.caption
    assert "Taken: augment." in chart.caption
    assert "n = " not in chart.caption
    assert "100 attacked rows" in chart.caption
    assert chart.svg.startswith("<svg")


def test_where_none_is_taken_the_chart_says_so() -> None:
    assert "None was taken." in tradeoff(TRIED)[0].caption


def test_one_defence_alone_is_no_trade_off() -> None:
    assert tradeoff(effects("augment", 0.35, 0.95), "augment") == []


def test_names_from_outside_cannot_act() -> None:
    (chart,) = tradeoff((*effects("<script>\x1b[31m", 0.4, 0.95), *TRIED), "augment")
    assert "\x1b" not in chart.caption
    assert "<script" not in chart.svg
