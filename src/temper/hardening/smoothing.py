"""The majority under noise instead of one answer."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Target
from temper.targets._noise import Noise, votable
from temper.targets.smoothed import Smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """Ask the model `samples` times under Gaussian noise of `sigma` scales and decide by the majority.

    Nothing is fitted again, every answer costs `samples` answers of the model, and `validation.smoothing` can then
    certify it. `threshold` is the one the model is used with; without it the most likely class gets the vote.
    Misleads where the model was not trained under such noise: it then votes on inputs it never saw and loses accuracy.
    An attack on a model that votes must average over its noise, or it only sees the noise.
    Source: Cohen, Rosenfeld & Kolter, "Certified adversarial robustness via randomized smoothing", 2019.

    >>> Smoothing(sigma=0.5).samples
    100
    """

    sigma: float = 0.25
    samples: int = 100
    alpha: float = 0.001
    threshold: float | None = None
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind a vote."""
        if self.schema is None:
            raise Unsupported(
                "smoothing needs a schema that says what may move, and there is none",
                fix="describe the inputs under `schema:`",
            )
        votable(target.kind)
        Noise(schema=self.schema, sigma=self.sigma)
        return Smoothed(
            inner=target,
            schema=self.schema,
            sigma=self.sigma,
            samples=self.samples,
            threshold=self.threshold,
            alpha=self.alpha,
            seed=rng.integer(),
        )


PLUGIN = Smoothing
