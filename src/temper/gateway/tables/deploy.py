"""A new version of a model is brought to its gateways, and taken back: the records that people put."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.keeping import kept_of
from temper.config.monitor import truth_of, watch_of
from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.core.requirement import Policy
from temper.core.review import Forbidden
from temper.core.system import Protected
from temper.core.watch import Feed
from temper.gateway.tables.compared import seen, told
from temper.store.control import Control
from temper.store.control.deployed import BACK, Deployed, deployed, loaded, named
from temper.store.database import Store
from temper.store.evidence.following import tell
from temper.store.evidence.ledger import Evidence
from temper.targets.load import open_target


def guard(path: Path) -> Serving:
    """The guard this temper.yaml wants."""
    return serving_of(read(path), path.absolute().parent)


def of(system: Protected, found: Deployed) -> Protected:
    """The system with its live model."""
    return system if found.live is None else replace(system, target=loaded(system, found.live))


def deploy(config: Path, model: Path, mode: str, share: float, by: str, reason: str, now: float) -> str:
    """Let this model be tried or be live. Its file is copied beside the audit, so that what is overwritten later can
    still be gone back to. Gives its digest; gateways follow within seconds.
    """
    if not model.is_file():
        raise ConfigError(f"there is no model file {model}", fix="name a file that `temper assess` can open")
    if not 0.0 < share <= 1.0:
        raise ConfigError(f"a share of {share:g} of the clients", fix="use one above 0 %, at most 100 %")
    serving, system = guard(config), load_system(config)
    own = system.target
    target = open_target(str(model), schema=system.schema, kind=own.kind, classes=own.classes)
    kept = Path(serving.audit).parent / "models" / f"{target.digest[:24]}{model.suffix}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        beside = kept.with_name(f".{kept.name}.part")
        shutil.copyfile(model, beside)
        beside.replace(kept)
    value = {"path": str(kept), "mode": mode, "digest": target.digest, "name": model.name, "system": system.name}
    loaded(system, value)
    if mode != "shadow":
        approved(serving.control, target.digest, system.policy, config)
    _put(serving.control, value | ({"share": share} if mode == "canary" else {}), by, reason, now)
    _tell(config, serving.control, now)
    return target.digest


def _tell(config: Path, place: str, now: float) -> None:
    """The ledger of the system's evidence hears of it, where there is one."""
    if (evidence := _evidence(config)) is not None:
        control = Control.open(place)
        try:
            tell(evidence, control, int(now * 1e9))
        finally:
            control.close()


def _evidence(config: Path) -> Evidence | None:
    """The ledger of its runs, None where nothing was ever kept."""
    places = kept_of(read(config)) if config.is_file() else ("", "")
    store = Store.there(config.absolute().parent, *places)
    return None if store is None else store.evidence


def approved(place: str, digest: str, policy: Policy, config: Path) -> None:
    """Raises `Forbidden` where a model that is to answer has not the approvals that the policy asks for."""
    if not (needs := policy.approvals):
        return
    if (evidence := _evidence(config)) is not None:
        evidence.refuse()
    control = Control.open(place)
    try:
        standing = control.approvals.standing(digest, signed=policy.signatures)
    finally:
        control.close()
    most = max((len(one.approvers) for one in standing), default=0)
    if most < needs:
        raise Forbidden(
            f"the policy wants {needs} people to approve a model before it answers, and {most} approved {digest[:12]}",
            fix="assess it; temper approvals ask RUN; somebody else: temper approve RUN. --shadow tries it until then",
        )


def rollback(config: Path, by: str, reason: str, now: float) -> str:
    """End the trial there is, or go back to the version before; gives what is live from here on."""
    document, base = read(config), config.absolute().parent
    back = dict(BACK) | {"system": document.section("system").text("name", base.name)}
    control = Control.open(guard(config).control)
    try:
        found = deployed(control)
        if found.trial is None and found.live is None:
            raise ConfigError("nothing was deployed, so there is nothing to go back to", fix="see --status")
        control.records.put("model", back, by, reason, now)
        return named(deployed(control).live)
    finally:
        control.close()


def status(config: Path, now: float) -> Iterator[str]:
    """What is live, what is on trial and what gateways on this machine have seen of it, what was before, and advice."""
    serving = guard(config)
    control = Control.open(serving.control)
    try:
        found = deployed(control)
        yield f"live: {named(found.live)}"
        yield from _withdrawn(found, control)
        if found.trial is not None:
            share = f" for {found.trial['share']:.0%} of the clients" if "share" in found.trial else ""
            yield f"{found.trial['mode']}: {named(found.trial)}{share}"
        *figures, advice = _seen(found, Path(serving.audit), now)
        yield from figures
        yield from _with_labels(config, found, control, now)
        if len(found.lives) > 1:
            yield f"before: {named(found.lives[-2])}"
        yield advice
    finally:
        control.close()


def _withdrawn(found: Deployed, control: Control) -> Iterator[str]:
    """That what answers was approved once, and is not any more."""
    if found.live is not None:
        digest = str(found.live["digest"])
        gone = [one for one in control.approvals.of(model=digest) if one.state == "withdrawn" and one.approvers]
        if gone and not control.approvals.standing(digest, signed=False):
            yield f"  its approval was withdrawn by {gone[0].votes[-1].person}: {gone[0].votes[-1].reason}"


def _seen(found: Deployed, folder: Path, now: float) -> Iterator[str]:
    if found.trial is None:
        yield "advice: nothing is on trial; temper deploy MODEL --shadow tries one that nobody is answered by"
        return
    mode = str(found.trial["mode"])
    yield from told(seen(folder, mode, str(found.trial["digest"])), mode, now)


def _with_labels(config: Path, found: Deployed, control: Control, now: float) -> Iterator[str]:
    """Which of the two is better, where temper.yaml says where labels of rows come from."""
    from temper.monitoring.assessed import threshold
    from temper.monitoring.challenger import challenged, said
    from temper.monitoring.making import matured_rows

    document, base = read(config), config.absolute().parent
    watch = watch_of(document, base)
    if found.trial is None or watch is None or truth_of(document, base) is None or watch.kind is Feed.LEDGER:
        return
    since = next(one.at for one in control.records.history("model") if one.value == found.trial)
    try:
        system = load_system(config)
        old = matured_rows(config, system, control.windows, now)
        rows = old.take(np.flatnonzero(old.at >= since))
        result = challenged(rows, of(system, found).target, loaded(system, found.trial), threshold(system))
    except TemperError as refused:
        yield f"  labels     say nothing of it: {refused.message}"
        return
    yield f"  labels     {said(result, system.cost is not None)}"


def _put(place: str, value: Mapping[str, Any], by: str, reason: str, now: float) -> None:
    control = Control.open(place)
    try:
        control.records.put("model", dict(value), by, reason, now)
    finally:
        control.close()
