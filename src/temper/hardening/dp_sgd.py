"""A net trained anew with differential privacy."""

from __future__ import annotations

import copy
import math
import secrets
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.hardening._private import asked_for_nothing_more, delta_of, extra, one_row_each, positive_budget
from temper.hardening._training import Batch, net_of
from temper.targets.private import private
from temper.targets.refitted import Refitted
from temper.targets.torch import Torch

_HELD = 20_000_000  # gradients of single rows kept at a time, in numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class DpSgd:
    """Train the net from new random weights; each row's gradient is cut to the length `clip`, and noise is added to
    their sum, so that one row more or less changes the weights no more than `epsilon` and `delta` (None: a tenth of one
    over the rows) say: a proof against every membership attack.

    Every step draws its rows independently (Poisson), about `batch` of them. Needs layers that treat rows apart: no
    batch norm. Misleads in four ways. The noise is drawn from the run's seed, so that a run can be repeated, and guards
    nothing against whoever knows the seed: `secret` takes another seed from the system, for the net that is released.
    Means and scales that were computed from the rows and lie in the net as constants stand outside the proof, and so
    does what is chosen by looking at the rows (this epsilon among others, the threshold). And it speaks of one row.
    Source: Abadi et al., "Deep learning with differential privacy", 2016; by Opacus.

    >>> DpSgd(epsilon=1.0).clip
    1.0
    """

    needs: ClassVar[Access] = Access.GRADIENTS
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"epsilon": 8.0}, {"epsilon": 1.0})
    epsilon: float = 4.0
    delta: float | None = None
    epochs: int = 40
    batch: int = 512
    rate: float = 3e-3
    clip: float = 1.0
    secret: bool = False

    def __post_init__(self) -> None:
        positive_budget(self.epsilon, self.delta)
        if self.epochs < 1 or self.batch < 1 or not self.rate > 0 or not self.clip > 0:
            raise TemperError(
                f"{self} trains nothing", fix="one epoch, batches of 1, a rate and a clip above 0 at least"
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same architecture with private weights; `Unsupported` for everything that is no torch module."""
        held = target.inner if isinstance(target, Refitted) else target
        return _fitted(self, net_of(held, data, "dp_sgd"), data, Recipe(seed=rng.integer()))


def _fitted(how: DpSgd, net: Torch, data: Data, recipe: Recipe) -> Target:
    """The net of these rows within the budget."""
    import torch

    asked_for_nothing_more(recipe, "dp_sgd")
    one_row_each(data, "dp_sgd")
    delta = delta_of(how.delta, len(data))
    draws = Draws(recipe.seed, "hardening.dp_sgd")
    seeds = [secrets.randbits(62) if how.secret else draws.integer(step) for step in range(3)]
    module = _anew(net, seeds[0])
    with extra("opacus", "dp_sgd"), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # Opacus speaks of hooks and of orders it tried
        module.load_state_dict(_weights(module, net, data, how, delta, seeds))
    if not all(bool(torch.isfinite(weight).all()) for weight in module.parameters()):
        raise Unsupported("the training left finite numbers", fix="use a smaller rate")
    inner = replace(net, model=module.eval())
    return private(inner, epsilon=how.epsilon, delta=delta, seeded=not how.secret, fit=partial(_fitted, how, net))


def _anew(net: Torch, seed: int) -> Any:
    """A copy of the module whose every weight is new, as its layers draw them: those in use have seen the rows."""
    import torch

    if net.stored:
        raise Unsupported(
            "dp_sgd needs the gradient of each row, and a stored program gives none", fix="hand in the module itself"
        )
    first = next(net.model.parameters())
    module = copy.deepcopy(net.model).cpu()
    with torch.random.fork_rng(devices=[]):  # layers draw from torch's own numbers, which are put back
        torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        for part in module.modules():
            if list(part.parameters(recurse=False)):
                _restart(part)
    return module.to(first.device).requires_grad_(True)


def _restart(part: Any) -> None:
    if not hasattr(part, "reset_parameters"):
        raise Unsupported(
            f"no rule to start a {type(part).__name__} layer anew", fix="give the layer a reset_parameters method"
        )
    part.reset_parameters()


def _weights(module: Any, net: Torch, data: Data, how: DpSgd, delta: float, seeds: list[int]) -> dict[str, Any]:
    """The weights after the last step, by Opacus."""
    import torch
    from opacus.optimizers import DPOptimizer
    from opacus.utils.uniform_sampler import UniformWithReplacementSampler

    watched = _watched(copy.deepcopy(module))
    share = min(1.0, how.batch / len(data))
    drawn = UniformWithReplacementSampler(
        num_samples=len(data),
        sample_rate=share,
        steps=math.ceil(how.epochs / share),
        generator=torch.Generator().manual_seed(seeds[1]),
    )
    optimiser = DPOptimizer(
        torch.optim.Adam(watched.parameters(), lr=how.rate),
        noise_multiplier=_noise(how.epsilon, delta, share, drawn.steps),
        max_grad_norm=how.clip,
        expected_batch_size=share * len(data),
        generator=torch.Generator(device=next(module.parameters()).device).manual_seed(seeds[2]),
    )
    for rows in drawn:
        _step(watched, optimiser, net, data, np.array(rows, dtype=np.int64))
    return dict(watched._module.state_dict())


@lru_cache(maxsize=64)
def _noise(epsilon: float, delta: float, share: float, steps: int) -> float:
    """The noise, in lengths of the clip, under which so many steps spend the budget (seconds of numerical search)."""
    from opacus.accountants.utils import get_noise_multiplier

    budget = {"target_epsilon": epsilon, "target_delta": delta, "sample_rate": share, "steps": steps}
    try:
        return float(get_noise_multiplier(**budget, accountant="prv"))
    except ValueError:
        raise Unsupported(
            f"no noise is enough for epsilon {epsilon:g} in {steps} steps", fix="use a larger epsilon, or fewer epochs"
        ) from None


def _watched(module: Any) -> Any:
    """The module, learning, with the gradient of each row; refused, in Opacus' own words, where layers mix rows or keep
    statistics of them. Dropout stays off, as in evaluation.
    """
    from opacus import GradSampleModule
    from opacus.validators import ModuleValidator

    for part in module.modules():
        part.train(bool(list(part.parameters())))
    errors = [*ModuleValidator.validate(module, strict=False), *GradSampleModule.validate(module, strict=False)]
    if errors:
        raise Unsupported(
            f"dp_sgd cannot train this net: {' '.join(str(errors[0]).split())}",
            fix="put group norm in its place (opacus.validators.ModuleValidator.fix does), train it, and open that net",
        )
    return GradSampleModule(module, loss_reduction="sum")


def _step(watched: Any, optimiser: Any, net: Torch, data: Data, rows: np.ndarray[Any, Any]) -> None:
    """One step on the rows drawn, which may be none; their gradients are taken in parts that fit into memory."""
    import torch

    first = next(watched.parameters())
    most = max(1, _HELD // sum(weight.numel() for weight in watched.parameters()))
    parts = np.array_split(rows, max(1, math.ceil(len(rows) / most)))
    for at, part in enumerate(parts):
        clean = np.asarray(data.x)[part]
        batch = Batch(
            model=watched,
            kind=net.kind,
            x=torch.as_tensor(clean, dtype=first.dtype, device=first.device),
            y=torch.as_tensor(np.asarray(data.y)[part], dtype=torch.long, device=first.device),
            clean=clean,
            rows=part,
            epoch=0,
            numbers=optimiser.generator,
            norms=(),
        )
        optimiser.zero_grad()
        batch.loss(batch.x, "sum").backward()
        optimiser.signal_skip_step(at < len(parts) - 1)
        optimiser.step()


PLUGIN = DpSgd
