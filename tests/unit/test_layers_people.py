"""People among the layers: what they miss, refuse and come too late for; measured, written or assumed."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from temper import api
from temper.config.serving import Serving
from temper.core.depth import Desk, Limits, Share
from temper.core.errors import ConfigError, TemperError
from temper.core.layers import Attempts
from temper.core.requirement import Verdict
from temper.core.serving import Mode
from temper.core.stage import Level
from temper.engine.layers.attempting import Attackers
from temper.engine.layers.desk import agreement_of, desk_of
from temper.engine.layers.run import Order, _key
from temper.engine.layers.waged import depth_of_campaign
from temper.engine.layers.weigh import Terms, weighed
from temper.guard.serving import parts
from temper.kernels.patience import lapsing
from temper.report.depth import render, show

NAMES = ("door", "grey", "people", "model")


def _exactly(value: float) -> Share:
    return Share(value=value, low=value, high=value, n=0)


def _desk(misses=0.2, wrongs=0.1, lapsed=0.0, overdue="block", **more) -> Desk:
    shares = {"misses": _exactly(misses), "wrongs": _exactly(wrongs), "lapsed": _exactly(lapsed)}
    return Desk(**shares | more, overdue=overdue)


def _attempts(desk: Desk, attacks: int = 40, honest: int = 100) -> Attempts:
    """Of four attacks the door stops one, grey hands on two, of which the model would stop one, and one gets through;
    of ten honest requests grey hands on two and the model stops one more.
    """
    n = attacks + honest
    stops, asks, at = np.zeros((n, 4), dtype=bool), np.zeros((n, 4), dtype=bool), np.arange(n)
    bad = at < attacks
    stops[:, 0] = bad & (at % 4 == 0)
    asks[:, 1] = (bad & (at % 4 < 3)) | (~bad & (at % 10 < 2))
    stops[:, 3] = (bad & (at % 4 == 1)) | (~bad & (at % 10 == 2))
    looked = np.where(bad, 1.0 - desk.through(desk.misses.value), desk.refuses)
    return Attempts(layers=NAMES, stops=stops, asks=asks, worth=np.ones(n), actor=at, honest=~bad, looked=looked)


def test_what_people_are_asked_about_they_decide_and_not_the_model():
    one = _attempts(_desk())
    assert one.passed(NAMES)[:4].tolist() == pytest.approx([0.0, 0.2, 0.2, 1.0])
    assert one.passed(["grey", "model"])[:4].tolist() == [1, 0, 1, 1]  # nobody looks, so what is handed on goes on
    assert one.passed(["grey", "people"])[:4].tolist() == pytest.approx([0.2, 0.2, 0.2, 1.0])
    first, asked = one.met(NAMES)
    assert first[:4].tolist() == [0, 2, 2, -1]
    assert asked[:4].tolist() == [False, True, True, False]
    assert one.of(one.honest).looked.tolist() == [pytest.approx(0.1)] * 100
    both = one.of(one.honest).beside(one.of(~one.honest))
    assert len(both.looked) == 140
    with pytest.raises(TemperError, match="people are a layer"):
        replace(one, looked=None)


def test_people_are_worth_what_they_share_with_whoever_hands_on():
    found = weighed(_attempts(_desk()), terms=Terms(desk=_desk()))
    assert found.fixed.value == pytest.approx((0.2 + 0.2 + 1.0) / 4)
    assert found.unattended.value == pytest.approx(2 / 4)
    named = {one.name: one.fixed for one in found.layers}
    assert named["people"].alone.value == named["grey"].alone.value == 0.0
    assert named["people"].margin.value == pytest.approx(found.unattended.value - found.fixed.value)
    assert sum(one.part.value for one in named.values()) == pytest.approx(1 - found.fixed.value)
    assert found.refused.value == pytest.approx(0.1 + 0.2 * 0.1)
    assert found.refused.low < 0.12 < found.refused.high
    assert found.asked.value == pytest.approx(0.2)
    people = next(one for one in found.layers if one.name == "people")
    assert (people.refused.value, people.asked.value) == pytest.approx((0.02, 0.2))
    flow = found.flows[0]
    assert flow.asked == pytest.approx((0.0, 0.0, 0.4, 0.0))
    assert sum(flow.stopped) + sum(flow.asked) + flow.through == pytest.approx(1.0)
    assert flow.through == pytest.approx(found.fixed.value)


def test_a_layer_that_spares_people_nothing_may_do_harm_and_says_so():
    """All that the model would stop for certain is handed to people, who miss a half of it."""
    desk, n = _desk(misses=0.5), 60
    asks, stops = np.zeros((n, 3), dtype=bool), np.zeros((n, 3), dtype=bool)
    asks[:, 0], stops[:, 2] = True, True
    one = Attempts(
        layers=("grey", "people", "model"),
        stops=stops,
        asks=asks,
        worth=np.ones(n),
        actor=np.arange(n),
        honest=np.zeros(n, dtype=bool),
        looked=np.full(n, 0.5),
    )
    found = weighed(one, terms=Terms(desk=desk))
    grey = found.layers[0].fixed
    assert found.fixed.value == pytest.approx(0.5)
    assert grey.margin.value == pytest.approx(-0.5)
    assert grey.margin.low >= -0.5
    assert sum(each.fixed.part.value for each in found.layers) == pytest.approx(0.5)


def test_an_error_that_is_not_known_well_decides_nothing():
    wide = Share(value=0.2, low=0.0, high=1.0, n=4)
    desk = _desk(misses=0.2, said=("measured", "assumed", "assumed"))
    desk = replace(desk, misses=wide)
    attempts = _attempts(desk, attacks=400)
    found = weighed(attempts, terms=Terms(desk=desk, limits=Limits(residual=0.45, refused=0.5)))
    assert [one.misses for one in found.erring] == [0.0, 1.0]
    assert [one.through.value for one in found.erring] == pytest.approx([0.25, 0.75])
    assert found.residual.high < 0.45
    assert found.verdict is Verdict.INCONCLUSIVE
    sure = weighed(_attempts(_desk(), attacks=400), terms=Terms(desk=_desk(), limits=found.limits))
    assert sure.verdict is Verdict.PASS


def test_who_gets_further_where_people_err_more_is_asked_again_at_that_end():
    """Against people who miss nothing every way is as good as any; what they may miss decides which one is told."""
    desk = replace(_desk(misses=0.0), misses=Share(value=0.0, low=0.0, high=0.5, n=20))
    handed = _attempts(desk, attacks=40, honest=10)
    refused = replace(handed.of(~handed.honest), asks=None, stops=np.ones((40, 4), dtype=bool), adaptive=True)
    found = weighed(handed, lambda standing: refused, Terms(desk=desk, limits=Limits(residual=0.4, refused=0.9)))
    assert [one.through.value for one in found.erring] == pytest.approx([0.25, 0.5])
    assert found.residual.value == pytest.approx(0.25)


def test_what_people_refuse_and_look_at_too_late_is_tried_at_both_ends_too():
    wrongs = Share(value=0.0, low=0.0, high=0.4, n=20)
    desk = replace(_desk(wrongs=0.0), wrongs=wrongs, said=("configured", "measured", "assumed"))
    limits = Limits(residual=0.9, refused=0.15)
    attempts = _attempts(desk, attacks=400, honest=2_000)
    found = weighed(attempts, terms=Terms(desk=desk, limits=limits))
    assert [one.refused.value for one in found.erring] == pytest.approx([0.1, 0.1 + 0.2 * 0.4])
    assert found.refused.high < 0.15
    assert found.verdict is Verdict.INCONCLUSIVE
    screen = Console(file=io.StringIO(), width=100)
    show(found, screen)
    told = " ".join(screen.file.getvalue().split())
    assert "If they refuse 40.0 % of the honest requests" in told
    late = replace(_desk(misses=0.0, overdue="allow"), lapsed=Share(value=0.0, low=0.0, high=0.2, n=20))
    assert late.passing == pytest.approx((0.0, 0.2))
    assert replace(late, overdue="block").passing == (0.0, 0.0)
    assert replace(late, overdue="block").refusing == pytest.approx((0.1 * 0.8 + 0.0, 0.1 * 0.8 + 0.2), abs=0.02)


class _Client:
    """Of two rows the first is refused by the model, the other handed to people."""

    standing = frozenset(NAMES)

    def ask(self, rows):
        levels = np.where(rows[:, :1] == 2.0, [[0, Level.REVIEW, 0]], [[0, 0, Level.BLOCK]]).astype(np.int8)
        return SimpleNamespace(levels=levels)

    def rest(self):
        pass


def test_what_people_may_miss_is_sent_before_what_is_refused_for_certain():
    panel = SimpleNamespace(names=("door", "grey", "model"))
    scene = SimpleNamespace(x=np.array([[1.0]]))
    attackers = Attackers(panel=panel, attacks=(), scene=scene, actor=np.array([0]))
    attackers._bare = [np.array([[2.0]])]
    best, levels = attackers._sent(np.array([0]), _Client())
    assert best.tolist() == [[2.0]]
    assert levels.tolist() == [[0, int(Level.REVIEW), 0]]


def test_of_a_campaign_nothing_is_called_unknowing():
    found = weighed(_attempts(_desk()), terms=Terms(desk=_desk()))
    screen = Console(file=io.StringIO(), width=140)
    show(replace(found, campaign="0007", simulated=True), screen)
    assert "Unknowing" not in screen.file.getvalue()
    assert "Takes" in screen.file.getvalue()


def test_a_run_of_another_system_is_not_weighed_and_other_orders_are_not_ignored(tmp_path):
    (tmp_path / "temper.yaml").write_text("system: {name: mine}\n")
    system = SimpleNamespace(name="mine", source=str(tmp_path / "temper.yaml"))
    store = SimpleNamespace(run=lambda name: SimpleNamespace(id="0007", system=name))
    with pytest.raises(TemperError, match="is of another"):
        depth_of_campaign(system, Order(), store, "another", 0.0)
    with pytest.raises(TemperError, match="its own attacks"):
        depth_of_campaign(system, Order(run="0001"), store, "mine", 0.0)


def test_what_a_client_is_told_is_part_of_the_question():
    x = np.arange(24.0).reshape(12, 2)
    mine = api.System(model=lambda rows: np.full((len(rows), 2), 0.5), data=(x, np.arange(12) % 2))
    told = replace(mine, exposure=replace(mine.exposure, returns="label"))
    keys = {_key(one, Order(), None) for one in (mine, told, replace(mine, name="other"))}
    assert len(keys) == 3


def test_the_queue_by_its_closed_form_and_its_limits():
    assert lapsing(0.0, 10.0, 1.0) == 0.0
    assert lapsing(5.0, 0.0, 1.0) == 1.0
    assert lapsing(1_000.0, 100.0, 1.0) == pytest.approx(0.9, abs=1e-6)
    assert lapsing(100.0, 1_000.0, 1.0) < 1e-12
    assert lapsing(100.0, 100.0, 1.0) == pytest.approx(lapsing(100.0001, 100.0, 1.0), abs=1e-4)
    assert lapsing(80.0, 100.0, 0.05) == pytest.approx(_queue(80.0, 100.0, 0.05, 60_000), abs=0.01)
    assert lapsing(150.0, 100.0, 0.05) == pytest.approx(_queue(150.0, 100.0, 0.05, 60_000), abs=0.01)


def _queue(arrivals: float, served: float, patience: float, many: int) -> float:
    """The same queue, played: who would wait longer than anybody does is never looked at."""
    rng = np.random.Generator(np.random.Philox(key=7))
    gaps, works = rng.exponential(1 / arrivals, many), rng.exponential(1 / served, many)
    left, lapsed = 0.0, 0
    for gap, work in zip(gaps.tolist(), works.tolist(), strict=True):
        left = max(left - gap, 0.0)
        if left > patience:
            lapsed += 1
        else:
            left += work
    return lapsed / many


def test_what_is_written_of_people_counts_where_nothing_is_measured(tmp_path):
    nowhere = str(tmp_path / "control.db")
    said = {"due": 3_600, "misses": 0.1, "wrongs": 0.02, "cases": 240, "requests": 24_000, "overdue": "allow"}
    serving = Serving(control=nowhere, stages=(("people", Mode.ENFORCE, said),))
    assert agreement_of(serving, print) is None
    desk = desk_of(serving, None, 0.02)
    assert desk.said == ("configured", "configured", "configured")
    assert desk.lapsed.value == pytest.approx(lapsing(480.0, 240.0, 1 / 24))
    assert desk.through(0.1) == pytest.approx((1 - desk.lapsed.value) * 0.1 + desk.lapsed.value)
    assert desk.refuses == pytest.approx((1 - desk.lapsed.value) * 0.02)
    assert set(parts.people(parts.options_of(serving))) == {"due", "eyes", "overdue"}
    nobody = desk_of(Serving(control=nowhere), None, 0.02)
    assert nobody.said == ("assumed", "assumed", "assumed")
    assert nobody.through(0.0) == nobody.refuses == 0.0


@pytest.mark.parametrize("written", [{"misses": 1.5}, {"cases": 10}, {"requests": -1, "cases": 1}])
def test_what_cannot_be_of_people_is_refused(written):
    with pytest.raises(ConfigError):
        parts.desk({"people": written})


def test_the_output_says_who_errs_how_often_and_how_that_is_known():
    desk = replace(_desk(lapsed=0.25), misses=Share(value=0.2, low=0.1, high=0.35, n=50))
    desk = replace(desk, said=("measured", "configured", "measured"))
    found = weighed(_attempts(desk), terms=Terms(desk=desk))
    screen = Console(file=io.StringIO(), width=100)
    show(found, screen)
    told = " ".join(screen.file.getvalue().split())
    assert "they let 20.0 % (10.0 % to 35.0 %, n = 50, measured) pass" in told
    assert "they refuse 10.0 % (configured)" in told
    assert "what comes too late is blocked" in told
    assert "If they let 35.0 % of the attacks pass" in told
    assert "recognised" in render(found)
