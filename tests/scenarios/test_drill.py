"""The model is taken away under load, and nobody is left without an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.demos import fraud
from temper.engine.drill.catalogue import drill_of
from temper.engine.drill.run import run
from temper.engine.drill.terms import Load

GUARD = """
guard:
  deadline_ms: 400
  extraction: shadow
  fallback:
    rules: [{when: "(amount > 400) * (distance_km > 100)", score: 0.9}]
    otherwise: 0.05
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    path = fraud.write(folder, 0, customers=300, days=40)
    path.write_text(path.read_text(encoding="utf-8") + GUARD, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["primary-down", "primary-hang"])
def test_a_model_that_goes_away_is_stood_in_for_and_takes_over_again(bank: Path, name: str) -> None:
    found = run(bank, drill_of(name), Load(rate=60.0, seconds=32.0), lambda line: None)
    assert found.requests > 1_000
    assert found.failed == 0
    assert found.degraded > 100
    assert found.first_other is not None
    assert "failed: 0" in "\n".join(found.lines())
    if found.trusted:  # else requests were sent late, on a machine that other tests share: nobody grades that
        assert found.full_again is not None
        assert found.held
        assert found.worst < 4 * found.deadline


@pytest.mark.slow
def test_reviewers_who_stay_away_are_missed_and_work_their_backlog_off(bank: Path) -> None:
    found = run(bank, drill_of("reviewers-absent"), Load(rate=60.0, seconds=24.0), lambda line: None)
    cases = found.reviewed
    assert cases is not None
    assert cases.before.n > 5
    assert cases.lapsed > 3
    assert cases.lying == 0
    assert cases.noticed is not None
    assert cases.worked_off is not None
    assert found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)  # a machine that other tests share
    assert "cases decided by (simulated) people in time" in "\n".join(found.lines())


@pytest.mark.slow
def test_a_process_that_cannot_start_says_why(bank: Path, tmp_path: Path) -> None:
    words = bank.read_text(encoding="utf-8").replace("model.ubj", str(bank.parent / "model.ubj"))
    words = words.replace("test.parquet", str(bank.parent / "test.parquet"))
    path = tmp_path / "temper.yaml"
    path.write_text(words.replace("train.parquet", str(bank.parent / "train.parquet")) + "  nonsense: shadow\n")
    with pytest.raises(TemperError, match="a process of the drill ended"):
        run(path, drill_of("primary-down"), Load(rate=10.0, seconds=1.0), lambda line: None)
