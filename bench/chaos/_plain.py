"""A service as a team writes it first, before a model behind HTTP: `python -m bench.chaos._plain KIND PORT URL CONFIG`.

FastAPI reads the row, aiohttp asks the model. "plain" takes the libraries' own times, "timeout" gives up when the
guard's deadline is over. Neither has a breaker or a fallback.
"""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

KINDS = ("plain", "timeout")
DEADLINE = 0.4


def application(kind: str, url: str, codes: dict[str, list[str]], names: list[str]) -> Any:
    """The service; `codes` are the categories of the columns that have any."""
    import aiohttp
    from fastapi import Body, FastAPI

    held: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        own = {"timeout": aiohttp.ClientTimeout(total=DEADLINE)} if kind == "timeout" else {}
        async with aiohttp.ClientSession(**own) as session:
            held["session"] = session
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> str:
        return "ready"

    @app.post("/v1/score")
    async def score(body: dict[str, Any] = Body()) -> dict[str, Any]:
        row = body["row"]
        values = [codes[name].index(row[name]) if name in codes and name in row else row.get(name) for name in names]
        data = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        tensor = {"name": "input", "shape": [1, len(data)], "datatype": "FP64", "data": data}
        async with held["session"].post(url, json={"inputs": [tensor]}) as told:
            answer = await told.json()
        found = next(one["data"][0] for one in answer["outputs"] if one["name"] == "score")
        return {"results": [{"decision": "allow" if found < 0.5 else "block", "score": found}], "source": "primary"}

    return app


if __name__ == "__main__":
    import uvicorn

    from temper.config.system import load_system

    which, port, where, config = sys.argv[1:5]
    columns = load_system(Path(config)).schema.columns
    words = {column.name: list(column.categories) for column in columns if column.type == "category"}
    made = application(which, where, words, [column.name for column in columns])
    uvicorn.run(made, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
