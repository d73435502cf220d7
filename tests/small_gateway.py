"""A small system with two versions of its model, served by a gateway that tests move on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from temper.gateway.tables.build import Gateway, opened
from temper.store.ledger import record as lines
from temper.store.ledger.verify import records

COLUMNS = ("a", "b", "c")
PROFILE = ".temper/profile.npz"
GUARD = "guard:\n  open: true\n  deadline_ms: 2000\n"
YAML = """system: {{name: small}}
model: {{path: model.json, kind: probabilities, threshold: {threshold}}}
data: {{test: test.csv, train: test.csv, target: y, positive: "1"}}
schema:
  columns:
    a: {{type: number, low: -9, high: 9}}
    b: {{type: number, low: -9, high: 9}}
    c: {{type: number, low: -9, high: 9}}
{guard}"""


@cache
def _learnt() -> dict[str, bytes]:
    """Two versions of a small model, and the rows they learnt from, as files: the same for every module."""
    import xgboost

    rng = np.random.Generator(np.random.Philox(key=7))
    x = rng.normal(size=(4_000, 3)).astype(np.float32)
    y = (x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.normal(size=4_000) > 0).astype(int)
    rows = [",".join((*COLUMNS, "y")), *(f"{a},{b},{c},{t}" for (a, b, c), t in zip(x.tolist(), y, strict=True))]
    settings = {"objective": "binary:logistic", "max_depth": 3}
    boosters = {
        name: xgboost.train(settings, xgboost.DMatrix(x, y), rounds) for name, rounds in (("model", 20), ("next", 25))
    }
    files = {f"{name}.json": bytes(booster.save_raw("json")) for name, booster in boosters.items()}
    return _profiled({"test.csv": "\n".join(rows).encode()} | files)


def _profiled(files: dict[str, bytes]) -> dict[str, bytes]:
    """With the guard's profile of these rows: to fit it takes most of the time in which a gateway opens."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        written(folder)
        opened(folder / "temper.yaml").close()
        return files | {PROFILE: (folder / PROFILE).read_bytes()}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two versions of a small model, and the rows they learnt from."""
    folder = tmp_path_factory.mktemp("models")
    for name, content in _learnt().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A system of its own."""
    copytree(models, tmp_path, dirs_exist_ok=True)
    written(tmp_path)
    return tmp_path


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway that nobody started: tests move it on."""
    found = opened(folder / "temper.yaml")
    yield found
    found.close()


def written(folder: Path, guard: str = GUARD, threshold: float = 0.5) -> None:
    (folder / "temper.yaml").write_text(YAML.format(guard=guard, threshold=threshold))


async def asked(
    gateway: Any, row: tuple[float, ...] = (1.0, 0.0, 0.0), id_: str | None = None, **more: str
) -> dict[str, Any]:
    """The answer to one row, over ASGI."""
    told: list[dict[str, Any]] = []
    document = {"row": dict(zip(COLUMNS, row, strict=True))} | ({"id": id_} if id_ else {}) | more

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(document).encode()}

    async def send(event: dict[str, Any]) -> None:
        told.append(event)

    await gateway({"type": "http", "method": "POST", "path": "/v1/score", "headers": []}, receive, send)
    return {"status": told[0]["status"], **json.loads(told[1]["body"])}


def decisions(gateway: Gateway) -> list[dict[str, Any]]:
    found = [lines.decode(data).document() for _, data in records(gateway.journal.path)]
    return [one["body"] for one in found if one["kind"] == "decision"]
