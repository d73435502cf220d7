"""What the stories share: a system's folder, the user's desk, and what a good refusal looks like."""

import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

SRC = Path(__file__).parents[2] / "src"
ENVIRONMENT = {"PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


@dataclass(frozen=True)
class Told:
    """What a command said and how it left."""

    code: int
    out: str
    err: str

    @property
    def all(self):
        return self.out + self.err


@dataclass
class Folder:
    """A system on disk."""

    path: Path

    @property
    def config(self):
        return self.path / "temper.yaml"

    @property
    def store(self):
        from temper.store.database import Store

        return Store.open(self.path)

    def edit(self, old, new):
        """Replace text of the temper.yaml; the text must be there."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in the temper.yaml"
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        return self

    def line(self, start, text):
        """Replace the line that starts with `start`."""
        lines = self.config.read_text(encoding="utf-8").splitlines()
        at = [number for number, line in enumerate(lines) if line.startswith(start)]
        assert len(at) == 1, f"{len(at)} lines start with {start!r}"
        lines[at[0]] = text
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self

    def at(self, start):
        """`temper.yaml:LINE` of the line that starts with `start`, as messages name it."""
        lines = self.config.read_text(encoding="utf-8").splitlines()
        return f"temper.yaml:{[line.startswith(start) for line in lines].index(True) + 1}"

    def model(self, text):
        return self.line("model:", f"model: {{{text}}}")

    def threshold(self, value):
        return self.model(f"path: model.ubj, kind: probabilities, threshold: {value}")

    def requires(self, *requirements):
        """Judge by these requirements alone, each as YAML; the policy is the last thing in the file."""
        text = self.config.read_text(encoding="utf-8")
        kept = text[: text.index("\npolicy:") + 1]
        listed = "".join(f"  - {{{each}}}\n" for each in requirements)
        self.config.write_text(f"{kept}policy:\n{listed}", encoding="utf-8")
        return self

    def function(self, code, **more):
        """The model becomes `answer(x)` of a new file with this code (a process runs a file once)."""
        name = f"own{len(list(self.path.glob('own*.py'))) + 1}.py"
        (self.path / name).write_text(code, encoding="utf-8")
        settings = "".join(f", {key}: {value}" for key, value in more.items())
        return self.model(f'callable: "{name}:answer", kind: probabilities, threshold: 0.5{settings}')

    def frame(self, part="test"):
        import pandas as pd

        return pd.read_parquet(self.path / f"{part}.parquet")

    def write(self, frame, part="test"):
        frame.to_parquet(self.path / f"{part}.parquet")
        return self


@dataclass
class Desk:
    """Types commands; remembers what was told."""

    run: object
    told: list = field(default_factory=list)

    def __call__(self, *words):
        self.told.append(self.run([str(word) for word in words]))
        return self.told[-1]

    def assess(self, system, *more):
        """`temper assess` of a system, by default one small attack."""
        words = more if any(word == "--only" for word in more) else ("--only", "evasion.coordinate", *more)
        engine = () if "--engine" in words else ("--engine", "serial")
        return self("assess", "-c", system.config, "--suite", "quick", *engine, *words)


WRAPPED = """
from pathlib import Path
import numpy as np
import xgboost
MODEL = xgboost.Booster(model_file=str(Path(__file__).parent / "model.ubj"))
def scored(x):
    p = MODEL.predict(xgboost.DMatrix(np.asarray(x)))
    return np.column_stack([1 - p, p])
"""
"""A callable model in a file beside the temper.yaml: what user code adds goes below it."""

ATTACKED = """
import os, sys, time
def attacked():
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.endswith("coordinate.py"):
            return True
        frame = frame.f_back
    return False
"""
"""Whether the answer is wanted by an attack, so that a story can fail in one task only."""


def refused(told, *words, code=2):
    """One clear sentence on standard error that names these words and the fix; no traceback, no crash file."""
    assert told.code == code, told.all
    assert told.err.startswith("error: ") or "\nerror: " in told.err, told.err
    assert "Traceback" not in told.all
    assert "bug in Temper" not in told.all, told.err
    message = told.err[told.err.index("error: ") :]
    print(message)
    assert len(re.findall(r"^error: ", message, re.MULTILINE)) == 1
    assert len(message.strip().splitlines()) <= 2, message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"
    return message


def fixed(told, *words, code=2):
    """Refused, and the way out is named."""
    message = refused(told, *words, code=code)
    assert "\n  fix: " in message or "did you mean" in message, message
    return message


def typed(words):
    """A command run in this process."""
    from temper import cli

    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    code = 0
    with mock.patch.object(sys, "argv", ["temper", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        out.flush()
    return Told(code, out.buffer.getvalue().decode(), err.getvalue())
