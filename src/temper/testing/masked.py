"""Nets that look hard to fool and are not: each hides its gradients in its own way; and one that hides nothing.

All of them decide by one linear rule over small pictures, so that their true robustness is known in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.seed import Draws

SHAPE = (1, 4, 4)
SIZE = 16
GAP = 0.08  # distance (linf) of every row to the true decision


def rows(n: int, gap: float = GAP, seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pictures (n, 1, 4, 4) in [0, 1] at this linf distance from the decision, half on either side, and their classes.

    >>> x, y = rows(4)
    >>> x.shape, y.tolist()
    ((4, 1, 4, 4), [0, 1, 0, 1])
    """
    x = Draws(seed, "testing.masked").uniform(np.arange(n), 0, (SIZE,), 0.3, 0.7)
    y = np.arange(n) % 2
    signs = _signs()
    height = x @ signs
    return (x + np.outer((2 * y - 1) * gap * SIZE - height, signs) / SIZE).reshape((n, *SHAPE)), y


def _signs() -> np.ndarray[Any, Any]:
    return np.where(np.arange(SIZE) % 2 == 0, 1.0, -1.0)


def _net(spoil: Callable[[Any, Any, Any], Any], *, scale: float = 4.0) -> Any:
    """A module whose scores are `spoil(self, x, linear)`, `linear` being the honest logits (n, 2) by the rule."""
    import torch

    class Spoiled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rule = torch.nn.Linear(SIZE, 2)
            self.decoy = torch.nn.Linear(SIZE, 2, bias=False)
            with torch.no_grad():
                half = torch.as_tensor(_signs() * scale / 2, dtype=torch.float32)
                self.rule.weight.copy_(torch.stack([-half, half]))
                self.rule.bias.zero_()
                turned = torch.roll(half, 1).reshape(4, 4).triu().reshape(-1)
                self.decoy.weight.copy_(torch.stack([-turned, turned]))

        def forward(self, x: Any) -> Any:
            return spoil(self, x.flatten(1), self.rule)

    return Spoiled().eval()


def honest(scale: float = 4.0) -> Any:
    """The rule itself, nothing hidden."""
    return _net(lambda net, x, rule: rule(x), scale=scale)


def quantised_activations() -> Any:
    """Its logits are rounded to steps: every gradient is zero."""
    import torch

    return _net(lambda net, x, rule: torch.round(4 * rule(x)) / 4 + 0.0 * rule(x))


def quantised_input() -> Any:
    """It rounds its input to 16 levels: every gradient is zero."""
    import torch

    return _net(lambda net, x, rule: rule(torch.round(x * 15) / 15))


def stopped_gradient() -> Any:
    """Nothing of its answer reaches the input on the way back."""
    return _net(lambda net, x, rule: rule(x.detach()))


def detached_branch() -> Any:
    """The rule is cut off on the way back; what is left points somewhere else and changes next to nothing."""
    return _net(lambda net, x, rule: rule(x.detach()) + 1e-3 * net.decoy(x))


def loud() -> Any:
    """Logits a thousand times too large: the cross-entropy is flat in single precision."""
    return _net(lambda net, x, rule: rule(x), scale=4_000.0)


def saturated() -> Any:
    """Probabilities of logits that are far too large: exactly 0 and 1 but at the decision itself. PROBABILITIES."""
    import torch

    return _net(lambda net, x, rule: torch.softmax(rule(x), dim=1), scale=4_000.0)


def broken_gradient() -> Any:
    """Its answers are sound and its gradients are not numbers (the root of nothing)."""
    import torch

    return _net(lambda net, x, rule: rule(x) + torch.sqrt((x * 0.0).sum(1, keepdim=True)))


def randomised(noise: float = 0.15) -> Any:
    """It adds noise to its input at every call. Declare it stochastic."""
    import torch

    return _net(lambda net, x, rule: rule(x + noise * torch.randn_like(x)))


def dropping() -> Any:
    """A net left in training mode with dropout on."""
    import torch

    class Dropping(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.lost = honest(), torch.nn.Dropout(0.5)

        def forward(self, x: Any) -> Any:
            return self.body(self.lost(x))

    return Dropping().train()


def half() -> Any:
    """Weights in half precision."""
    return honest().half()


MASKED = {
    "quantised activations": quantised_activations,
    "quantised input": quantised_input,
    "stopped gradient": stopped_gradient,
    "detached branch": detached_branch,
    "broken gradient": broken_gradient,
    "loud": loud,
    "saturated": saturated,
    "randomised": randomised,
    "dropping": dropping,
    "half": half,
}
