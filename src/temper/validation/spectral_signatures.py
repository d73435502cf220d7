"""Training rows far out where the activations of their class spread most, and no held-out row is."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.measure import Measurement
from temper.kernels.spectral import signatures
from temper.validation._activations import compared


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSignatures:
    """Look class by class at what a net hands to its last layer, whitened by a robust covariance: rows with a trigger
    lie at an end of one of the directions of largest spread, where held-out rows of the class do not.

    `accused_share` is the share of training rows at such ends. The ends are drawn without knowing which rows are
    held out, so that counting them is an exact test, at `level` over all classes; where most classes look alike, their
    statistics are divided by what is usual. Misleads where held-out rows are of another kind than training rows (other
    places, other times) in one class alone. Blind to fewer than about fifty stamped rows a class, to triggers in
    several classes at once, and to an attacker who keeps the activations of stamped rows near their class.
    Source: Tran, Li & Madry, "Spectral signatures in backdoor attacks", 2018; Hayase et al., "SPECTRE: defending
    against backdoor attacks using robust statistics", 2021.

    >>> SpectralSignatures().level
    0.001
    """

    level: float = 1e-3
    directions: int = 3

    def measure(self, scene: Scene) -> tuple[Measurement, ...] | Accused:
        """`accused_share`, with the classes and the rows."""
        return compared("spectral_signatures", scene, lambda rows: signatures(rows, self.directions), self.level)


PLUGIN = SpectralSignatures
