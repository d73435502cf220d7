"""Serving stages around the detectors: profiles that come back whole, answers that rise, groups, bounds, bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from temper.core.errors import ConfigError, StoreError
from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.guard.serving.profile import Profile
from temper.guard.serving.stages.anomaly import Anomaly
from temper.guard.serving.stages.extraction import Extraction
from temper.guard.serving.stages.output import Output
from temper.testing.scenes import schema, table


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.fit(table(8_000), schema(), np.linspace(0.0, 1.0, 100))


def asked(rows: np.ndarray, client: str = "a", at: float = 0.0, scores: np.ndarray | None = None) -> Scoring:
    return Scoring(
        rows=np.asarray(rows, dtype=np.float32), client=client, request="1", at=at, deadline=at + 1, scores=scores
    )


def made_up(n: int, seed: int = 0) -> np.ndarray:
    """Columns drawn one by one: one-hot groups, relations and derived columns do not hold."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    return np.stack([rng.permutation(column) for column in table(n, seed=seed + 1).T], axis=1)


def send(stage: Extraction, rows: np.ndarray, client: str = "a", at: float = 0.0) -> list[Decision]:
    return [stage.check(asked(row[None], client, at)) for row in rows]


def test_a_profile_comes_back_whole_and_sees_the_same(profile: Profile, tmp_path: Path) -> None:
    profile.save(tmp_path / "p.npz")
    back = Profile.load(tmp_path / "p.npz")
    assert back.digest == profile.digest
    assert back.columns == profile.columns
    rows = np.concatenate([table(50, seed=3), made_up(50)])
    for stage in (Anomaly, Extraction):
        one, two = stage(profile=profile), stage(profile=back)
        assert [one.check(asked(row[None])) for row in rows] == [two.check(asked(row[None])) for row in rows]
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 9, 10, 11, 60, 1_000])
def test_a_small_table_promises_what_it_can_show_and_says_so(n: int) -> None:
    small = Profile.fit(table(n), schema(), np.linspace(0.0, 1.0, n))
    assert set(small.rates.values()) == {1 / (n // 2 + 1)}
    assert Extraction(profile=small).check(asked(table(1, seed=2))).level is Level.ALLOW
    assert Profile.fit(table(n), schema(), np.zeros(2), {"input.ecod": {"rate": 0.6}}).rates["input.ecod"] == 0.6


def test_a_profile_of_other_rows_has_another_digest(profile: Profile) -> None:
    assert Profile.fit(table(8_000, seed=1), schema(), np.linspace(0, 1, 100)).digest != profile.digest


@pytest.mark.parametrize("at", range(0, 1_000, 97))
def test_a_damaged_profile_is_refused(profile: Profile, tmp_path: Path, at: int) -> None:
    path = tmp_path / "p.npz"
    profile.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) * at // 1_000] ^= 0x41
    path.write_bytes(data)
    try:
        back = Profile.load(path)
    except StoreError:
        return
    assert back.digest == profile.digest  # the flipped bit was in a time stamp of the archive


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_what_is_no_profile_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(text)
    with pytest.raises(StoreError, match="cannot be read as a profile"):
        Profile.load(path)


def test_a_profile_of_earlier_detectors_is_refused_with_the_way_out(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "profile.npz"
    with monkeypatch.context() as earlier:
        earlier.setattr("temper.guard.serving.profile._FORMAT", 1)
        profile.save(path)
    with pytest.raises(StoreError, match="fitted for other detectors") as told:
        Profile.load(path)
    assert "move it away" in told.value.fix


def test_a_pickle_in_a_profile_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, digest=np.array([Path.cwd()], dtype=object))
    with pytest.raises(StoreError):
        Profile.load(path)


def test_a_part_that_is_missing_is_named(profile: Profile, tmp_path: Path) -> None:
    Profile(columns=profile.columns, states={"input.ecod": profile.state("input.ecod")}).save(tmp_path / "p.npz")
    with pytest.raises(StoreError, match=r"has no input\.mahalanobis/"):
        Profile.load(tmp_path / "p.npz")


def test_an_unknown_detector_or_answer_is_refused(profile: Profile) -> None:
    with pytest.raises(ConfigError, match=r"no detector 'input\.iforest'"):
        Profile.fit(table(100), schema(), np.zeros(2), {"input.iforest": {}})
    with pytest.raises(ConfigError, match="answers 'blok'"):
        Anomaly(profile=profile, answer="blok")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Extraction(profile=profile, steps={"block": 1.5})


def test_ordinary_rows_pass_and_each_that_is_no_number_does_not(profile: Profile) -> None:
    stage = Anomaly(profile=profile)
    fresh = table(2_000, seed=9)
    held = [stage.check(asked(row[None])) is not ALLOWED for row in fresh]
    assert sum(held) <= 20  # three detectors at one in a thousand: twenty or more come once in 100,000 times
    for at, column in enumerate(schema().columns):
        for value in (np.nan, np.inf, -np.inf, 1e30, -1e30):
            row = fresh[:1].copy()
            row[0, at] = value
            if not (np.isnan(value) and column.missing):
                found = stage.check(asked(row))
                assert found.level is Level.REVIEW, (column.name, value)
                assert found.reason


def test_one_strange_row_among_many_is_seen(profile: Profile) -> None:
    rows = table(50, seed=4)
    rows[17, 0] = 1e9
    assert Anomaly(profile=profile, answer="block").check(asked(rows)).level is Level.BLOCK


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.01, 1.01])
def test_scores_that_are_none_are_blocked(profile: Profile, bad: float) -> None:
    stage = Output(profile=profile)
    assert stage.check(asked(table(2), scores=np.array([0.0, 1.0]))) is ALLOWED
    assert stage.check(asked(table(2), scores=np.array([0.5, bad]))).level is Level.BLOCK


def test_scores_beyond_those_of_training_are_scores() -> None:
    probabilities = Profile.fit(table(8_000), schema(), np.linspace(0.2, 0.7, 100))
    margins = Profile.fit(table(8_000), schema(), np.linspace(-3.0, 5.0, 100))
    for profile, good, bad in ((probabilities, (0.0, 0.99), (-0.1, 1.1)), (margins, (-10.9, 12.9), (-11.1, 13.1))):
        levels = [Output(profile=profile).check(asked(table(1), scores=np.array([one]))).level for one in good + bad]
        assert levels == [Level.ALLOW, Level.ALLOW, Level.BLOCK, Level.BLOCK]


def test_scores_that_are_not_there_or_too_few_are_blocked(profile: Profile) -> None:
    stage = Output(profile=profile)
    assert "no scores" in stage.check(asked(table(2))).reason
    assert "1 scores for 2 rows" in stage.check(asked(table(2), scores=np.array([0.5]))).reason


def test_answers_rise_with_the_evidence_and_hold(profile: Profile) -> None:
    stage = Extraction(profile=profile, steps={"note": 0.9, "revise": 0.3, "review": 0.01, "block": 0.0001})
    levels = [found.level for found in send(stage, made_up(60))]
    assert levels == sorted(levels)
    assert set(levels) == {Level.ALLOW, Level.REVISE, Level.REVIEW, Level.BLOCK}
    honest = table(40, seed=6)
    assert {found.level for found in send(stage, honest, at=10.0)} == {Level.BLOCK}
    assert send(stage, honest, at=10_000.0)[-1] is ALLOWED


def test_other_clients_are_not_touched(profile: Profile) -> None:
    stage = Extraction(profile=profile)
    send(stage, made_up(60))
    assert send(stage, table(40, seed=6), client="b")[-1] is ALLOWED


def test_keys_of_one_group_add_up_and_others_do_not(profile: Profile) -> None:
    rows = made_up(40)
    keys = [f"key{at % 10}" for at in range(40)]
    grouped = Extraction(profile=profile, groups=dict.fromkeys(keys, "firm"))
    alone = Extraction(profile=profile)
    with_groups = [grouped.check(asked(row[None], key)).level for row, key in zip(rows, keys, strict=True)]
    without = [alone.check(asked(row[None], key)).level for row, key in zip(rows, keys, strict=True)]
    assert max(with_groups) is Level.REVIEW
    assert max(without) < Level.REVIEW


def test_the_last_clients_are_kept_and_no_more(profile: Profile) -> None:
    stage = Extraction(profile=profile, clients=3)
    for at in range(50):
        send(stage, table(1, seed=at), client=f"c{at}")
        send(stage, table(1, seed=at), client="steady")
    assert list(stage._known) == ["c48", "c49", "steady"]
