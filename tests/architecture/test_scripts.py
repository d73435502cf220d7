"""The scripts that guard a release notice what they are there to notice."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from architecture.source import ROOT, SRC, files
from scripts import figures, reference, wheel


def pinned() -> dict[str, str]:
    """Package names in lower case with dashes, and their exact versions."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {re.sub(r"[_.]+", "-", name).lower(): version for name, version in pins}


def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def asked() -> set[str]:
    """Every package pyproject.toml asks for on x86-64 Linux, by any extra."""
    extras = project()["optional-dependencies"].values()
    words = [*project()["dependencies"], *(word for extra in extras for word in extra)]
    here = [word for word in words if "!=" not in word and not word.startswith("temper-ml")]
    return {re.split(r"[<>=\[; ]", word, maxsplit=1)[0].replace("_", "-").lower() for word in here}


def test_every_dependency_is_pinned() -> None:
    assert sorted(asked() - set(pinned())) == []


def test_every_dependency_of_the_core_is_imported_somewhere() -> None:
    """A dependency nobody imports is megabytes in every installation."""
    modules = {"array-api-compat": "array_api_compat", "pyyaml": "yaml", "scikit-learn": "sklearn"}
    modules |= {"vl-convert-python": "vl_convert", "argon2-cffi": "argon2"}
    imported = {found.module.split(".")[0] for file in files(SRC) for found in file.imports}
    core = {re.split(r"[<>=]", word, maxsplit=1)[0].lower() for word in project()["dependencies"]}
    modules["uvloop"] = "uvicorn"  # which takes it where it is installed
    assert sorted({modules.get(name, name) for name in core} - imported) == []


def test_pins_are_versions_any_index_can_serve() -> None:
    assert [name for name, version in pinned().items() if not re.fullmatch(r"[\w.]+", version)] == []


def test_reference_check_notices_a_page_that_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    monkeypatch.setattr(reference, "commands", lambda: "# Command line\n")
    monkeypatch.setattr(reference, "shelf", lambda: ())  # whose pages are not copies
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "plugins.md").write_text("# Plugins\n", encoding="utf-8")
    assert reference.main(["--check"]) == 1


def test_reference_names_options_defaults_and_needs() -> None:
    page = reference.plugins()
    assert "### evasion.noise" in page
    assert "Needs: labels." in page
    assert "| draws | `int` | `10000` |" in page


def test_wheel_check_notices_a_file_that_was_left_out(tmp_path: Path) -> None:
    source = [path for path in (ROOT / "src" / "temper").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    whole, partial = tmp_path / "whole.whl", tmp_path / "partial.whl"
    for archive, paths in ((whole, source), (partial, source[1:])):
        with zipfile.ZipFile(archive, "w") as packed:
            for path in paths:
                packed.writestr(path.relative_to(ROOT / "src").as_posix(), "")
    assert wheel.missing(whole) == []
    assert wheel.missing(partial) == [source[0].relative_to(ROOT / "src").as_posix()]


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        (("ok", 0.50, "share of rows"), ("ok", 0.52, "share of rows"), True),
        (("ok", 0.50, "share of rows"), ("ok", 0.53, "share of rows"), False),
        (("ok", 0.50, "share of rows"), ("inconclusive", 0.50, "share of rows"), False),
        (("ok", 0.50, "share of rows"), ("ok", None, "share of rows"), False),
        (("ok", 0.008, ""), ("ok", 0.009, ""), True),
        (("ok", 0.008, ""), ("ok", 0.012, ""), False),
        (("ok", 900.0, "queries"), ("ok", 910.0, "queries"), True),
        (("ok", 900.0, "queries"), ("ok", 990.0, "queries"), False),
        (("ok", 1.0, "s"), ("ok", 9.0, "s"), True),
        (("fail", None, ""), ("pass", None, ""), False),
    ],
)
def test_a_figure_that_moved_is_noticed(was: tuple[Any, ...], now: tuple[Any, ...], same: bool) -> None:
    names = ("status", "value", "unit")
    faults = figures.compare({"f": dict(zip(names, was, strict=True))}, {"f": dict(zip(names, now, strict=True))})
    assert (faults == []) == same


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    explained = set(re.findall(r"^([a-z]+):.*##", text, flags=re.MULTILINE))
    assert explained == set(phony)
