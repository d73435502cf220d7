"""Small changes of training rows whose gradient pulls a net towards a wrong answer on one other row."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import Unsupported
from temper.core.target import ScoreKind, Target
from temper.targets.torch import load_stored, log_probabilities

Vector = np.ndarray[Any, Any]
_RATE, _FALLS = 0.1, ((0.5, 0.3), (0.8, 0.1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surrogate:
    """A copy of a fitted net whose weights take gradients; the net itself is left as it is."""

    model: Any
    kind: ScoreKind

    def losses(self, x: Any, y: Any) -> Any:
        """Cross-entropy of these classes, row by row."""
        import torch

        rows = log_probabilities(self.model(x), self.kind)
        return torch.nn.functional.nll_loss(rows, y, reduction="none")

    def slope(self, x: Any, y: Any, *, graph: bool = False) -> Any:
        """The gradient of the mean loss by all weights, as one long vector."""
        import torch

        parts = torch.autograd.grad(self.losses(x, y).mean(), list(self.model.parameters()), create_graph=graph)
        return torch.cat([part.reshape(-1) for part in parts])


def surrogate(target: Target) -> Surrogate:
    """The net behind a target; `Unsupported` where it is none that can be differentiated twice."""
    import torch

    model, stored = getattr(target, "model", None), getattr(target, "stored", b"")
    if not isinstance(model, torch.nn.Module) or b"archive_format" in stored:
        raise Unsupported(
            f"gradients are matched on a torch module, and this is a {target.name} target", fix="open the module itself"
        )
    copied = load_stored(stored) if stored else copy.deepcopy(model)
    copied = copied.to(next(model.parameters()).device).eval()
    for weight in copied.parameters():
        weight.requires_grad_(True)
    return Surrogate(model=copied, kind=target.kind)


def hardest(net: Surrogate, x: Vector, into: int) -> Vector:
    """Positions of the rows in falling order of the loss as class `into`: those whose gradients are the largest."""
    import torch

    with torch.no_grad():
        rows = _tensor(net, x)
        return np.argsort(-net.losses(rows, _classes(rows, into)).cpu().numpy(), kind="stable")


def matched(
    nets: Sequence[Surrogate],
    x: Vector,
    aim: Vector,
    into: int,
    reach: Any,
    ends: tuple[Any, Any],
    steps: int,
    rng: np.random.Generator,
) -> Vector:
    """`x`, each value moved by at most `reach` within `ends`, so that its gradient as class `into` points where that
    of the row `aim` as class `into` does: signed steps of Adam on one minus their cosine, on one net after the other.
    """
    import torch

    with torch.enable_grad():
        rows, wide = _tensor(nets[0], x), _tensor(nets[0], np.broadcast_to(reach, x.shape))
        low, high = (_tensor(nets[0], np.broadcast_to(end, x.shape)) for end in ends)
        low, high = torch.minimum(low, rows), torch.maximum(high, rows)
        truth, one = _classes(rows, into), _tensor(nets[0], aim[None])
        goals = [net.slope(one, truth[:1]).detach() for net in nets]
        share = torch.as_tensor(rng.uniform(-1.0, 1.0, x.shape), dtype=rows.dtype, device=rows.device).requires_grad_()
        adam = torch.optim.Adam([share], lr=_RATE)
        for step in range(steps):
            at = step % len(nets)
            moved = (rows + wide * share).clamp(low, high)
            apart = 1.0 - torch.nn.functional.cosine_similarity(
                nets[at].slope(moved, truth, graph=True), goals[at], dim=0
            )
            share.grad = torch.autograd.grad(apart, share)[0].sign()
            adam.param_groups[0]["lr"] = _RATE * next((f for after, f in _FALLS[::-1] if step >= after * steps), 1.0)
            adam.step()
            share.data.clamp_(-1.0, 1.0)
        return np.asarray((rows + wide * share).clamp(low, high).detach().cpu().numpy().astype(x.dtype))


def _tensor(net: Surrogate, x: Vector) -> Any:
    import torch

    first = next(net.model.parameters())
    return torch.as_tensor(np.array(x), dtype=first.dtype, device=first.device)


def _classes(rows: Any, into: int) -> Any:
    import torch

    return torch.full((len(rows),), into, dtype=torch.long, device=rows.device)
