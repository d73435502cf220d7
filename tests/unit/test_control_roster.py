"""Names of gateways: one holder at a time, taken over at once by the same installation, free again after a death."""

from __future__ import annotations

import pytest

from temper.core.errors import StoreError
from temper.store.control import Control
from temper.store.control.roster import SECONDS, Worker


def worker(installation: str = "x", token: str = "1", name: str = "a/0") -> Worker:
    return Worker(name=name, installation=installation, token=token)


@pytest.fixture
def roster(place):
    control = Control.open(place)
    yield control.roster
    control.close()


@pytest.mark.slow
def test_another_installation_is_refused_until_the_lease_is_over(roster):
    roster.begin(worker("x", "1"), 100.0)
    with pytest.raises(StoreError, match="called a/0"):
        roster.begin(worker("y", "2"), 100.0 + SECONDS - 0.1)
    roster.begin(worker("y", "2", "b/0"), 101.0)
    assert roster.live(101.0) == 2
    roster.begin(worker("y", "3"), 100.0 + SECONDS)
    assert not roster.renew(worker("x", "1"), 100.0 + SECONDS + 1), "who was thought dead is told"


@pytest.mark.slow
def test_a_new_process_of_an_installation_takes_over_and_an_old_one_hears_of_it(roster):
    roster.begin(worker("x", "1"), 100.0)
    roster.begin(worker("x", "2"), 100.5)
    assert roster.live(101.0) == 1
    assert not roster.renew(worker("x", "1"), 101.0)
    assert roster.renew(worker("x", "2"), 101.0)
    roster.leave(worker("x", "1"))
    assert roster.live(102.0) == 1, "who does not hold a name cannot let it go"
    roster.leave(worker("x", "2"))
    assert roster.live(102.0) == 0
    assert roster.renew(worker("x", "1"), 103.0), "what nobody holds is taken back"


@pytest.mark.slow
def test_a_name_that_is_renewed_stays_and_one_in_a_new_store_is_there_again(roster):
    assert roster.renew(worker(), 100.0)
    for at in range(5):
        assert roster.renew(worker(), 100.0 + at * SECONDS * 0.9)
    with pytest.raises(StoreError, match="wait"):
        roster.begin(worker("y", "2"), 100.0 + 4.5 * SECONDS)
