"""Installed size of the core and of what each extra adds, each in an environment of its own that is thrown away.

    python -m bench.sizes [EXTRA ...]

Sizes are of the files on disk (megabytes of 1,000,000 bytes), without pip and setuptools; `adds` is against the core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from bench.table import machine, table

ROOT = Path(__file__).parents[1]
TOOLS = ("pip", "setuptools", "_distutils_hack", "pkg_resources")


def main(words: list[str]) -> int:
    """Print the table."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    core, first = measure("")
    print(machine())
    rows = []
    for extra in words or extras:
        size, packages = measure(extra)
        rows.append(_row(extra, size, size - core, packages))
    table("Installed", ["", "MB", "adds", "packages", "largest"], [_row("core", core, 0.0, first), *rows])
    return 0


def measure(extra: str) -> tuple[float, dict[str, float]]:
    """Megabytes of an environment with this extra, and of each folder in it."""
    with tempfile.TemporaryDirectory() as name:
        venv.create(name, with_pip=True)
        python = Path(name) / "bin" / "python"
        what = f"{ROOT}[{extra}]" if extra else str(ROOT)
        how = ["--quiet", "--no-compile", "--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([str(python), "-m", "pip", "install", *how, what], check=True)
        site = next(Path(name).glob("lib/python*/site-packages"))
        folders = {entry.name: _megabytes(entry) for entry in site.iterdir() if not entry.name.startswith(TOOLS)}
    return sum(folders.values()), folders


def _megabytes(entry: Path) -> float:
    files = [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e6


def _row(name: str, size: float, adds: float, folders: dict[str, float]) -> list[str]:
    count = sum(folder.endswith(".dist-info") for folder in folders)
    largest = sorted(folders, key=lambda folder: -folders[folder])[:4]
    return [name, f"{size:.0f}", f"{adds:.0f}", str(count), ", ".join(f"{one} {folders[one]:.0f}" for one in largest)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
