"""Training a net on the worst of a few random views of every image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.hardening._training import Batch, Course, net_of, train
from temper.kernels.tone import toned
from temper.kernels.warp import Warp


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOfK:
    """Train a copy of the net on that of `views` random views of every image which it judges worst: turned (degrees),
    shifted (share of the image), lighter or darker (share of the range), with more or less contrast.

    Against a turned camera and another light, which lie far outside every ball. Costs `views` passes per batch beside
    the one that teaches. Misleads beyond the turns and lights it trained on, and says nothing about noise or stickers.
    Source: Engstrom et al., "Exploring the landscape of spatial robustness", 2019.

    >>> WorstOfK(views=3).rotation
    30.0
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"views": 3}, {"epochs": 10})
    epochs: int = 5
    views: int = 10
    batch: int = 128
    rate: float = 1e-3
    rotation: float = 30.0
    shift: float = 0.1
    brightness: float = 0.2
    contrast: float = 0.3
    fresh: bool = False
    schema: Schema | None = None

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same net with weights trained on views; `Unsupported` for anything but a torch net on images."""
        if len(data.x.shape) != 4:
            raise Unsupported(
                "worst-of-k turns images (n, channels, height, width), and these rows are none",
                fix="use madry or fast for rows of numbers",
            )
        if self.schema is None or not math.isfinite(self.schema.high - self.schema.low):
            raise Unsupported("worst-of-k needs to know the range of a pixel", fix="give the schema a box")
        course = Course(epochs=self.epochs, batch=self.batch, rate=self.rate, fresh=self.fresh)
        return train(net_of(target, data, "worst-of-k"), data, rng, course, self._lesson)

    def _lesson(self, batch: Batch) -> Iterator[Any]:
        import torch

        batch.crafting()
        found, most = batch.x, torch.full_like(batch.x.flatten(1)[:, 0], -math.inf)
        with torch.no_grad():
            for _ in range(self.views):
                view = self._view(batch)
                loss = batch.loss(view, "none")
                found = view.where((loss > most)[:, None, None, None], found)
                most = loss.maximum(most)
        batch.learning()
        yield batch.loss(found)

    def _view(self, batch: Batch) -> Any:
        """One random view of every image."""
        import torch

        x, schema = batch.x, self.schema
        like = {"generator": batch.numbers, "device": x.device, "dtype": x.dtype}
        drawn = 2 * torch.rand((len(x), 5), **like) - 1
        high, wide = x.shape[-2:]
        turn, down, right = math.radians(self.rotation), self.shift * high, self.shift * wide
        pose = torch.stack([turn * drawn[:, 0], 1 + 0 * drawn[:, 0], down * drawn[:, 1], right * drawn[:, 2]], dim=1)
        seen = Warp.of(x, pose).image(x)
        low, top = (schema.low, schema.high) if schema is not None else (0.0, 1.0)
        return toned(seen, low, top, self.brightness * drawn[:, 3], self.contrast * drawn[:, 4])


PLUGIN = WorstOfK
