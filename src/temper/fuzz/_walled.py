"""A model in a child process: it may crash or hang there, the child is replaced and the search goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.errors import TemperError, Unsupported
from temper.core.target import ScoreKind, Target
from temper.fuzz._case import Case
from temper.fuzz._oracle import Outcome, Reply

_SERVE = "from temper.fuzz._walled import serve; serve()"
_START = 120.0  # seconds until a model must have been loaded
_LIFE = 3_600  # seconds of processor time after which a forgotten child ends by itself
_SWITCH = 1e-5  # seconds: callers at once must meet within one call of a model that takes microseconds
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Walled:
    """A target behind a pipe. `deadline` is seconds per request; `shape` that of one row, for pictures.

    A model that cannot be sent to another process is `Unsupported`. Close it, or use it in a `with`.
    """

    def __init__(self, target: Target, *, deadline: float, strict: bool = False, shape: tuple[int, ...] = ()) -> None:
        self.strict, self.kind, self.stochastic = strict, target.kind, target.stochastic
        bounded = target.kind is ScoreKind.PROBABILITIES
        self.low, self.high = (0.0, 1.0) if bounded else (-np.inf, np.inf)
        self.batches = True
        self.asked, self._deadline, self._shape = 0, deadline, shape
        self._folder = tempfile.TemporaryDirectory(prefix="temper-fuzz-")
        self._path = Path(self._folder.name) / "target"
        self._path.write_bytes(_pickled(target))
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Any = None

    def __enter__(self) -> Walled:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fresh(self) -> bool:
        """Another child from the next request on."""
        self._end()
        return True

    def close(self) -> None:
        """End the child."""
        self._end()
        self._folder.cleanup()

    def ask(self, cases: Sequence[Case]) -> Reply:
        """The rows of these cases in one batch."""
        self.asked += len(cases)
        reply: Reply = self._exchange(("ask", self._rows(cases)), self._deadline)
        return reply

    def together(self, cases: Sequence[Case], rounds: int) -> list[list[Reply]]:
        """Each case in a thread of its own, so many times."""
        self.asked += len(cases) * rounds
        found = self._exchange(("together", [self._rows([case]) for case in cases], rounds), self._deadline * rounds)
        if isinstance(found, Reply):  # the child went down with all of them
            return [[found] for _ in cases]
        return list(found)

    def _rows(self, cases: Sequence[Case]) -> Any:
        rows = [case.row for case in cases]
        if rows and isinstance(rows[0][0], str):
            return np.array([row[0] for row in rows], dtype=object)
        return np.array(rows, dtype=np.float64).reshape((len(rows), *(self._shape or (-1,))))

    def _exchange(self, order: Any, seconds: float) -> Any:
        if self._child is None:
            self._start()
        try:
            self._pipe.send(order)
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            code = self._child.wait(timeout=10) if self._child is not None else 0
            self._end()
            said = f"the process of the model died (exit code {code})"
            return Reply(outcome=Outcome.FAILED, said=said, cause=said)
        self._end()
        return Reply(outcome=Outcome.HUNG, said=f"no answer within {seconds:g} s")

    def _start(self) -> None:
        ours, theirs = Pipe()
        settings = dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._child = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(theirs.fileno()), str(self._path)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | settings,
        )
        theirs.close()
        self._pipe = ours
        with contextlib.suppress(EOFError, OSError):
            if ours.poll(_START) and ours.recv() == "ready":
                return
        self._end()
        raise Unsupported("the model could not be loaded in a process of its own", fix="try it with --engine serial")

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._pipe.close()
            self._child = None


def _pickled(target: Target) -> bytes:
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(target)
    except Exception as error:  # whatever a model's own __reduce__ raises
        fix = "use a model in a file or an importable callable"
        raise Unsupported(f"the model cannot be sent to a process of its own: {error}", fix=fix) from None
    return content


# -- the child ------------------------------------------------------------------------------------------------------


def serve() -> None:
    """The child's life: load the model once, answer until the pipe closes."""
    import pickle
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (_LIFE, _LIFE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe = Connection(int(sys.argv[1]))
    target: Target = pickle.loads(Path(sys.argv[2]).read_bytes())  # noqa: S301 - written by the parent a moment ago
    pipe.send("ready")
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            order, *rest = pipe.recv()
            pipe.send(asked(target, rest[0]) if order == "ask" else _crowd(target, *rest))


def asked(target: Target, x: Any) -> Reply:
    """One request as a reply: `ValueError`, `TypeError` and Temper's own errors refuse, everything else is a failure.

    A `UnicodeError` is a failure too, though Python counts it among the `ValueError`s: nobody meant to raise it.
    """
    try:
        with np.errstate(all="ignore"):
            scores = np.asarray(target.scores(x), dtype=np.float64)
    except (TemperError, ValueError, TypeError) as refusal:
        outcome = Outcome.FAILED if isinstance(refusal, UnicodeError) else Outcome.REFUSED
        return Reply(outcome=outcome, said=_said(refusal), cause=_place(refusal))
    except (Exception, SystemExit) as crash:  # a model may raise anything: that is what is looked for
        return Reply(outcome=Outcome.FAILED, said=_said(crash), cause=_place(crash))
    return Reply(outcome=Outcome.ANSWERED, scores=scores.reshape((len(scores), -1)))


def _crowd(target: Target, rows: Sequence[Any], rounds: int) -> list[list[Reply]]:
    """Each row in a thread of its own; the threads take turns far more often than usual."""
    import threading

    found: list[list[Reply]] = [[] for _ in rows]
    barrier = threading.Barrier(len(rows))

    def work(at: int) -> None:
        barrier.wait()
        for _ in range(rounds):
            found[at].append(asked(target, rows[at]))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    threads = [threading.Thread(target=work, args=(at,), daemon=True) for at in range(len(rows))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    return found


def _said(crash: BaseException) -> str:
    lines = str(crash).splitlines()
    return f"{type(crash).__name__}: {lines[0][:300] if lines else 'no message'}"


def _place(crash: BaseException) -> str:
    """Type and innermost line: what two crashes of one cause share."""
    frames = traceback.extract_tb(crash.__traceback__)
    last = frames[-1] if frames else None
    return f"{type(crash).__name__} at {Path(last.filename).name}:{last.lineno}" if last else type(crash).__name__
