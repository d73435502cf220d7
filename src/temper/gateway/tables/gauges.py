"""What can be read of a gateway at any moment, beside what it has counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temper.gateway.tables.build import Gateway

_STATES = {"closed": 0, "half_open": 1, "open": 2, "forced_closed": 0, "forced_open": 2}


def gauges(gateway: Gateway) -> None:
    """Let Prometheus see its state."""
    pipeline, journal, tending = gateway.pipeline, gateway.journal, gateway.tending
    breaker, limiter = pipeline.breaker, pipeline.limiter
    golden = tending.golden
    gateway.app.counted.gauges.update(
        breaker=("0 closed, 1 half open, 2 open.", lambda: _STATES[breaker.state.value]),
        breaker_rejected=("Calls the breaker turned away.", lambda: breaker.rejected),
        stopped=("1 where the kill switch is on.", lambda: float(pipeline.stopped)),
        running=("Requests that are being decided.", lambda: limiter.running),
        limit=("How many may be, at this moment.", lambda: limiter.limit),
        shed=("Requests turned away, below ASGI and above.", lambda: gateway.door.shed + limiter.shed),
        slow_bodies=("Requests that did not come in time.", lambda: gateway.door.slow),
        audit_records=("Records of this worker's ledger.", lambda: journal.seq),
        audit_at_risk=("Decisions that are not yet on the disk.", lambda: journal.at_risk),
        audit_failing=("1 where the disk takes no records.", lambda: float(journal.fault is not None)),
        cases=("Cases handed on to people.", lambda: tending.relay.relayed),
        control_failing=(
            "Parts of the control store that do not answer.",
            lambda: sum(map(bool, tending.told.values())),
        ),
        golden_failed=("Times that known rows had other scores.", lambda: 0 if golden is None else golden.failed),
        keys=("Keys that are known.", lambda: len(tending.snapshot)),
    )
