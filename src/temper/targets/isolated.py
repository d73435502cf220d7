"""A model file loaded in a child process of its own: to see what it is and answers before anybody trusts it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import ContractError
from temper.targets.artifact import scan

_LIBRARIES = ("sklearn", "xgboost", "lightgbm", "catboost", "scipy", "pandas")
_LINE = 1 << 16
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JOBLIB_MULTIPROCESSING": "0", "LANG": "C.UTF-8"}
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came back: the class, the method asked, its scores (None where it has none), or the error instead.

    `behind` are the walls that stood, `without` those this system does not offer. The answer is the child's word: a
    hostile model can answer what it likes.
    """

    kind: str = ""
    method: str = ""
    scores: np.ndarray[Any, Any] | None = None
    error: str = ""
    behind: tuple[str, ...] = field(default=())
    without: tuple[str, ...] = field(default=())


def probe(
    path: str | Path,
    rows: Any = (),
    *,
    seconds: int = 60,
    memory: int = 8 << 30,
    paths: Sequence[str | Path] = (),
) -> Probe:
    """Load a pickle or joblib file in a child and ask it about `rows`; refused where the scan has findings.

    The child has an empty environment, limits on memory, time and file growth, an audit hook, and where `unshare`
    works a network and process namespace without any network. `paths` are folders of the user's own classes.
    It is no sandbox: an audit hook can be got round from C code, and files can be read. The scan comes first, and a
    virtual machine is the wall for what must not be believed at all.
    """
    path = Path(path).absolute()
    if findings := scan(path).findings:
        raise ContractError(f"{path} is not loaded, the scan found: {'; '.join(findings)}", fix="do not load it")
    order = {
        "file": str(path),
        "seconds": seconds,
        "memory": memory,
        "paths": [str(Path(place).absolute()) for place in paths],
        "libraries": [name for name in _LIBRARIES if name.encode() in _start(path)],
    }
    content = io.BytesIO()
    np.save(content, np.asarray(rows), allow_pickle=False)
    walls = _NAMESPACES if _unshares() else ()
    line = [*walls, sys.executable, "-I", str(Path(__file__).with_name("_isolated_child.py"))]
    answer, error = _asked(line, json.dumps(order).encode() + b"\n" + content.getvalue(), seconds)
    return _read(answer, error, bool(walls))


def _asked(line: list[str], orders: bytes, seconds: int) -> tuple[bytes, str]:
    """What the child wrote, and what went wrong; the child and all it started end with the time."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_QUIET | {"PATH": os.defpath, "HOME": folder},
            cwd=folder,
            start_new_session=True,
        )
        try:
            answer, _ = child.communicate(orders, timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return b"", f"it did not answer within {seconds} s"
    return answer, "" if answer else f"the child ended without an answer (exit {child.returncode})"


def _read(answer: bytes, error: str, walls: bool) -> Probe:
    """The child is not believed: one line of JSON and one array without objects, or an error."""
    head, _, body = answer.partition(b"\n")
    told: dict[str, Any] = {}
    scores = None
    try:
        if not error:
            told = json.loads(head[:_LINE])
            scores = np.load(io.BytesIO(body), allow_pickle=False) if body else None
    except (ValueError, EOFError, OSError) as fault:
        error = f"the child's answer cannot be read ({type(fault).__name__})"
    limits = "limits on memory, time and file growth"
    stood = {"an empty environment": True, "an audit hook": True, limits: bool(told.get("limited", not error)),
             "a namespace without network": walls}  # fmt: skip
    return Probe(
        kind=str(told.get("kind", "")),
        method=str(told.get("method", "")),
        scores=scores,
        error=error or str(told.get("error", "")),
        behind=tuple(wall for wall, there in stood.items() if there),
        without=tuple(wall for wall, there in stood.items() if not there),
    )


def _start(path: Path) -> bytes:
    """Enough of the file, unpacked, to see which libraries it was written by."""
    from temper.targets._unwrap import unwrapped

    with path.open("rb") as file:
        return bytes(unwrapped(file).read(1 << 22))


@lru_cache(maxsize=1)
def _unshares() -> bool:
    """Whether this system lets an ordinary process have namespaces of its own."""
    if shutil.which("unshare") is None:
        return False
    try:
        return subprocess.run([*_NAMESPACES, "true"], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
