"""What the source never does: hide a setting, a clock or a random number, print, or lose what it stores."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

from architecture.source import SRC, File, Rule, dotted, files, nodes, plant

# May be imported at the top of a file: small, or needed by everything in that room.
LIGHT = {
    "": {"numpy"},
    "cli": {"typer", "click", "rich"},
    "config": {"msgspec", "yaml"},
    "engine": {"msgspec"},
    "gateway": {"msgspec"},
    "report": {"msgspec"},
    "store": {"msgspec"},
    "testing": {"pytest"},
    "threats": {"msgspec", "yaml"},
}
# Core stands on the standard library and NumPy alone. Every exception with its reason.
CORE_MAY = {("core/seed.py", "torch"): "the same numbers on the device of a torch model"}
CORE_NEVER = {
    "os",
    "io",
    "socket",
    "subprocess",
    "shutil",
    "pathlib",
    "tempfile",
    "urllib",
    "http",
    "sqlite3",
    "importlib",
}
READS_FOLDERS = {"core/room.py"}
CLOCKS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
}
MAY_TELL_TIME = {"cli", "engine", "gateway", "web", "api"}
RANDOM_TYPES = {"Generator", "Philox", "SeedSequence", "BitGenerator"}
SEEDS = {"torch.manual_seed", "torch.cuda.manual_seed", "torch.random.manual_seed"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PLACES = re.compile(r"(?<![\w.])/(work|root|home|opt|Users)/")


COMPILED = "_jit_"  # files of numba functions: a decorator runs on import, so whoever uses one imports it when called


def heavy_libraries_stay_inside_functions(root: Path) -> list[str]:
    """Importing a file of Temper loads the standard library, NumPy, and what LIGHT names.

    A file of compiled functions may import numba at its top, and is itself imported inside functions only.
    """
    compiled = [
        f"{file.name}:{found.line}: imports the compiled {found.module} at the top"
        for file in files(root)
        for found in file.imports
        if found.at_top and not file.path.stem.startswith(COMPILED) and _from_compiled(found.module)
    ]
    return compiled + [
        f"{file.name}:{found.line}: imports {found.module} at the top"
        for file in files(root)
        for found in file.imports
        if found.at_top
        and _foreign(found.module)
        and _package(found.module) not in LIGHT[""] | LIGHT.get(_room(file), set())
        and not (found.module == "numba" and file.path.stem.startswith(COMPILED))
    ]


def core_stands_alone(root: Path) -> list[str]:
    """Core imports nothing but the standard library and NumPy, and does no input or output."""
    return [
        f"{file.name}:{found.line}: core imports {found.module}"
        for file in files(root)
        if _room(file) == "core"
        for found in file.imports
        if _not_for_core(file, _package(found.module))
    ]


def nothing_global_is_random(root: Path) -> list[str]:
    """Random numbers come from the Draws passed in: no `random`, no `np.random` state, no seeding of a library."""
    breaches = [
        file.at(node, f"uses {name}")
        for file, node in nodes(root, ast.Attribute)
        if (name := dotted(node)) and (_numpy_random(name) or name in SEEDS)
    ]
    return breaches + [
        f"{file.name}:{found.line}: imports {found.module}"
        for file in files(root)
        for found in file.imports
        if found.module == "random" or found.module.startswith("random.")
    ]


def time_is_an_argument(root: Path) -> list[str]:
    """Only the edges look at the clock on the wall."""
    return [
        file.at(node, f"asks {name}")
        for file, node in nodes(root, ast.Attribute)
        if not {_room(file), file.name} & MAY_TELL_TIME
        and (name := dotted(node))
        and any(f".{name}".endswith(f".{clock}") for clock in CLOCKS)
    ]


def only_the_command_line_prints(root: Path) -> list[str]:
    """`print` belongs to cli."""
    return [
        file.at(node, "prints")
        for file, node in nodes(root, ast.Call)
        if isinstance(node, ast.Call) and dotted(node.func) == "print" and _room(file) != "cli"
    ]


def nothing_is_asserted(root: Path) -> list[str]:
    """`python -O` drops assertions: a check the source relies on raises an error of its own."""
    return [file.at(node, "asserts") for file, node in nodes(root, ast.Assert)]


def stored_values_come_back_equal(root: Path) -> list[str]:
    """`default=str` turns what JSON does not know into text that cannot be read back."""
    return [
        file.at(node, "default=str")
        for file, node in nodes(root, ast.keyword)
        if isinstance(node, ast.keyword) and node.arg == "default" and dotted(node.value) in ("str", "repr")
    ]


def nothing_is_left_unfinished(root: Path) -> list[str]:
    """No notes to oneself, no commented-out code, no paths of one machine."""
    return [f"{file.name}:{line}: {fault}" for file in files(root) for line, fault in _left_behind(file)]


def _left_behind(file: File) -> list[tuple[int, str]]:
    found = [
        (n, "names a place on one machine") for n, text in enumerate(file.text.splitlines(), 1) if PLACES.search(text)
    ]
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type == tokenize.COMMENT:
            comment = token.string.lstrip("#: ")
            if UNFINISHED.search(comment):
                found.append((token.start[0], "a note to oneself"))
            elif _is_code(comment):
                found.append((token.start[0], f"commented-out code: {comment}"))
    return found


def _is_code(comment: str) -> bool:
    """Whether a comment is a statement rather than prose: one word parses too, so only these kinds count."""
    try:
        body = ast.parse(comment).body
    except SyntaxError:
        return False
    kinds = ast.Assign | ast.AugAssign | ast.Import | ast.ImportFrom | ast.Return | ast.Raise | ast.Delete
    return any(
        isinstance(node, kinds) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) for node in body
    )


def _room(file: File) -> str:
    return file.name.split("/")[0] if "/" in file.name else ""


def _from_compiled(module: str) -> bool:
    return any(part.startswith(COMPILED) for part in module.split("."))


def _package(module: str) -> str:
    return module.split(".")[0]


def _foreign(module: str) -> bool:
    return _package(module) not in sys.stdlib_module_names and _package(module) != "temper"


def _not_for_core(file: File, package: str) -> bool:
    if package in CORE_NEVER:
        return file.name not in READS_FOLDERS
    return _foreign(package) and package != "numpy" and (file.name, package) not in CORE_MAY


def _numpy_random(name: str) -> bool:
    head, _, last = name.rpartition(".")
    return head in ("np.random", "numpy.random") and last not in RANDOM_TYPES


RULES: list[Rule] = [
    heavy_libraries_stay_inside_functions,
    core_stands_alone,
    nothing_global_is_random,
    time_is_an_argument,
    only_the_command_line_prints,
    nothing_is_asserted,
    stored_values_come_back_equal,
    nothing_is_left_unfinished,
]

CULPRITS: list[tuple[Rule, str, str]] = [
    (heavy_libraries_stay_inside_functions, "targets/xgb.py", "import xgboost"),
    (heavy_libraries_stay_inside_functions, "kernels/x.py", "from scipy import stats"),
    (
        heavy_libraries_stay_inside_functions,
        "kernels/x.py",
        "try:\n    import numba\nexcept ImportError:\n    numba = None",
    ),
    (heavy_libraries_stay_inside_functions, "kernels/x.py", "from temper.kernels._jit_trees import margins"),
    (heavy_libraries_stay_inside_functions, "kernels/_jit_x.py", "import torch"),
    (heavy_libraries_stay_inside_functions, "cli/list.py", "import pandas.core"),
    (heavy_libraries_stay_inside_functions, "core/x.py", "import msgspec"),
    (core_stands_alone, "core/x.py", "def f():\n    import scipy"),
    (core_stands_alone, "core/x.py", "from pathlib import Path"),
    (core_stands_alone, "core/x.py", "def f():\n    import subprocess"),
    (nothing_global_is_random, "kernels/x.py", "import numpy as np\nx = np.random.normal()"),
    (nothing_global_is_random, "kernels/x.py", "import numpy\nrng = numpy.random.default_rng(0)"),
    (nothing_global_is_random, "kernels/x.py", "import random"),
    (nothing_global_is_random, "kernels/x.py", "def f():\n    from random import choice"),
    (nothing_global_is_random, "targets/torch.py", "def f():\n    import torch\n    torch.manual_seed(0)"),
    (time_is_an_argument, "report/html.py", "from datetime import datetime, UTC\nnow = datetime.now(UTC)"),
    (time_is_an_argument, "store/runs.py", "import datetime\nnow = datetime.datetime.utcnow()"),
    (time_is_an_argument, "kernels/x.py", "import time\nnow = time.time()"),
    (only_the_command_line_prints, "engine/run.py", "print('hello')"),
    (nothing_is_asserted, "engine/run.py", "assert True"),
    (stored_values_come_back_equal, "store/runs.py", "import json\njson.dumps({}, default=str)"),
    (nothing_is_left_unfinished, "core/x.py", "x = 1  # TODO: finish"),
    (nothing_is_left_unfinished, "core/x.py", "# x = f(1)"),
    (nothing_is_left_unfinished, "core/x.py", "# import numpy as np"),
    (nothing_is_left_unfinished, "core/x.py", "x = '/home/someone/model.json'"),
]

INNOCENT = [
    ("targets/xgb.py", "def f():\n    import xgboost\n    return xgboost"),
    ("cli/list.py", "import typer\nprint('hello')"),
    ("engine/run.py", "import time\nfrom datetime import datetime, UTC\nnow = (time.time(), datetime.now(UTC))"),
    ("kernels/x.py", "import time\nimport numpy as np\nt = time.perf_counter()\ng: np.random.Generator"),
    ("core/x.py", "import math\nimport numpy as np\nx = 1  # why: one is enough, two would be too many (see f)"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_keeps_the_rule(rule: Rule) -> None:
    assert not (breaches := rule(SRC)), "\n".join(breaches)


@pytest.mark.parametrize(("rule", "name", "text"), CULPRITS, ids=[f"{r.__name__}-{n}" for r, n, _ in CULPRITS])
def test_planted_breach_is_caught(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, name, text))


@pytest.mark.parametrize(("name", "text"), INNOCENT, ids=[n for n, _ in INNOCENT])
def test_what_is_allowed_is_not_reported(name: str, text: str, tmp_path: Path) -> None:
    root = plant(tmp_path, name, text)
    assert [breach for rule in RULES for breach in rule(root)] == []


@pytest.mark.parametrize(("name", "package"), CORE_MAY)
def test_exception_is_still_needed(name: str, package: str) -> None:
    assert package in {_package(found.module) for found in File(SRC / name, SRC).imports}
