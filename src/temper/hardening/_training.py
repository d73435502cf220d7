"""One training loop for all defences of nets: a copy of the module, seeded batches, one lesson per batch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.targets.torch import Torch, load_stored, log_probabilities

_RISE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long and how fast to train by Adam; the rate rises over the first fifth and falls to zero at the end.

    `fresh` starts from new random weights instead of those of the model.
    """

    epochs: int = 5
    batch: int = 128
    rate: float = 1e-3
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or not self.rate > 0:
            raise TemperError(
                f"training for {self.epochs} epochs in batches of {self.batch} at rate {self.rate:g} does nothing",
                fix="use one epoch, a batch of 2 and a rate above zero at least",
            )

    def rate_at(self, share: float) -> float:
        """The rate after this share of the training.

        >>> Course(rate=0.1).rate_at(0.2), Course(rate=0.1).rate_at(1.0)
        (0.1, 0.0)
        """
        return self.rate * min(share / _RISE, (1.0 - share) / (1.0 - _RISE))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """The rows of one step: tensors `x` and `y`, the same rows as given (`clean`), their positions and the epoch.

    `numbers` is the random generator of the device; `norms` are the batch-norm layers.
    """

    model: Any
    kind: ScoreKind
    x: Any
    y: Any
    clean: Array
    rows: Array
    epoch: int
    numbers: Any
    norms: tuple[Any, ...]

    def log_probabilities(self, point: Any) -> Any:
        """Log-probabilities (n, classes) of the module as it is now."""
        return log_probabilities(self.model(point), self.kind)

    def loss(self, point: Any, reduction: str = "mean") -> Any:
        """Cross-entropy of the truth."""
        import torch

        return torch.nn.functional.nll_loss(self.log_probabilities(point), self.y, reduction=reduction)

    def crafting(self) -> None:
        """Batch statistics stay as they are while examples are made."""
        for part in self.norms:
            part.eval()

    def learning(self) -> None:
        """Batch statistics are those of the batch, and are kept."""
        for part in self.norms:
            part.train()


Lesson = Callable[[Batch], Iterator[Any]]
"""Gives the losses of a batch, one after the other; each is followed by one step of the optimiser."""


def net_of(target: Target, data: Data, defence: str) -> Torch:
    """The target as the torch net it is, or `Unsupported` saying why it cannot be trained on these rows."""
    if not isinstance(target, Torch):
        raise Unsupported(
            f"{defence} trains a torch module, and this is a {target.name} target",
            fix="hand in the torch module itself, or use a defence for such models",
        )
    if target.kind is ScoreKind.VALUE:
        raise Unsupported(
            f"{defence} trains classifiers, and this net gives values", fix="use squeezing, which trains nothing"
        )
    if b"archive_format" in target.stored:
        raise Unsupported("an exported program has no training mode", fix="open the module itself or TorchScript")
    if not any(True for _ in target.model.parameters()):
        raise Unsupported("the module has no weights to train (a frozen program?)", fix="save it without freezing")
    if len(data) < 2:
        raise Unsupported(f"{defence} needs two training rows at least", fix="give more under data.train")
    if isinstance(data.x, np.ndarray) and not np.isfinite(data.x).all():
        raise Unsupported(f"{defence} cannot follow a gradient through missing values", fix="fill them before the net")
    return target


def train(target: Torch, data: Data, rng: Draws, course: Course, lesson: Lesson) -> Torch:
    """A target around a trained copy; the one passed in is left alone. Dropout stays off, as in evaluation.

    Raises `Unsupported` when the training leaves finite numbers.
    """
    import torch

    with torch.enable_grad():
        model = _copy(target)
        numbers = torch.Generator(device=next(model.parameters()).device)
        numbers.manual_seed(rng.integer())
        if course.fresh:
            _renew(model, numbers)
        _walk(target, model, data, rng, course, lesson, numbers)
    if not all(bool(torch.isfinite(weight).all()) for weight in model.parameters()):
        raise Unsupported("the training left finite numbers", fix="use a smaller rate")
    return replace(target, model=model.eval(), stored=_bytes(model) if target.stored else b"")


def _walk(target: Torch, model: Any, data: Data, rng: Draws, course: Course, lesson: Lesson, numbers: Any) -> None:
    """Every batch of every epoch."""
    import torch

    first = next(model.parameters())
    truth = torch.as_tensor(np.array(data.y), dtype=torch.long, device=first.device)
    norms = tuple(part for part in model.modules() if _title(part).startswith(("BatchNorm", "SyncBatchNorm")))
    optimiser = torch.optim.Adam(model.parameters(), lr=course.rate)
    for at, (epoch, rows) in enumerate(batches := list(_batches(len(data), course, rng))):
        for group in optimiser.param_groups:
            group["lr"] = course.rate_at((at + 1) / (len(batches) + 1))
        clean = data.x[rows]
        batch = Batch(
            model=model,
            kind=target.kind,
            x=torch.as_tensor(clean, dtype=first.dtype, device=first.device),
            y=truth[rows],
            clean=clean,
            rows=rows,
            epoch=epoch,
            numbers=numbers,
            norms=norms,
        )
        for loss in lesson(batch):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _batches(n: int, course: Course, rng: Draws) -> Iterator[tuple[int, Array]]:
    """(epoch, positions): every row once per epoch, in batches of nearly equal size, none of a single row."""
    order, count = rng.child("order"), max(1, min(math.ceil(n / course.batch), n // 2))
    for epoch in range(course.epochs):
        for rows in np.array_split(order.generator(epoch).permutation(n), count):
            yield epoch, rows


def _copy(target: Torch) -> Any:
    """The module again, in evaluation mode, with weights that learn: all of them where none did."""
    model = load_stored(target.stored) if target.stored else copy.deepcopy(target.model)
    model = model.to(next(target.model.parameters()).device).eval()
    weights = list(model.parameters())
    if not any(weight.requires_grad for weight in weights):
        for weight in weights:
            weight.requires_grad_(True)
    return model


def _bytes(model: Any) -> bytes:
    return bytes(model.save_to_buffer())


def _renew(model: Any, numbers: Any) -> None:
    """New weights as torch draws them for dense layers and convolutions, from `numbers` and not from its own state."""
    for part in model.modules():
        own = dict(part.named_parameters(recurse=False))
        if not own:
            continue
        if not _title(part).startswith(("Linear", "Conv", "BatchNorm")):
            raise Unsupported(f"no rule to start a {_title(part)} layer anew", fix="set fresh to False")
        _restart(part, own, numbers)


def _restart(part: Any, own: dict[str, Any], numbers: Any) -> None:
    import torch

    with torch.no_grad():
        if _title(part).startswith("BatchNorm"):
            own["weight"].fill_(1.0)
            own["bias"].zero_()
            part.running_mean.zero_()
            part.running_var.fill_(1.0)
            return
        edge = 1.0 / math.sqrt(math.prod(own["weight"].shape[1:]))
        for weight in own.values():
            weight.uniform_(-edge, edge, generator=numbers)


def _title(part: Any) -> str:
    """The class of a layer, scripted or not."""
    return str(getattr(part, "original_name", type(part).__name__))
