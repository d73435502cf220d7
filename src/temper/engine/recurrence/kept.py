"""Rows of an incident or a probe as a regression test: cases that `temper assess` asks, and a pytest file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.recurrences import FORMAT, digest, plain
from temper.core.errors import TemperError
from temper.core.recurrence import Recurrence
from temper.core.system import Protected
from temper.engine.plan import decisions
from temper.engine.recurrence.rows import Rows

_RUNNER = Path(__file__).with_name("_runner.py")
_CASES = 'CASES = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))["cases"]'
_TAIL = """

@pytest.fixture(scope="module")
def decided():
    return answers()


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_it_does_not_happen_again(case, decided):
    assert decided[case["id"]] == case["expected"], case["origin"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What the rows are of: the `kind` of thing, its number and what it was about.

    >>> Occasion(kind="incident", number=3, title="x").mark, Occasion(kind="probe", number=3, title="x").mark
    ('3', 'probe 3')
    """

    kind: str
    number: int
    title: str

    @property
    def mark(self) -> str:
        """How a case names it; a number alone is an incident's."""
        return str(self.number) if self.kind == "incident" else f"{self.kind} {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The cases there are, and how many rows were left out: not of the domain, there twice, decided rightly by the
    model as it is now, or more than were asked for.
    """

    cases: tuple[Recurrence, ...]
    foreign: int = 0
    twice: int = 0
    right: int = 0
    more: int = 0

    @property
    def told(self) -> str:
        """It in a line."""
        said = [f"{len(self.cases):,} cases, each decided wrongly by the model as it is now"]
        said += [f"left out: {self.right:,} that it decides rightly"] if self.right else []
        said += [f"{self.foreign:,} outside of the schema"] if self.foreign else []
        said += [f"{self.twice:,} that are there twice"] if self.twice else []
        said += [f"{self.more:,} more than were asked for"] if self.more else []
        return "; ".join(said)


def chosen(system: Protected, occasion: Occasion, found: Sequence[Rows], most: int) -> Chosen:
    """The rows that are worth keeping: admissible, distinct, and decided wrongly now. A row that the model already
    decides rightly would pass on the old model too, and test nothing.
    """
    cases: dict[str, Recurrence] = {}
    foreign = twice = right = 0
    for rows in found:
        fit = _admissible(system, rows.x) if len(rows.x) else np.zeros(0, dtype=bool)
        foreign += int((~fit).sum())
        x, y = rows.x[fit].astype(system.data.x.dtype), rows.y[fit]
        wrong = decisions(system, x) != y if len(x) else np.zeros(0, dtype=bool)
        right += int((~wrong).sum())
        for row, expected in zip(x[wrong], y[wrong], strict=True):
            one = _case(row, int(expected), rows.origin, occasion)
            twice += one.id in cases
            cases.setdefault(one.id, one)
    if not cases:
        raise TemperError(
            f"none of {sum(len(rows.x) for rows in found):,} rows is decided wrongly by the model as it is now",
            fix="make the test before the mended model is live: give the old model's temper.yaml",
        )
    kept = tuple(cases[name] for name in sorted(cases))[:most]
    return Chosen(cases=kept, foreign=foreign, twice=twice, right=right, more=len(cases) - len(kept))


def keep(folder: Path, system: Protected, occasion: Occasion, found: Chosen) -> tuple[Path, Path, str]:
    """Write `cases.json` and the pytest file beside it; both paths and the digest of the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    names, cases = system.schema.names, [plain(one) for one in found.cases]
    marked = digest(names, cases)
    document = {
        "format": FORMAT,
        "incident": occasion.number if occasion.kind == "incident" else occasion.mark,
        "title": occasion.title,
        "system": system.name,
        "model": system.target.digest,
        "columns": list(names),
        "digest": marked,
        "cases": cases,
    }
    path, test = folder / "cases.json", folder / f"test_{occasion.kind}_{occasion.number}.py"
    _write(path, json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    _write(test, _runner(folder, system))
    return path, test, marked


def _admissible(system: Protected, x: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows lie in the domain. Of a row alone its own values count as allowed, so it is held against its nearest
    one within the ranges.
    """
    schema = system.schema
    low, high = (schema.lows, schema.highs) if schema.columns else (schema.low, schema.high)
    fit = np.asarray(schema.admits(x, np.clip(x, low, high)), dtype=bool)
    for mask in schema.unmet(x).values():
        fit &= ~mask
    return fit


def _runner(folder: Path, system: Protected) -> str:
    """The test file: where temper.yaml is from it, so that both can be moved together."""
    source = os.path.relpath(Path(system.source).absolute(), folder.absolute())
    text = _RUNNER.read_text(encoding="utf-8").replace('SOURCE = "temper.yaml"', f"SOURCE = {source!r}", 1)
    text = text.replace("import os\n", "import json\nimport os\n", 1).replace(
        "LOAD: Any = None", "LOAD = temper.load", 1
    )
    text = text.replace("import numpy as np\n", "import numpy as np\nimport pytest\n\nimport temper\n", 1)
    return text.replace("CASES: list[dict[str, Any]] = []", _CASES, 1) + _TAIL


def _case(row: np.ndarray[Any, Any], expected: int, origin: str, occasion: Occasion) -> Recurrence:
    values = tuple(float(value) for value in row)
    content = json.dumps([[value.hex() for value in values], expected])
    name = hashlib.sha256(content.encode()).hexdigest()[:12]
    return Recurrence(id=name, row=values, expected=expected, origin=origin, incident=occasion.mark)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
