"""Installed size of the core and of what each extra adds, each in an environment of its own that is thrown away.

    python bench/sizes.py [EXTRA ...]

Sizes are of the files on disk (megabytes of 1,000,000 bytes), without pip and setuptools; `adds` is against the core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ("pip", "setuptools", "_distutils_hack", "pkg_resources")


def main(words: list[str]) -> int:
    """Print the table."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    core, packages = measure("")
    print(f"{'':10}{'MB':>8}{'adds':>8}{'packages':>10}  largest")
    print(_line("core", core, 0.0, packages))
    for extra in words or extras:
        size, packages = measure(extra)
        print(_line(extra, size, size - core, packages), flush=True)
    return 0


def measure(extra: str) -> tuple[float, dict[str, float]]:
    """Megabytes of an environment with this extra, and of each folder in it."""
    with tempfile.TemporaryDirectory() as name:
        venv.create(name, with_pip=True)
        python = Path(name) / "bin" / "python"
        what = f"{ROOT}[{extra}]" if extra else str(ROOT)
        command = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt"]
        subprocess.run([*command, what], check=True)
        site = next(Path(name).glob("lib/python*/site-packages"))
        folders = {entry.name: _megabytes(entry) for entry in site.iterdir() if not entry.name.startswith(TOOLS)}
    return sum(folders.values()), folders


def _megabytes(entry: Path) -> float:
    files = [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e6


def _line(name: str, size: float, adds: float, folders: dict[str, float]) -> str:
    count = sum(folder.endswith(".dist-info") for folder in folders)
    largest = sorted(folders, key=lambda folder: -folders[folder])[:4]
    words = ", ".join(f"{folder} {folders[folder]:.0f}" for folder in largest)
    return f"{name:10}{size:8.0f}{adds:8.0f}{count:10}  {words}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
