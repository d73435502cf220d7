"""Resolve every dependency in a fresh environment and pin what came out in constraints.txt.

    make constraints

torch stays where it is until `TORCH` below is changed: its plain wheel on Linux pulls gigabytes of CUDA, so a newer one
is chosen by a person who has checked that a CPU build of it can be had.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCH = "torch==2.13.0"
OURS = ("temper-ml", "pip")
HEADER = """\
# Exact versions of everything `make test`, `make ci` and `make bench` install; users of the package are free within
# pyproject.toml.
# Resolved for Python {python} on x86-64 Linux. To renew: make constraints
"""


def main() -> int:
    """Write constraints.txt; 0 when done."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        _pip(python, "install", "--quiet", "setuptools")
        _pip(python, "install", "--quiet", "--no-build-isolation", f"{ROOT}[dev,bench]", TORCH)
        version = _output(python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))").strip()
        frozen = _output(python, "-m", "pip", "list", "--format=freeze").split()
    (ROOT / "constraints.txt").write_text(HEADER.format(python=version) + pins(frozen), encoding="utf-8")
    return 0


def pins(frozen: list[str]) -> str:
    """One sorted line per package; the local part of a version (`+cpu`) is dropped, any index may serve it.

    >>> pins(["temper-ml==0.1.0", "torch==2.13.0+cpu", "attrs==26.1.0"])
    'attrs==26.1.0\\ntorch==2.13.0\\n'
    """
    lines = [line.split("+", 1)[0] for line in frozen if line.split("==", 1)[0] not in OURS]
    return "".join(f"{line}\n" for line in sorted(lines, key=str.lower))


def _pip(python: Path, *words: str) -> None:
    subprocess.run([python, "-m", "pip", *words], check=True)


def _output(python: Path, *words: str) -> str:
    return subprocess.run([python, *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
