"""Defence in depth, measured: `temper.weigh`, and what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.api import open_store
from temper.core.depth import Depth, Limits, Share
from temper.core.event import Listener, silent
from temper.core.requirement import Verdict
from temper.core.system import Protected
from temper.report.notebook import Shown, Table, View

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Layers(Shown):
    """What each layer of a guard is worth, and what all of them let through."""

    depth: Depth

    @property
    def verdict(self) -> Verdict:
        """Whether the whole keeps its limits."""
        return self.depth.verdict

    @property
    def residual(self) -> Share:
        """What gets through all layers, by whoever is stronger."""
        return self.depth.residual

    def to_frame(self) -> pd.DataFrame:
        """One row per layer, attacker and figure: layer, attacker, figure, value, low, high, n."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=["layer", "attacker", "figure", "value", "low", "high", "n"])

    def report(self, path: str | Path) -> Path:
        """Write a report; the ending says which: .html or .json."""
        from temper.report.depth import save

        return save(self.depth, Path(path))

    def view(self) -> View:
        """What gets through, and the layers."""
        from temper.report.depth import sentences
        from temper.report.depth_beside import told

        rows = [(one.name, *map(told, _three(one.known or one.fixed))) for one in self.depth.layers]
        table = Table(columns=("layer", "alone", "at the margin", "its part"), rows=rows)
        simulated = "SIMULATED" if self.depth.simulated else ""
        return View(
            title=f"{self.depth.system}: defence in depth",
            badge=self.verdict.name,
            about=simulated,
            lines=tuple(sentences(self.depth)),
            tables=(table,),
        )

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for one in self.depth.layers:
            for attacker, worth in (("who does not know", one.fixed), ("who knows", one.known)):
                if worth is not None:
                    shares = zip(("alone", "margin", "part"), _three(worth), strict=True)
                    yield from ((one.name, attacker, name, s.value, s.low, s.high, s.n) for name, s in shares)


def _three(worth: Any) -> tuple[Share, Share, Share]:
    return worth.alone, worth.margin, worth.part


def weigh(
    system: Protected,
    suite: str = "standard",
    *,
    attacks: Sequence[str] = (),
    worth: str = "",
    as_if: Sequence[str] = (),
    accounts: Sequence[int] = (),
    run: str = "",
    through: float = Limits().residual,
    refused: float = Limits().refused,
    refusal_costs: float | None = None,
    review_costs: float | None = None,
    seed: int = 0,
    fresh: bool = False,
    campaign: str = "",
    store: str | Path | None = None,
    listener: Listener = silent,
) -> Layers:
    """Attack the guarded model of a temper.yaml with every set of its layers standing, by attackers who know them and
    by others, and send it honest requests. `through` and `refused` are the limits that the verdict speaks of. With the
    `campaign` of a run, every layer is asked about what that sent instead, and nothing is attacked anew.

    Raises `TemperError` where the system has no temper.yaml, no two classes, or nothing to attack.
    """
    from temper.engine.layers.run import Order, depth_of
    from temper.engine.layers.waged import depth_of_campaign

    order = Order(
        attacks=tuple(attacks),
        worth=worth,
        as_if=tuple(as_if),
        accounts=tuple(accounts),
        run=run,
        limits=Limits(residual=through, refused=refused),
        refused=refusal_costs,
        asked=review_costs,
        suite=suite,
        seed=seed,
    )
    now, kept = datetime.now(UTC).timestamp(), open_store(store, system)
    if campaign:
        return Layers(depth_of_campaign(system, order, kept, campaign, now, listener))
    return Layers(depth_of(system, order, kept, now, listener, fresh=fresh))
