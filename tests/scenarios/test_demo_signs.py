"""`temper demo signs`: a small network is trained on drawn signs, attacked, judged and shown with pictures."""

import base64
import re
from functools import partial
from unittest import mock

import pytest

import temper
from temper.demos import signs
from temper.demos._sign_shapes import NAMES
from temper.engine.task import SUITES

pytest.importorskip("torch")


def short(folder, seed=0, write=signs.write, **size):
    """The demo's folder with fewer pictures and a shorter search for a sticker."""
    path = write(folder, seed, **size)
    text = path.read_text(encoding="utf-8")
    shorter = text.replace("steps: 25, checks: 10", "steps: 4, views: 1, checks: 4")
    assert shorter != text
    path.write_text(shorter, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return short(tmp_path_factory.mktemp("signs"), count=480, epochs=4).parent


@pytest.fixture(scope="module")
def sticker(folder, sizes):
    """What the quick suite, in small, says of tape on a sign."""
    with mock.patch.dict(SUITES, quick=sizes):
        return temper.assess(temper.load(folder / "temper.yaml"), "quick", only=["evasion.patch"], engine="serial")


def test_a_sticker_is_told_by_what_the_sign_is_taken_for_and_in_how_many_views_it_works(sticker):
    (finding,) = sticker.findings
    assert any(f"{true} → {taken}" in finding.detail for true in NAMES for taken in NAMES if true != taken)
    assert "fresh views" in finding.detail


def test_the_report_shows_the_whole_picture_large_enough_to_look_at(sticker, tmp_path):
    page = sticker.report(tmp_path / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert shown
    picture = base64.b64decode(shown[0], validate=True)
    assert picture.startswith(b"\x89PNG")
    assert b"IEND" in picture[-12:]
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert height >= 160
    assert width > 3 * height


def test_the_figures_of_the_demo_say_that_they_are_simulated(sticker):
    rates = [m for m in sticker.measurements if m.metric == "success_rate"]
    assert rates
    assert all(m.simulated and m.n == 16 for m in rates)


def test_the_demo_without_torch_says_so_in_one_sentence_with_the_fix(desk, monkeypatch):
    monkeypatch.setattr(signs, "find_spec", lambda name: None)
    told = desk("demo", "signs", "--folder", "signs")
    assert told.code == 2
    assert "PyTorch is not installed" in told.all
    assert "temper-ml[torch]" in told.all
    assert "Traceback" not in told.all


@pytest.mark.slow
@pytest.mark.campaign
def test_the_whole_signs_demo_trains_attacks_hardens_and_reports(desk, monkeypatch):
    monkeypatch.setattr(signs, "write", partial(short, count=1_200, epochs=6))
    told = desk("demo", "signs", "--folder", "signs", "--engine", "serial")
    assert told.code == 0, told.all[-2000:]
    assert "SIMULATED" in told.out
    assert "of 240 new ones" in told.out
    assert "report.html" in told.out
    assert "Defence" in told.out
