"""The inner attack of adversarial training: gradient ascent that asks for the slope of the input alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temper.hardening._ball import Ball
from temper.hardening._training import Batch


def worst(batch: Batch, ball: Ball, steps: int, size: float, harm: Callable[[Any], Any]) -> Any:
    """The point per row after `steps` steps of `size` up `harm(point)` (one number) from a random start."""
    import torch

    batch.crafting()
    point = ball.start(batch.numbers)
    for _ in range(steps):
        point.requires_grad_(True)
        (slope,) = torch.autograd.grad(harm(point), point)
        point = ball.stepped(point.detach(), slope, size)
    batch.learning()
    return point
