"""Clusters of activations that training rows of a class make up and held-out rows do not."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.measure import Measurement
from temper.kernels.clusters import clusters
from temper.validation._activations import compared


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationClustering:
    """Cluster class by class what a net hands to its last layer: rows with a trigger make a cluster of their own, and
    held-out rows of the class stay out of it.

    `accused_share` is the share of training rows in such clusters. They are drawn without knowing which rows are held
    out, so that counting them is an exact test, at `level` over all classes; where most classes look alike, their
    statistics are divided by what is usual. Misleads where held-out rows are of another kind than training rows (other
    places, other times) in one class alone. Blind to fewer than about fifty stamped rows a class, to triggers in
    several classes at once, and to an attacker who keeps the activations of stamped rows near their class.
    Source: Chen et al., "Detecting backdoor attacks on deep neural networks by activation clustering", 2018.

    >>> ActivationClustering().level
    0.001
    """

    level: float = 1e-3
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...] | Accused:
        """`accused_share`, with the classes and the rows."""
        return compared("activation_clustering", scene, lambda rows: clusters(rows, self.seed), self.level)


PLUGIN = ActivationClustering
