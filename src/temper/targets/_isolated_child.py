"""Runs by itself in a child process: loads one model file behind limits and an audit hook, and answers with arrays.

It imports nothing of Temper. Orders come as one JSON line and an array on standard input; the answer, one JSON line and
an array, goes to the pipe that was standard output, which the model's own prints no longer reach.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from typing import Any

_STOPPED = (
    "os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty subprocess.Popen os.remove os.rename os.mkdir "
    "os.rmdir os.link os.symlink os.truncate os.chmod os.chown os.kill os.putenv shutil. socket. ctypes. pty. ftplib. "
    "smtplib. urllib. http. webbrowser. sqlite3. mmap. signal. code.__new__ sys.settrace sys.setprofile"
)


def main() -> None:
    """One model, one answer."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    limited = _limits(order["memory"], order["seconds"])
    sys.path[:0] = order["paths"]
    for name in ("numpy", "pickle", "joblib", *order["libraries"]):
        importlib.import_module(name)
    rows = sys.modules["numpy"].load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    sys.addaudithook(_hook)
    told: dict[str, Any] = {"limited": limited, "kind": "", "method": "", "error": ""}
    scores = None
    try:
        model = sys.modules["joblib"].load(order["file"])
        told["kind"] = f"{type(model).__module__}.{type(model).__name__}"
        told["method"] = next((m for m in ("predict_proba", "decision_function", "predict") if hasattr(model, m)), "")
        if told["method"] and rows.size:
            scores = sys.modules["numpy"].asarray(getattr(model, told["method"])(rows))
    except BaseException as crash:  # whatever the file does, it is told and not raised
        told["error"] = f"{type(crash).__name__}: {crash}"[:500]
    answer.write(json.dumps(told).encode() + b"\n")
    if scores is not None:
        content = io.BytesIO()  # a pipe cannot be written to by NumPy itself
        sys.modules["numpy"].save(content, scores, allow_pickle=False)
        answer.write(content.getvalue())
    answer.flush()
    os._exit(0)


def _limits(memory: int, seconds: int) -> bool:
    """Memory, processor time, and no file may grow; False where the system has no such limits."""
    try:
        import resource
    except ImportError:
        return False
    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (most, most))
    return True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Stop what a model has no reason to do."""
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            raise PermissionError(f"the model tried to write to {arguments[0]}")
    elif any(event == name or (name.endswith(".") and event.startswith(name)) for name in _STOPPED.split()):
        raise PermissionError(f"the model tried {event}")


if __name__ == "__main__":
    main()
