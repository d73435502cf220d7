"""Gateways are killed 50 times at random moments under load: what was acknowledged stands in the ledger, once."""

import pytest

from bench.guard.kills import FAULTS, killed

KILLS = 50


@pytest.mark.slow
def test_fifty_kills_lose_no_decision_and_no_case(tmp_path):
    told, found, _ = killed(tmp_path / "system", KILLS)
    assert [name for name in FAULTS if getattr(found, name)] == []
    assert found.acknowledged > 4 * KILLS
    assert found.reviews > KILLS / 2
    assert told.broken > KILLS / 2, "gateways were killed while clients waited"
    assert found.openings == KILLS + 2 + 1, "every gateway opened its ledger, and the parent once"
