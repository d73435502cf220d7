"""Build the wheel from a clean copy, install it in a fresh environment and use it from another directory.

A file that exists in the checkout but is missing from the wheel, or an import that works only beside the source, shows
here and nowhere else.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
INPUTS = ("pyproject.toml", "README.md", "LICENSE")
NO_CODE = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def main() -> int:
    """Build, compare, install, use; 0 when all of it works."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        if lost := missing(wheel):
            sys.stderr.write(f"not in {wheel.name}: {', '.join(lost)}\n  fix: package-data in pyproject.toml\n")
            return 1
        python = install(wheel, folder / "venv")
        use(python, folder)
    sys.stdout.write(f"{wheel.name}: built, complete, installed and used from another directory\n")
    return 0


def build(folder: Path) -> Path:
    """The wheel of a clean copy: what an earlier build left beside the source cannot slip in."""
    copy = folder / "copy"
    shutil.copytree(ROOT / "src", copy / "src", ignore=NO_CODE)
    for name in INPUTS:
        shutil.copy(ROOT / name, copy / name)
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return next(folder.glob("temper_ml-*.whl"))


def missing(wheel: Path) -> list[str]:
    """Files of the source that the wheel lacks."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = (path for path in (ROOT / "src" / "temper").rglob("*") if path.is_file())
    source = [path for path in files if "__pycache__" not in path.parts]  # compiled modules and kernels
    return sorted(name for path in source if (name := path.relative_to(ROOT / "src").as_posix()) not in packed)


def install(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel and what its smallest useful extra needs; the interpreter of it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *constraints, f"{wheel}[xgboost]"], check=True)
    return python


def use(python: Path, folder: Path) -> None:
    """Import it, ask for help and list the attacks, from a directory that has nothing to do with the source."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    temper = python.with_name("temper")
    imports = (python, "-W", "error", "-c", "import temper, temper.cli, temper.api")
    for words in (imports, (temper, "--help"), (temper, "list", "attacks")):
        subprocess.run(words, check=True, cwd=elsewhere, env={"PATH": ""})


if __name__ == "__main__":
    sys.exit(main())
