"""The console as a process of its own, beside the gateways and never in front of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from temper.config.reading import read
from temper.config.serving import serving_of
from temper.config.sign_in import here, sign_in_of
from temper.core.errors import ConfigError
from temper.store.control import Control
from temper.store.evidence.following import kept_up
from temper.web.app import console
from temper.web.assessed import Assessed
from temper.web.board import Board
from temper.web.provider import provider_of
from temper.web.responder import Responder
from temper.web.risk import ready

if TYPE_CHECKING:
    from temper.guard.serving.bench import Bench, Corruptions
    from temper.guard.spoken import Spoken


def opened(
    config: Path, corruptions: Callable[[], Corruptions], *, asked: bool = False, trust_pickle: bool = False
) -> Bench | Spoken:
    """What people may try by hand: the model of this temper.yaml, or the guard of its assistant, whose target is only
    `asked` where that is said. `corruptions` are asked for where the model takes pictures.
    """
    from temper.config.assistant import is_assistant
    from temper.guard.serving.bench import Bench
    from temper.guard.spoken import Spoken

    if is_assistant(config):
        return Spoken.at(config, asked=asked)
    bench = Bench.at(config, trust_pickle=trust_pickle, today=datetime.now(UTC).date())
    return replace(bench, corruptions=corruptions()) if bench.system.data.x.ndim == 4 else bench


def serve(
    config: Path,
    host: str,
    port: int,
    metrics: str = "",
    certificate: Path | None = None,
    key: Path | None = None,
    parts: tuple[str, ...] = (),
    portfolio: Path | None = None,
    bench: Bench | Spoken | None = None,
) -> None:
    """Answer until interrupted, on the control store that `guard.control` of this temper.yaml names. Playbooks are run
    where the names of a gateway's `parts` are known; the fleet is that of a `portfolio`, and rows are tried by hand
    where there is a `bench`.

    Elsewhere than on this machine passwords travel, so there it takes a certificate. A proxy on this machine that ends
    TLS is believed when it says so.
    """
    import uvicorn

    if not here(host) and certificate is None:
        raise ConfigError(
            f"{host} can be reached from elsewhere and passwords would travel unprotected",
            fix="give --certificate and --key, or listen on 127.0.0.1 behind a proxy that ends TLS",
        )
    document = read(config)
    serving, provider = serving_of(document, config.absolute().parent), provider_of(sign_in_of(document))
    control = Control.open(serving.control)
    address = metrics.removesuffix("/metrics")
    responder = Responder(serving=serving, parts=parts, gateway=address) if parts and address else None
    assessed = Assessed.of(config)
    board = Board(assessed, portfolio, control)
    app = console(
        control,
        gateway_metrics_url=metrics,
        responder=responder,
        assessed=assessed,
        provider=provider,
        board=board,
        bench=_following(bench, serving.control),
    )
    Thread(target=_ready, args=(assessed, board), daemon=True).start()
    with closing(control), kept_up(assessed.store.evidence, control, time.time_ns):
        uvicorn.run(
            app,
            host=host,
            port=port,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            log_config=None,  # it goes where everything that this process says goes
            access_log=False,
            server_header=False,
            limit_concurrency=200,
        )


def _ready(assessed: Assessed, board: Board) -> None:
    """What takes seconds is done before anybody asks for it: charts of the newest register, a look at a fleet."""
    ready(assessed)
    if board.many:
        board.seen(time.time())


def _following(bench: Bench | Spoken | None, control: str) -> Bench | Spoken | None:
    """A bench of another control store follows no policy of this one: those are for another system."""
    from temper.guard.serving.bench import Bench

    if isinstance(bench, Bench) and bench.serving is not None and bench.serving.control != control:
        return replace(bench, serving=None)
    return bench
