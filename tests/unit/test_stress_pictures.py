"""Corruptions of pictures hold against plain loops, other libraries and known values; the engine sums them up."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.engine.corruptions import COMMON, means
from temper.stress.image import _blur, _jpeg, _plasma, _resample
from temper.stress.image.glass_blur import _sources

STRESS = Room("temper.stress")
IMAGE = [name for name in STRESS.names() if name.startswith("image.")]
RNG = Draws(0, "test")


def pictures(n=3, channels=3, high=32, wide=32):
    row, column = np.mgrid[:high, :wide] / max(high, wide)
    turn = Draws(1, "pictures").uniform(np.arange(n), 0, (channels, 1, 1), 1.0, 9.0)
    waves = 0.5 + 0.4 * np.sin(turn * (row + 0.7 * column) * 6)
    waves[:, :, high // 4 : high // 2, wide // 4 : wide // 2] = 0.9
    return waves.astype(np.float32)


def stressed(name, x, severity=5, **options):
    return STRESS.build(f"image.{name}", options).apply(x, severity, RNG)


# -- against other ways to the same thing ---------------------------------------------------------------------------


def test_brightness_is_value_in_hsv():
    x = pictures(1, high=6, wide=6)
    x[0, :, 0, 0] = 0.0
    out = stressed("brightness", x)
    for row, column in np.ndindex(6, 6):
        hue, saturation, value = colorsys.rgb_to_hsv(*x[0, :, row, column].tolist())
        wanted = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.3, 1.0))
        assert out[0, :, row, column] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("reach", [1, 3])
def test_glass_moves_pixels_as_a_loop_over_them_does(reach):
    size, rows = (12, 11), np.arange(2)
    found = _sources(RNG, rows, 0, size, reach).reshape(2, -1)
    for at, numbers in enumerate(RNG.each(rows, 0)):
        step = numbers.integers(-reach, reach, (2, 12 * 11)).reshape(2, 12, 11)
        picture = np.arange(12 * 11).reshape(12, 11) + 12 * 11 * at
        for i in range(12 - reach, reach, -1):
            for j in range(11 - reach, reach, -1):
                picture[i, j] = picture[i + step[0, i, j], j + step[1, i, j]]
        assert (found[at] == picture.ravel()).all()


@pytest.mark.parametrize(("radius", "smooth"), [(0.5, 0.6), (1.5, 0.1), (4, 0.5), (10, 0.5)])
def test_defocus_is_a_correlation_with_a_disk(radius, smooth):
    from scipy.ndimage import correlate

    kernel, x = _blur.disk(radius, smooth), pictures(1, 1, 40, 30)
    assert kernel.sum() == pytest.approx(1.0, abs=0.02)  # the published one of radius 10 touches its border
    assert _blur.filtered(x, kernel)[0, 0] == pytest.approx(correlate(x[0, 0], kernel, mode="mirror"), abs=1e-5)


def test_a_smear_along_the_rows_is_a_sum_of_moved_pictures():
    x = np.zeros((1, 1, 5, 9), dtype=np.float32)
    x[0, 0, 2, 6] = 1.0
    out = _blur.smeared(x, np.array([0.5, 0.3, 0.2]), np.array([0.0]))
    assert out[0, 0, 2, 3:7] == pytest.approx([0, 0.2, 0.3, 0.5])
    assert out.sum() == pytest.approx(1.0)


def test_zoom_stretches_as_scipy_does():
    from scipy.ndimage import zoom

    x = pictures(1, 1, 40, 40)
    kept = int(np.ceil(40 / 1.23))
    start = (40 - kept) // 2
    wanted = zoom(x[0, 0, start : start + kept, start : start + kept], 1.23, order=1)
    trim = (wanted.shape[0] - 40) // 2
    matrix = _resample.zoomed(40, 1.23)
    assert _resample.pressed(x, matrix, matrix)[0, 0] == pytest.approx(
        wanted[trim : trim + 40, trim : trim + 40], abs=1e-4
    )


def test_places_between_pixels_are_read_as_scipy_reads_them():
    from scipy.ndimage import map_coordinates

    x = pictures(1, 1, 15, 17)
    places = np.mgrid[:15, :17] + Draws(2, "places").uniform([0], 0, (2, 15, 17), -9.0, 9.0)[0]
    wanted = map_coordinates(x[0, 0], places, order=1, mode="reflect")
    assert _resample.sampled(x, places[:1], places[1:])[0, 0] == pytest.approx(wanted, abs=1e-5)


def test_corners_come_from_where_they_were_moved_to():
    moves = np.array([[(1, 2), (0, -3), (-2, 1), (3, 0)]], dtype=float)
    row, column = _resample.seen_from(moves, (11, 21))
    corner = np.array([(0, 0), (0, 20), (10, 0), (10, 20)])
    for (i, j), (down, right) in zip(corner, moves[0], strict=True):
        assert (row[0, i, j], column[0, i, j]) == pytest.approx((i + down, j + right))


@pytest.mark.parametrize(("channels", "quality"), [(3, 80), (3, 10), (1, 40)])
def test_jpeg_loses_what_a_codec_loses(channels, quality):
    image = pytest.importorskip("PIL.Image")
    x = np.round(pictures(1, channels, 45, 50) * 255).astype(np.uint8)
    file = BytesIO()
    image.fromarray(x[0].transpose(1, 2, 0).squeeze()).save(file, "JPEG", quality=quality)
    codec = np.atleast_3d(np.asarray(image.open(file))).transpose(2, 0, 1) / 255
    ours = _jpeg.compressed(x / np.float32(255), quality)[0]
    assert np.abs(ours - codec).mean() < 0.15 * np.abs(codec - x[0] / 255).mean()


def test_pixels_are_averaged_as_pillow_does():
    image = pytest.importorskip("PIL.Image")
    x = np.round(pictures(1, 1, 32, 32) * 255).astype(np.uint8)
    small = image.fromarray(x[0, 0]).resize((20, 20), image.Resampling.BOX)
    wanted = np.asarray(small.resize((32, 32), image.Resampling.NEAREST))
    assert np.abs(stressed("pixelate", x)[0, 0].astype(int) - wanted).max() <= 1


def test_a_cloud_fills_its_range_and_is_smoother_with_more_decay():
    rough, smooth = (_plasma.plasma(RNG, np.arange(4), 0, (32, 32), decay) for decay in (1.4, 3.0))
    for cloud in (rough, smooth):
        assert (cloud.min(), cloud.max()) == (0.0, 1.0)
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


@pytest.mark.parametrize(("name", "spread"), [("gaussian_noise", 0.04), ("shot_noise", np.sqrt(0.5 / 500))])
def test_noise_has_its_published_size(name, spread):
    out = stressed(name, np.full((2, 1, 64, 64), 0.5, dtype=np.float32), severity=1)
    assert out.mean() == pytest.approx(0.5, abs=0.005)
    assert out.std() == pytest.approx(spread, rel=0.05)


# -- any picture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMAGE)
def test_the_range_of_a_picture_does_not_matter(name):
    x = np.round(pictures(2, high=20, wide=24) * 255) / np.float32(255)
    plugin = STRESS.build(name)
    unit = plugin.apply(x, 3, RNG)
    other = replace(plugin, schema=Schema.box(-1.0, 1.0)).apply(x * 2 - 1, 3, RNG)
    whole = plugin.apply(np.round(x * 255).astype(np.uint8), 3, RNG)
    assert (other + 1) / 2 == pytest.approx(unit, abs=0.01)
    assert whole.dtype == np.uint8
    assert np.abs(whole / 255 - unit).max() < 0.01


@pytest.mark.parametrize("name", IMAGE)
def test_large_pictures_of_any_shape_are_corrupted(name):
    for shape in ((1, 3, 70, 83), (1, 1, 83, 5), (1, 4, 66, 1)):
        x = pictures(1, *shape[1:])
        for severity in (1, 5):
            out = STRESS.build(name).apply(x, severity, RNG)
            assert out.shape == x.shape
            assert np.isfinite(out).all()
            assert out.min() >= 0
            assert out.max() <= 1


def test_a_picture_without_a_range_is_refused_with_the_fix():
    with pytest.raises(Unsupported, match="range is unknown") as told:
        stressed("fog", pictures(), schema=Schema())
    assert "schema.box" in told.value.fix
    with pytest.raises(TemperError, match="severities are 1 to 5"):
        stressed("fog", pictures(), severity=6)


# -- what they say together -----------------------------------------------------------------------------------------


def loss(name, drops, status=Status.OK):
    points = [Point(at=0, value=0, low=0, high=0)]
    points += [Point(at=at, value=drop, low=drop - 0.01, high=drop + 0.02, n=50) for at, drop in enumerate(drops, 1)]
    return Measurement(
        plugin=f"stress.image.{name}", metric="loss", value=drops[2], better=Better.LOWER, n=50, status=status,
        reason="" if status is Status.OK else "the model raised", unit="drop in accuracy",
        baseline=(("clean accuracy", 0.9), ("severity 0", 0.0)),
        curve=Curve(name=name, axis="severity", unit="drop in accuracy", points=tuple(points)),
    )  # fmt: skip


def test_the_mean_over_corruptions_and_the_worst_of_them():
    found = {m.metric: m for m in means([loss("fog", [0.0, 0.1, 0.2, 0.3, 0.4]), loss("rain", [0.3] * 5)])}
    assert set(found) == {"mean_loss", "worst_loss"}
    assert found["mean_loss"].name == "stress.image.mean_loss"
    assert found["mean_loss"].value == pytest.approx(0.25)
    assert (found["mean_loss"].low, found["mean_loss"].high) == pytest.approx((0.24, 0.27))
    assert found["mean_loss"].curve.points[1].value == pytest.approx(0.15)
    assert found["worst_loss"].slice == "corruption:rain"
    assert found["worst_loss"].baseline == (("fog", pytest.approx(0.2)),)


def test_the_corruption_error_takes_the_fifteen_common_ones_alone():
    common = [loss(name, [0.2] * 5) for name in COMMON]
    found = {m.metric: m for m in means([*common, loss("rain", [0.8] * 5)])}
    assert found["mean_corruption_error"].value == pytest.approx(0.1 + 0.2)
    assert "mean_corruption_error" not in {m.metric for m in means([*common[1:], loss("rain", [0.8] * 5)])}


def test_a_model_that_breaks_under_one_corruption_has_no_mean():
    found = means([loss("fog", [0.1] * 5), loss("rain", [0.2] * 5), loss("snow", [0.2] * 5, Status.ERROR)])
    mean = next(m for m in found if m.metric == "mean_loss")
    assert mean.status is Status.ERROR
    assert "stress.image.snow" in mean.reason
    assert means([loss("fog", [0.1] * 5)]) == ()
