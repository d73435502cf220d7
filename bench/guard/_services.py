"""The services that `serving` puts side by side: `python -m bench.guard._services KIND PORT FOLDER`.

One model and one table for all (generated: 30 columns), one process each. The naive ones are what a team writes first;
"same predictor" and "bare" show what is left of the difference when the model is called in the same way.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = [f"x{at}" for at in range(30)]
KINDS = ("naive xgboost", "naive lightgbm", "fastapi, same predictor", "bare, same predictor", "guard, all stages")
QUIET = {"host": "127.0.0.1", "log_level": "error", "access_log": False}


def write(folder: Path, model: str = "model.ubj") -> np.ndarray[Any, Any]:
    """Fit the models, write what the services read; the rows that are asked. The guard is given `model`."""
    import lightgbm
    import pandas as pd
    import xgboost
    from sklearn.datasets import make_classification

    x, y = make_classification(30_000, len(COLUMNS), n_informative=15, random_state=0)
    x = x.astype(np.float32).astype(np.float64)
    learnt, asked = slice(0, 20_000), slice(20_000, None)
    one = xgboost.XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1).fit(x[learnt], y[learnt])
    one.save_model(folder / "model.ubj")
    other = lightgbm.LGBMClassifier(n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1).fit(x[learnt], y[learnt])
    other.booster_.save_model(folder / "model.txt")
    frame = pd.DataFrame(x, columns=COLUMNS).assign(y=y)
    frame.iloc[learnt].to_parquet(folder / "train.parquet")
    frame.iloc[asked].to_parquet(folder / "test.parquet")
    (folder / "temper.yaml").write_text(_yaml(x, model), encoding="utf-8")
    return x[asked]


def forget(folder: Path) -> None:
    """Let the guard begin anew: no decisions, and no gateway of its name that has only just gone."""
    shutil.rmtree(folder / ".temper" / "audit", ignore_errors=True)
    for file in (folder / ".temper").glob("control.db*"):
        file.unlink()


def _yaml(x: np.ndarray[Any, Any], model: str) -> str:
    lows, highs = x.min(axis=0), x.max(axis=0)
    columns = "\n".join(
        f"    {name}: {{type: number, low: {low}, high: {high}}}"
        for name, low, high in zip(COLUMNS, lows, highs, strict=True)
    )
    return f"""system: {{name: bench, simulated: true}}
model: {{path: {model}, kind: probabilities, threshold: 0.5}}
data: {{test: test.parquet, train: train.parquet, target: y}}
schema:
  columns:
{columns}
guard:
  open: true
  deadline_ms: 1000
  quota: {{per_second: 1000000, burst: 1000000}}
  anomaly: {{mode: enforce}}
  extraction: {{mode: shadow}}
  output: {{mode: enforce}}
"""


def main(words: list[str]) -> int:
    """Serve until killed."""
    import uvicorn

    kind, port, folder = words[0], int(words[1]), Path(words[2])
    os.chdir(folder)
    if kind == "guard, all stages":
        from temper.gateway.tables.build import serve

        serve(folder / "temper.yaml", port=port)
        return 0
    app = _bare(folder) if kind.startswith("bare") else _fastapi(kind, folder)
    uvicorn.run(app, port=port, **QUIET)  # type: ignore[arg-type]
    return 0


def _fastapi(kind: str, folder: Path) -> Any:
    """What the documentation of FastAPI shows, with the estimator called on one row."""
    from fastapi import FastAPI
    from pydantic import create_model

    row = create_model("Row", **dict.fromkeys(COLUMNS, (float, ...)))  # type: ignore[call-overload]
    asked = create_model("Asked", row=(row, ...))
    score = _score(kind, folder)
    app = FastAPI()

    def answer(body: asked) -> dict[str, float]:  # type: ignore[valid-type]
        return {"score": score(np.array([[getattr(body.row, name) for name in COLUMNS]]))}  # type: ignore[attr-defined]

    async def answer_at_once(body: asked) -> dict[str, float]:  # type: ignore[valid-type]
        return answer(body)

    for function in (answer, answer_at_once):
        function.__annotations__["body"] = asked
    # A model that takes microseconds belongs on the event loop, one that takes longer on FastAPI's threads.
    app.post("/v1/score")(answer_at_once if "same" in kind else answer)
    return app


def _score(kind: str, folder: Path) -> Any:
    if kind == "naive xgboost":
        import xgboost

        model = xgboost.XGBClassifier(n_jobs=1)
        model.load_model(folder / "model.ubj")
        return lambda x: float(model.predict_proba(x)[0, 1])
    if kind == "naive lightgbm":
        import lightgbm

        booster = lightgbm.Booster(model_file=folder / "model.txt")
        return lambda x: float(booster.predict(x, num_threads=1)[0])
    found = _served(folder)
    return lambda x: float(found(x)[0])


def _served(folder: Path) -> Any:
    from temper.config.system import load_system
    from temper.targets.served import served

    system = load_system(folder / "temper.yaml")
    return served(system.target, system.data.x, system.threshold).score


def _bare(folder: Path) -> Any:
    """ASGI without anything around it."""
    import msgspec

    score = _served(folder)
    row = msgspec.defstruct("Row", [(name, float) for name in COLUMNS])
    decoder = msgspec.json.Decoder(msgspec.defstruct("Asked", [("row", row)]))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked = (await receive())["body"]
        found = msgspec.structs.astuple(decoder.decode(asked).row) if asked else (0.0,) * len(COLUMNS)
        body = b'{"score":%f}' % score(np.array([found]))[0]
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    return app


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
