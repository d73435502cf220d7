"""REAL feeds with a known answer: a change of columns that is found, a performance that holds and raises no alarm."""

import pytest

from bench.monitoring.real import STOOD_STILL, electricity, employment
from temper.core.watch import Seen

pytestmark = pytest.mark.slow


def test_the_known_change_of_elec2_is_found_in_the_week_that_holds_it(data_dir, tmp_path):
    found = electricity(data_dir, tmp_path)
    assert len(found.weeks) > 90
    assert found.first == 51
    later = [one for one in found.weeks if one.start >= 52 * 7 * 86_400.0]
    assert all({alarm.column for alarm in one.alarms} >= set(STOOD_STILL) for one in later)


def test_employment_raises_no_alarm_of_performance(data_dir, tmp_path):
    found = employment(data_dir, tmp_path)
    assert len(found.outcomes) == 21
    assert [one.seen for one in found.outcomes if one.seen is Seen.FAIL] == []
    assert all(one.labelled == one.rows > 9_000 for one in found.outcomes), "it is measured, and not only open"


def test_windows_in_which_employment_does_fall_are_told(data_dir, tmp_path):
    """In the order of the file the first rows of 2018 are of other people; who cannot see that cannot see anything."""
    found = employment(data_dir, tmp_path, by="file")
    assert [round(one.start / 86_400.0) for one in found.outcomes if one.seen is Seen.FAIL] == [13, 14]
