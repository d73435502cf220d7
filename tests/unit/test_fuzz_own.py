"""A service that the fuzzer starts itself: what it was asked first can be asked again, and it may go down."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temper
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.engine.fuzz.kept import keep, replay
from temper.engine.fuzz.own import owned
from temper.engine.fuzz.run import Asked, fuzz_service
from temper.fuzz._campaign import Effort, search
from temper.fuzz._search import Searched
from temper.fuzz._service import Service
from temper.targets.function import Function
from temper.testing import planted, planted_served, planted_state
from temper.traffic.address import address

FEW = Effort(cases=60, seconds=60.0, draws=False)


class DiesOfZero(planted.Scorer):
    """The process ends where an amount is exactly zero."""

    def _one(self, row: Any) -> float:
        if row[0] == 0:
            os._exit(3)
        return super()._one(row)


def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def own(kind: type[planted.Scorer], effort: Effort = FEW) -> Searched:
    at = port()
    where = address(f"http://127.0.0.1:{at}/v1/score")
    with closing(Service(where=where, schema=planted.schema())) as subject:
        with owned(subject, planted_served.command(kind, at)):
            found = search(subject, planted.schema(), planted.rows(), effort, Draws(0, "fuzz"), wire=True)
        assert not subject.reachable(0.0)
    return found


@pytest.mark.slow
def test_a_service_that_goes_down_is_started_again_and_the_search_goes_on() -> None:
    found = own(DiesOfZero)
    (one,) = found.defects
    assert (one.law, one.changed) == ("answers", 1)
    assert "went down" in one.said
    assert found.stopped == ""
    assert found.tried["own_answer"] > 0


def test_a_command_that_ends_is_told_with_its_last_words() -> None:
    where = address(f"http://127.0.0.1:{port()}/")
    command = (sys.executable, "-c", "raise SystemExit('no model here')")
    with (
        closing(Service(where=where, schema=planted.schema())) as subject,
        pytest.raises(TemperError, match="ended with code 1: no model here"),
        owned(subject, command),
    ):
        pass


def test_what_answers_there_already_is_not_taken_for_it() -> None:
    with planted_served.Served(planted.Scorer()) as served:
        subject = Service(where=address(served.url), schema=planted.schema())
        with closing(subject), pytest.raises(TemperError, match="something answers at"), owned(subject, ("true",)):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("kind", [one for one in planted_state.WEAK if one is not planted_state.ScaledByFirst])
def test_what_was_asked_first_is_found_behind_http(kind: type[planted.Scorer]) -> None:
    assert own(kind, Effort(cases=140, seconds=120.0, draws=False)).defects


@pytest.mark.slow
@pytest.mark.parametrize("kind", planted_state.SOUND)
def test_the_sound_twins_break_no_law(kind: type[planted.Scorer]) -> None:
    assert own(kind, Effort(cases=140, seconds=120.0, draws=False)).defects == ()


@pytest.mark.slow
def test_kept_cases_of_order_need_the_command_and_their_tests_start_it(tmp_path: Path) -> None:
    y = (np.arange(40) % 2).astype(int)
    system = temper.System(
        model=Function(call=planted.Scorer()), data=(planted.rows(), y), schema=planted.schema(), threshold=0.5
    )
    at = port()
    weak = planted_served.command(planted_state.CodesByAppearance, at)
    asked = Asked(url=f"http://127.0.0.1:{at}/v1/score", start=weak)
    effort = Effort(cases=140, seconds=120.0, draws=False)
    found, asked = fuzz_service(system, asked, effort, 0, strict=True)
    kept = keep(tmp_path, system, found, asked, strict=True, deadline=5.0)
    assert [one.law for one in found.defects] == ["repeats"]
    with pytest.raises(TemperError, match="started for them"):
        replay(kept.cases, system, (), None)
    assert all(seen for _, seen in replay(kept.cases, system, (), asked))
    mended = planted_served.command(planted.Scorer, at)
    assert [seen for _, seen in replay(kept.cases, system, (), Asked(url=asked.url, start=mended))] == [""]
    assert kept.tests is not None
    assert (_tested(kept.tests, ()), _tested(kept.tests, mended)) == (1, 0)


def _tested(file: Path, start: tuple[str, ...]) -> int:
    import shlex

    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), str(file)]
    env = os.environ | ({"TEMPER_FUZZ_START": shlex.join(start)} if start else {})
    return subprocess.run(line, env=env, cwd=file.parent, capture_output=True, timeout=120, check=False).returncode
