"""One job, in a process of its own: `python -c "from temper.api.job import main; main()" ORDER PATIENCE`."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.depth import Limits
from temper.core.errors import TemperError
from temper.core.event import Event, Listener
from temper.core.evidence import FEWEST
from temper.core.job import Order
from temper.core.probe import Hand
from temper.core.requirement import Verdict
from temper.core.system import Protected
from temper.engine.deadman import deadman
from temper.engine.worker import AUTHOR

TRUST, CONTROL = "TEMPER_TRUST_PICKLE", "TEMPER_CONTROL"
"""What a worker sets for its jobs: "1" where it trusts pickles, and the place of its control store."""


def main() -> None:
    """Carry out the order in the first argument; each line on standard output is `progress` or the `result`."""
    order = _order(sys.argv[1])
    alone(Path(order.config).parent, lambda lines: perform(order, lines))


def alone(home: Path, work: Callable[[Any], tuple[int, dict[str, Any]]]) -> None:
    """This process does this work in this folder, and ends with it; or as soon as nobody wants it any more."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a model prints is the log
    if home.is_dir():
        os.chdir(home)  # callables are imported from there
    threading.Thread(target=deadman, args=(float(sys.argv[2]),), daemon=True).start()
    try:
        code, result = work(lines)
        lines.write(json.dumps({"result": result}) + "\n")
    except TemperError as refused:
        sys.stderr.write(f"error: {refused}\n")
        code = refused.exit_code
    except (Exception, KeyboardInterrupt):
        traceback.print_exc()
        code = 4
    lines.close()
    sys.stderr.flush()
    os._exit(code)  # the watching thread is in a call that nothing interrupts


def perform(order: Order, lines: Any) -> tuple[int, dict[str, Any]]:
    """Assess what the order says; the exit code of the verdict, and the run. Or show its finding again, do with its
    probe what is asked, or weigh the layers of the guard.
    """
    from temper.api import assess

    if order.finding:
        return replayed(order)
    if order.probe:
        return handed(order)
    if order.depth is not None:
        return weighed(order, order.depth, lines)
    config = Path(order.config)
    system = running(order)
    with _told(lines) as heard:
        only = order.only or None
        author = os.environ.get(AUTHOR)
        run = assess(
            system, order.suite, only, order.seed, order.engine, store=config.parent, listener=heard, author=author
        )
    report = run.report(config.parent / "runs" / run.record.id / "report.html")
    found = {"run": run.record.id, "verdict": run.verdict.value, "report": str(report), "assessed": system.apart}
    return run.record.code, found


@contextmanager
def _told(lines: Any) -> Iterator[Listener]:
    """A listener that shows how far it is, and says so to whoever reads these lines."""
    from temper.report.progress import Progress

    with Progress() as shown:

        def heard(event: Event) -> None:
            shown(event)
            if event.total:
                lines.write(json.dumps({"progress": f"{event.done} of {event.total} {event.task}".strip()}) + "\n")

        yield heard


def weighed(order: Order, limits: Limits, lines: Any) -> tuple[int, dict[str, Any]]:
    """Weigh the layers of the guard against these limits, around the model that answers: the code of the verdict, and
    the key under which the store keeps what was measured.
    """
    from temper.api import open_store
    from temper.api.layers import weigh
    from temper.report.depth import sentences
    from temper.store.depths import depths

    home, system = Path(order.config).parent, running(order)
    with _told(lines) as heard:
        found = weigh(
            system,
            order.suite,
            through=limits.residual,
            refused=limits.refused,
            seed=order.seed,
            store=home,
            listener=heard,
        )
    key = next(key for key, one in depths(open_store(home, system)) if one == found.depth)
    told = {"depth": key, "verdict": found.verdict.value, "assessed": system.apart}
    return found.verdict.code, told | {"text": "\n".join(sentences(found.depth))}


def replayed(order: Order) -> tuple[int, dict[str, Any]]:
    """Show a finding again on the model that answers: exit 1 while it is there, 0 when it is fixed."""
    from temper.api import assistants, replay

    if assistants.is_assistant(order.config):
        found = assistants.replay(assistants.load_assistant(order.config), order.finding)
        apart = ""
    else:
        system = running(order)
        found, apart = replay(system, order.finding, store=Path(order.config).parent), system.apart
    verdict = Verdict.FAIL if found.still_there else Verdict.PASS
    told = {"finding": order.finding, "verdict": verdict.value, "text": found.text, "assessed": apart}
    return verdict.code, told


def handed(order: Order) -> tuple[int, dict[str, Any]]:
    """Do with a probe what is asked, on the model that answers: exit 1 while what it showed is there."""
    from temper.api.probes import carried
    from temper.store.control import Control

    control = Control.open(place_of(order))
    try:
        one = control.probes.seen(order.probe, os.environ.get(AUTHOR, "")).probe
        system = running(order)
        found = carried(system, one, Hand(order.hand), control)
    finally:
        control.close()
    verdict = Verdict.FAIL if found.there else Verdict.PASS
    told = {"probe": order.probe, "hand": order.hand, "verdict": verdict.value, "assessed": system.apart}
    return verdict.code, told | {"text": found.text, "row": list(found.row)}


def place_of(order: Order) -> str:
    """The control store of an order: where the environment says, else its temper.yaml."""
    from temper.config.reading import read
    from temper.config.serving import control_of

    config = Path(order.config)
    return os.environ.get(CONTROL) or control_of(read(config), config.absolute().parent)


def running(order: Order) -> Protected:
    """The system of an order with the model that answers, on newer rows where the order wants them."""
    from temper.api import load
    from temper.store.control import Control
    from temper.store.control.deployed import deployed, loaded, named

    system = load(order.config, trust_pickle=os.environ.get(TRUST) == "1")
    control = Control.open(place_of(order))
    try:
        live = deployed(control, system.name).live
        if live is not None:
            system = replace(system, target=loaded(system, live), apart=named(live))
        return system if order.labelled is None else _newer(system, order, control.windows)
    finally:
        control.close()


def _newer(system: Protected, order: Order, windows: Any) -> Protected:
    """On rows of the feed whose labels have come."""
    from temper.core.data import Data
    from temper.monitoring.making import matured_rows

    old = matured_rows(Path(order.config), system, windows, datetime.now(UTC).timestamp())
    found = old.take(np.flatnonzero(old.labelled & (old.at >= (order.labelled or 0.0))))
    if len(found) < FEWEST or len(set(found.y.tolist())) < 2:
        raise TemperError(
            f"{len(found):,} rows of the feed have a label by now, and it takes {FEWEST} of both classes",
            fix="wait for more labels, and then `temper jobs again`",
        )
    apart = "; ".join(filter(None, (system.apart, f"{len(found):,} rows of the feed with labels")))
    return replace(system, data=Data(x=found.x, y=found.y, ids=found.ids), apart=apart)


def _order(text: str) -> Order:
    from temper.store.codec import from_json, load

    return load(Order, from_json(text))
