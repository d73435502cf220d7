"""Laws of the tests of regions: exact where regions are blind, the same in any units, silent where none is full."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.kernels.clusters import COUNTS, clusters
from temper.kernels.contrast import controlled, deflated, fuller, lifted, overfull, shortened, whitened
from temper.kernels.spectral import ends, rounded, signatures

seeds = st.integers(0, 2**31 - 1)


def drawn(seed: int, n: int = 60, d: int = 5) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.random(n) < 0.7


@settings(max_examples=20)
@given(seeds)
def test_the_chance_of_a_full_region_is_that_of_lots(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, own, size = 12, 5, 4
    mine = np.arange(n) < own
    region = np.isin(np.arange(n), generator.permutation(n)[:size])[None]
    lots = generator.random((4_000, n)).argsort(axis=1) < own
    seen = ((lots & region).sum(axis=1) >= (mine & region[0]).sum()).mean()
    assert abs(float(fuller(region, mine)[0]) - seen) < 0.04


@pytest.mark.parametrize("regions", [signatures, clusters])
def test_p_values_of_blind_regions_are_no_smaller_than_chance_allows(regions: Any) -> None:
    low = []
    for seed in range(40):
        rows, own = drawn(seed)
        p = fuller(regions(rows), own)
        low.append(min(1.0, float(p.min()) * len(p)))
    assert np.mean(np.array(low) <= 0.2) <= 0.2


@settings(max_examples=25)
@given(seeds)
def test_rows_in_other_units_are_whitened_alike(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows, of = generator.normal(size=(400, 3)), np.arange(400) % 4
    trusted = rows + 5.0 * of[:, None]
    turn = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    distance = [
        np.linalg.norm(np.diff(whitened(x, t, of), axis=0), axis=1)
        for x, t in ((rows, trusted), (rows @ turn * 7.0, trusted @ turn * 7.0))
    ]
    np.testing.assert_allclose(*distance, rtol=1e-6)
    inside = whitened(trusted, trusted, of)
    apart = np.concatenate([inside[of == label] - inside[of == label].mean(axis=0) for label in range(4)])
    np.testing.assert_allclose(np.cov(apart.T), np.eye(3), atol=0.2)


@given(seeds, st.integers(1, 8))
def test_shortening_keeps_the_largest_distances(seed: int, most: int) -> None:
    rows, _ = drawn(seed, n=20, d=8)
    short = shortened(rows, most)
    assert short.shape == (20, most)
    full = np.linalg.norm(rows - rows.mean(axis=0))
    assert np.linalg.norm(short) <= full + 1e-9
    if most == 8:
        np.testing.assert_allclose(np.linalg.norm(short), full)


@given(st.lists(st.floats(1e-12, 1.0), min_size=4, max_size=50))
def test_control_never_makes_a_p_value_smaller(p: list[float]) -> None:
    values = np.array(p)
    by = deflated(values)
    assert by >= 1.0
    assert (controlled(values, by) >= values * (1 - 1e-9)).all()
    if by > 1.0:
        assert np.median(controlled(values, by)) == pytest.approx(0.5, abs=0.25)


def test_one_class_that_stands_out_is_not_taken_for_the_usual() -> None:
    assert deflated(np.array([1e-9, *np.linspace(0.1, 1.0, 9)])) == 1.0
    assert deflated(np.full(10, 1e-3)) > 10.0


@settings(max_examples=10)
@given(seeds)
def test_a_planted_end_is_over_full_and_nothing_else_is(seed: int) -> None:
    rows, _ = drawn(seed, n=600)
    own = np.arange(600) < 450
    rows[:45, 0] += 12.0
    planted = np.arange(600) < 45
    for regions in (ends(rounded(rows), (0.05, 0.075, 0.1), 1), clusters(rows)):
        accused = overfull(regions, own, 1e-4)
        assert accused[planted].mean() > 0.9
        assert accused[~planted].mean() < 0.05
        assert not overfull(regions, own, 0.0).any()


@given(seeds)
def test_regions_that_trusted_rows_fill_as_well_are_never_accused(seed: int) -> None:
    _, own = drawn(seed, n=50)
    everybody = np.ones((1, 50), dtype=bool)
    assert not lifted(everybody, own).any()
    assert not overfull(everybody, own, 1.0).any()


def test_ends_hold_the_share_they_say_and_clusters_part_the_rows() -> None:
    rows, _ = drawn(0, n=200)
    found = ends(rows, (0.05, 0.5), 2)
    assert found.shape == (8, 200)
    assert sorted(set(found.sum(axis=1).tolist())) == [10, 100]
    parted = clusters(rows)
    assert parted.sum() == len(COUNTS) * 200
