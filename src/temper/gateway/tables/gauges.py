"""What can be read of a gateway at any moment, beside what it has counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temper.guard.serving.modes import acting

if TYPE_CHECKING:
    from temper.gateway.tables.build import Gateway
    from temper.gateway.tables.version import Version
    from temper.guard.serving.pipeline import Pipeline

_STATES = {"closed": 0, "half_open": 1, "open": 2, "forced_closed": 0, "forced_open": 2}


def gauges(gateway: Gateway) -> None:
    """Let Prometheus see its state."""
    _shared(gateway)
    journal, tending = gateway.journal, gateway.tending

    def state(pipeline: Pipeline) -> int:
        return _STATES[acting(pipeline.breaker, pipeline.modes.breaker).value]

    def live() -> Version:
        return gateway.live

    gateway.counted.gauges.update(
        breaker=("0 closed, 1 half open, 2 open.", lambda: state(live().pipeline)),
        breaker_rejected=("Calls the breaker turned away.", lambda: live().pipeline.breaker.rejected),
        stopped=("1 where the kill switch is on.", lambda: float(tending.stopped)),
        running=("Requests that are being decided.", lambda: live().pipeline.limiter.running),
        limit=("How many may be, at this moment.", lambda: live().pipeline.limiter.limit),
        shed=("Requests turned away, below ASGI and above.", lambda: gateway.door.shed + live().pipeline.limiter.shed),
        slow_bodies=("Requests that did not come in time.", lambda: gateway.door.slow),
        audit_records=("Records of this worker's ledger.", lambda: journal.seq),
        audit_at_risk=("Decisions that are not yet on the disk.", lambda: journal.at_risk),
        audit_unsigned=("Records that no signed checkpoint covers yet.", lambda: journal.unsigned),
        checkpoints_kept=("Processes with a place for checkpoints.", lambda: float(journal.signing)),
        checkpoints_failing=("1 where they cannot be written.", lambda: float(journal.unsigned_because is not None)),
        audit_failing=("1 where the disk takes no records.", lambda: float(journal.fault is not None)),
        golden_failed=(
            "Times that known rows had other scores.",
            lambda: golden.failed if (golden := live().golden) else 0,
        ),
        policy_since=("When the policy changed last, in seconds since 1970.", lambda: live().at),
        policy_refused=(
            "Changed policies that could not be used.",
            lambda: gateway.reloading.refused if gateway.reloading else 0,
        ),
        unready=("Processes that should be sent no requests.", lambda: float(bool(gateway.ready()))),
        log_dropped=("Lines of the log that found no room.", lambda: gateway.log.dropped),
    )


def _shared(gateway: Gateway) -> None:
    """What it has from the control store, or hands on to it."""
    tending, leasing = gateway.tending, gateway.lasting.leasing
    gateway.counted.gauges.update(
        cases=("Cases handed on to people.", lambda: tending.relay.relayed),
        control_failing=(
            "Parts of the control store that do not answer.",
            lambda: sum(map(bool, tending.told.values())),
        ),
        workers=("Workers of gateways on the control store, this one too.", lambda: tending.presence.live),
        quota_leased=("Queries of clients' quotas that are held here.", lambda: leasing.shares.leased),
        quota_alone=("Part of every quota that is given out here without the control store.", lambda: leasing.alone),
        name_disputed=("1 where another gateway has the name of this one.", lambda: float(tending.presence.disputed)),
        keys=("Keys that are known.", lambda: len(tending.snapshot)),
    )
    _trial(gateway)


def _trial(gateway: Gateway) -> None:
    """What a model on trial did."""

    def told(name: str) -> float:
        return float(getattr(gateway.live.shadow or gateway.live.canary, name, 0))

    gateway.counted.gauges.update(
        shadow_rows=("Rows a model on trial has scored along.", lambda: told("seen")),
        shadow_changed=("Decisions of them it would have changed.", lambda: told("changed")),
        shadow_failed=("Rows it had no score for.", lambda: told("failed")),
        shadow_largest=("The largest difference of a score.", lambda: told("largest")),
        canary_answered=("Requests a model on trial has answered.", lambda: told("answered")),
        canary_passed=("Requests it had no answer for.", lambda: told("passed")),
    )
