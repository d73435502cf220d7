"""Whether the service answers as it should again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.core.serving import Source
from temper.response.context import Context
from temper.store.ledger import record as lines
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import logs, records


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Looks whether, of the decisions of the last `minutes` in this machine's ledger, at least the share `at_least`
    came from the model itself and not from what stands in for it. Fewer than `least` decisions say nothing.

    It does not say that the model is right: `probe` sees whether known rows still have their scores.
    """

    risky: ClassVar[bool] = False
    minutes: float = 5.0
    at_least: float = 0.99
    least: int = 20

    def __post_init__(self) -> None:
        if not (self.minutes > 0 and 0 < self.at_least <= 1 and self.least > 0):
            raise ConfigError("quality takes minutes, a share up to 1 and a number of decisions above 0", fix="correct")

    def act(self, context: Context) -> Acted:
        own, every = self._counted(context)
        said = f"{own:,} of {every:,} decisions of the last {self.minutes:g} minutes came from the model"
        if every < self.least:
            return Acted(found=f"{said}; fewer than {self.least} say nothing", well=False)
        well = own >= self.at_least * every
        return Acted(found=said + ("" if well else f", expected {self.at_least:.0%}"), well=well)

    def _counted(self, context: Context) -> tuple[int, int]:
        import msgspec

        body_of = msgspec.msgpack.Decoder(Decided).decode
        since, own, every = int((context.clock() - 60.0 * self.minutes) * 1e9), 0, 0
        for log in logs(Path(context.serving.audit)):
            for _, data in records(log):
                record = lines.decode(data)
                if record.kind == "decision" and record.wall >= since:
                    every += 1
                    own += body_of(record.body).source == Source.PRIMARY
        return own, every


PLUGIN = Quality
