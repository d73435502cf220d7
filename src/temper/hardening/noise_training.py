"""Training a net under the noise that a smoothed model votes with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.hardening._training import Batch, Course, net_of, train
from temper.targets._noise import Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseTraining:
    """Train a copy of the net on its rows under Gaussian noise of `sigma` scales, new in every epoch.

    Made for `hardening.smoothing`, which votes under the same noise: apply this first, that second. Misleads as a
    defence of its own: the net grows steadier at random, and an attacker does not move at random.
    Source: Cohen, Rosenfeld & Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    >>> NoiseTraining(sigma=0.5).epochs
    5
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"sigma": 0.12}, {"sigma": 0.5})
    epochs: int = 5
    batch: int = 128
    rate: float = 1e-3
    sigma: float = 0.25
    fresh: bool = False
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same net with weights trained under noise; `Unsupported` for everything that is no torch net."""
        if self.schema is None:
            raise Unsupported(
                "noise training needs a schema that says what may move, and there is none",
                fix="describe the inputs under `schema:`",
            )
        noise = Noise(schema=self.schema, sigma=self.sigma)
        course = Course(epochs=self.epochs, batch=self.batch, rate=self.rate, fresh=self.fresh)
        draws = Draws(rng.seed, f"{rng.name}/noise", np.asarray(data.ids))
        return train(
            net_of(target, data, "noise training"), data, rng, course, lambda batch: self._lesson(batch, noise, draws)
        )

    def _lesson(self, batch: Batch, noise: Noise, draws: Draws) -> Iterator[Any]:
        import torch

        here = Draws(draws.seed, draws.name, draws.ids[batch.rows], batch.clean)
        own, steps = np.arange(len(batch.rows)), np.full(len(batch.rows), batch.epoch)
        noisy = noise.on(batch.clean, here, own, steps)
        batch.learning()
        yield batch.loss(torch.as_tensor(noisy, dtype=batch.x.dtype, device=batch.x.device))


PLUGIN = NoiseTraining
