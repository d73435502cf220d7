"""The HTML report in a real browser: one file, no script, nothing from the network, readable in light and dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from temper.report import render
from unit.test_report_invented import fraud, hostile

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]


def browse(page: Path, profile: Path, *flags: str) -> str:
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render(fraud(), "html"), encoding="utf-8")
    return path


def test_the_page_shows_the_verdict_the_findings_and_the_charts(page: Path, tmp_path: Path) -> None:
    seen = browse(page, tmp_path / "profile", "--dump-dom")
    assert "FAIL" in seen
    assert "temper replay" in seen
    assert seen.count("<svg") >= 2
    assert "<script" not in seen


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(hostile(), "html"), encoding="utf-8")
    seen = browse(path, tmp_path / "profile", "--dump-dom")
    assert "<script" not in seen
    assert "alert(1)" in seen, "the text is shown, and only shown"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_is_drawn_in_both_schemes(page: Path, tmp_path: Path, scheme: str) -> None:
    picture = tmp_path / f"{scheme}.png"
    dark = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if scheme == "dark" else ()
    browse(page, tmp_path / scheme, f"--screenshot={picture}", "--window-size=1200,2400", *dark)
    assert picture.stat().st_size > 50_000


def test_nothing_is_fetched(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    browse(page, tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    asked = re.findall(r'"url":"([^"]+)"', log.read_text(encoding="utf-8", errors="replace"))
    own = [url for url in asked if not url.startswith(("file:", "chrome", "data:", "about:"))]
    assert not [url for url in own if "google" not in url], own  # the browser's own calls home are not the page's
