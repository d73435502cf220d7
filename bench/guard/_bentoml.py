"""What `frameworks` serves with BentoML, in BentoML's own environment: the model that MODEL names, on the event loop as
suits one of microseconds, alone and with adaptive batching.
"""

from __future__ import annotations

import os

import bentoml
import lightgbm
import numpy as np

QUIET = {"access": {"enabled": False}}


@bentoml.service(workers=1, metrics={"enabled": False}, tracing={"sample_rate": 0.0}, logging=QUIET)
class Score:
    """LightGBM behind `/alone` and `/together`."""

    def __init__(self) -> None:
        self._booster = lightgbm.Booster(model_file=os.environ["MODEL"])

    @bentoml.api
    async def alone(self, rows: list[list[float]]) -> list[float]:
        """One call of the model for each request."""
        return self._booster.predict(np.array(rows), num_threads=1).tolist()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1_000)
    async def together(self, rows: np.ndarray) -> np.ndarray:
        """Requests that come within moments share a call."""
        return self._booster.predict(rows, num_threads=1)
