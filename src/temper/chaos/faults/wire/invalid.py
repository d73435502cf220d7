"""Answers are no JSON."""

from __future__ import annotations

from dataclasses import dataclass

from temper.chaos.effect import Effect
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """The answer has status 200 and a body that is no JSON, as a proxy's page of HTML.

    Misleads about answers that are JSON of a wrong shape: readers that trust a shape meet those later.
    Source: RFC 8259; the error pages of reverse proxies.

    >>> Invalid(text="<html>").meet(0, 0.0, Draws(0, "x")).body
    b'<html>'
    """

    text: str = '<!doctype html><title>Bad gateway</title>{"outputs": ['

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        """What is done to exchange number `at`, `age` seconds after the fault began."""
        return Effect(body=self.text.encode())


PLUGIN = Invalid
