"""Planted defects are found, shrunk and shown again; the sound twin breaks no law."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import temper
from temper import api
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.engine.fuzz.kept import keep, replay
from temper.engine.fuzz.run import Asked, fuzz_model, fuzz_service
from temper.fuzz import _drawn
from temper.fuzz._campaign import Effort, search
from temper.fuzz._oracle import LAWS
from temper.fuzz._search import Searched
from temper.fuzz._service import Service
from temper.fuzz._walled import Walled
from temper.targets.function import Function
from temper.testing import planted, planted_served, planted_state
from temper.traffic.address import address

FEW, WIRE = Effort(cases=140, seconds=40.0, draws=False), Effort(cases=110, seconds=40.0, draws=False)
INSIDE = {name: (target, schema, x) for name, target, schema, x in planted_served.inside()}
CULPRITS = {
    "answers": "Recurses",
    "in_time": "NeverEnds",
    "in_range": "Narrow",
    "refuses": "NanScored",
    "accepts": "BoundExcluded",
    "repeats": "EveryHundredth",
    "alone": "BatchFilled",
    "own_answer": "CallersMixed",
}
SERVED = {
    "answers": planted_served.EmptyFails,
    "spelling": planted_served.ExtraKeyWins,
    "own_answer": planted.CallersMixed,
}


def inside(name: str, effort: Effort = FEW, seed: int = 0) -> Searched:
    target, schema, x = INSIDE[name]
    with Walled(target, deadline=1.0, strict=True) as subject:
        return search(subject, schema, x, effort, Draws(seed, "fuzz"))


def served(kind: type[planted.Scorer], effort: Effort = WIRE, seed: int = 0) -> Searched:
    with (
        planted_served.Served(kind()) as found,
        closing(Service(where=address(found.url), schema=planted.schema(), deadline=1.0)) as subject,
    ):
        return search(subject, planted.schema(), planted.rows(), effort, Draws(seed, "fuzz"), wire=True)


@pytest.mark.slow
@pytest.mark.parametrize(("law", "name"), CULPRITS.items(), ids=list(CULPRITS))
def test_each_law_catches_its_culprit_in_a_process(law: str, name: str) -> None:
    found = inside(name)
    caught = [one for one in found.defects if one.law == law]
    assert caught, found
    assert min(one.changed for one in caught) <= 3


def test_the_sound_twin_breaks_no_law_in_a_process() -> None:
    with Walled(Function(call=planted.Scorer()), deadline=5.0, strict=True) as subject:
        found = search(subject, planted.schema(), planted.rows(), FEW, Draws(1, "fuzz"))
    assert found.defects == ()
    assert found.stopped == ""
    assert min(found.tried[law] for law in LAWS if law != "spelling") > 5


@pytest.mark.parametrize(("law", "kind"), SERVED.items(), ids=list(SERVED))
def test_each_law_catches_its_culprit_behind_http(law: str, kind: type[planted.Scorer]) -> None:
    found = served(kind)
    assert [one.changed <= 3 for one in found.defects if one.law == law], found


def test_the_sound_twin_breaks_no_law_behind_http() -> None:
    found = served(planted.Scorer, seed=1)
    assert found.defects == ()
    assert all(found.tried[law] for law in LAWS), found.tried


@pytest.mark.parametrize(
    ("kind", "law"), [(planted_state.CodesByAppearance, "repeats"), (planted_state.FilledMeanwhile, "own_answer")]
)
def test_what_was_asked_first_is_found_and_shown_again(kind: type[planted.Scorer], law: str) -> None:
    with Walled(Function(call=kind()), deadline=5.0, strict=True) as subject:
        found = search(subject, planted.schema(), planted.rows(), FEW, Draws(0, "fuzz"))
        (one,) = [one for one in found.defects if one.law == law]
        assert one.repeated
        assert len(one.cases) == 2
        # Two callers at once meet, unless a busy machine gives them their turns one by one.
        assert any(LAWS[law](subject, one.cases) for _ in range(4))


@pytest.mark.parametrize("kind", planted_state.SOUND)
def test_remembering_and_filling_rightly_break_no_law(kind: type[planted.Scorer]) -> None:
    with Walled(Function(call=kind()), deadline=5.0, strict=True) as subject:
        assert search(subject, planted.schema(), planted.rows(), FEW, Draws(0, "fuzz")).defects == ()


def test_a_service_half_filled_is_found_by_its_first_callers_and_other_notations_by_edges() -> None:
    # Eight callers at once meet while it is being filled, unless the machine gives them their turns one by one.
    found = (served(planted_state.FilledMeanwhile).defects for _ in range(4))
    assert [(one.law, one.repeated) for one in next(filter(None, found))] == [("own_answer", False)]
    assert {one.law for one in served(planted_state.OtherNotations, Effort(cases=400, draws=False)).defects} == {
        "refuses"
    }


def test_failures_in_the_same_words_of_one_field_or_one_text_are_told_once() -> None:
    class Words(planted.Scorer):
        """Fails for every unknown word of the channel."""

        def _code(self, column: planted.Column, word: Any) -> float:
            return float(column.categories.index(word))

        def answer(self, body: bytes) -> list[float]:
            try:
                return super().answer(body)
            except ValueError as wrong:
                if isinstance(wrong, planted.Invalid):
                    raise
                raise KeyError("word") from None

    found = served(Words, Effort(cases=400, draws=False))
    assert [(one.law, one.cases[0].changes[0].field) for one in found.defects] == [("answers", "channel")]


def test_a_process_that_dies_is_a_failure_and_the_search_goes_on() -> None:
    def dies(x: Any) -> Any:
        if (x[:, 0] == 0).any():
            os.kill(os.getpid(), 9)
        return planted.Scorer()(x)

    with Walled(Function(call=dies), deadline=5.0) as subject:
        found = search(subject, planted.schema(), planted.rows(), Effort(cases=60), Draws(0, "fuzz"))
    (one,) = found.defects
    assert (one.law, one.cause) == ("answers", "the process of the model died (exit code -9)")
    assert found.tried["alone"] > 5


def test_pictures_are_fuzzed_within_their_range() -> None:
    def mean(x: Any) -> Any:
        p = x.mean(axis=(1, 2, 3))
        return np.column_stack([1.0 - p, p / (1.0 if (p < 1).all() else 0.5)])

    x = np.linspace(0.1, 0.9, 5 * 16).reshape(5, 1, 4, 4)
    with Walled(Function(call=mean), deadline=5.0, shape=(1, 4, 4)) as subject:
        found = search(subject, Schema.box(0.0, 1.0), x, Effort(cases=60, draws=False), Draws(0, "fuzz"))
    assert [(one.law, str(one.cases[0]).partition(" (")[0]) for one in found.defects if one.law == "in_range"] == [
        ("in_range", "every value: the highest value")
    ]


def test_without_hypothesis_the_edges_are_tried_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drawn, "installed", lambda: False)
    assert [one.law for one in inside("LastWordFails", Effort(cases=80)).defects] == ["answers"]


def test_what_no_list_holds_is_drawn_and_made_small() -> None:
    def odd(x: Any) -> Any:
        if ((x[:, 0] > 17) & (x[:, 0] < 90) & (x[:, 4] > 4_000)).any():
            raise KeyError("odd")
        return planted.Scorer()(x)

    with Walled(Function(call=odd), deadline=5.0) as subject:
        found = search(subject, planted.schema(), planted.rows(), Effort(cases=500), Draws(0, "fuzz"))
    (one,) = found.defects
    assert one.law == "answers"
    assert one.changed <= 2


def system(target: Any, folder: Path) -> Protected:
    y = (np.arange(40) % 2).astype(int)
    return temper.System(model=target, data=(planted.rows(), y), schema=planted.schema(), threshold=0.5)


def test_cases_of_a_service_are_shown_again_and_stand_alone(tmp_path: Path) -> None:
    own = system(Function(call=planted.Scorer()), tmp_path)
    with planted_served.Served(planted_served.EmptyFails()) as bad, planted_served.Served(planted.Scorer()) as good:
        asked = Asked(url=bad.url, deadline=2.0)
        found, _ = fuzz_service(own, asked, WIRE, 0, strict=True)
        kept = keep(tmp_path, own, found, asked, strict=True, deadline=2.0)
        assert kept.tests is not None
        assert [bool(seen) for _, seen in replay(kept.cases, own, (), None)] == [True] * len(kept.ids)
        assert {seen for _, seen in replay(kept.cases, own, (), Asked(url=good.url))} == {""}
        assert _tested(kept.tests, good.url) == 0
        assert _tested(kept.tests, bad.url) == 1


def _tested(file: Path, url: str) -> int:
    """The exit code of pytest where nothing of Temper can be imported."""
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), str(file)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"TEMPER_FUZZ_URL": url}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(line, env=env, cwd=file.parent, capture_output=True, timeout=60, check=False).returncode


def test_a_model_that_is_behind_a_url_is_sent_to_the_other_command(tmp_path: Path) -> None:
    from temper.targets.http import Http

    own = Protected(name="x", target=Http(url="http://127.0.0.1:1"), data=system(Function(call=planted.Scorer()),
                    tmp_path).data, schema=planted.schema())  # fmt: skip
    with pytest.raises(Unsupported, match="fuzzed as a service"):
        fuzz_model(own, FEW, 0, strict=False, deadline=1.0)


def test_a_run_measures_defects_by_law_and_replays_them(tmp_path: Path) -> None:
    own = system(Function(call=planted.MinusZero(), version="1"), tmp_path)
    run = temper.assess(own, "quick", only=["fuzz"], engine="serial", store=tmp_path)
    counts = {m.slice: m.value for m in run.measurements if m.name == "fuzz.defects"}
    assert counts["all"] == counts["law:answers"] == 1.0
    assert counts["law:alone"] == 0.0
    (finding,) = [one for one in run.findings if one.plugin == "fuzz"]
    assert "minus zero" in finding.detail
    shown = api.replay(own, finding.id, store=tmp_path)
    assert shown.still_there
    mended = system(Function(call=planted.Scorer(), version="2"), tmp_path)
    assert not api.replay(mended, finding.id, store=tmp_path).still_there


def test_json_of_a_search_is_json(tmp_path: Path) -> None:
    from temper.engine.fuzz.told import document

    own = system(Function(call=planted.NanScored()), tmp_path)
    found = fuzz_model(own, Effort(cases=60), 0, strict=True, deadline=2.0)
    kept = keep(tmp_path, own, found, None, strict=True, deadline=2.0)
    told = json.loads(json.dumps(document(found, kept), allow_nan=False))
    assert {one["law"] for one in told["laws"]} == set(LAWS)
    assert urlsplit(told["cases"]).path.endswith("cases.json")


@pytest.mark.campaign
@pytest.mark.parametrize("name", INSIDE)
def test_every_planted_defect_is_found_in_a_process(name: str) -> None:
    found = inside(name, Effort(cases=600, seconds=60.0))
    assert found.defects
    assert min(one.changed for one in found.defects) <= 3


@pytest.mark.campaign
@pytest.mark.parametrize("kind", planted_served.SERVED, ids=lambda kind: kind.__name__)
def test_every_planted_defect_is_found_behind_http(kind: type[planted.Scorer]) -> None:
    found = served(kind, Effort(cases=900, seconds=25.0))
    assert found.defects
    assert min(one.changed for one in found.defects) <= 3
