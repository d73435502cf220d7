"""A first `guard:` for temper.yaml from what the last assessment found, each line with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temper.config.keeping import kept_of
from temper.config.reading import parse, read
from temper.config.serving import serving_of
from temper.core.errors import ConfigError
from temper.core.measure import Status
from temper.core.run import Record
from temper.core.schema import Schema
from temper.guard.serving import parts
from temper.store.database import Store

_SHARE = 0.5
"""Of the queries of the cheapest copy that was found, what one client may ask in a day."""


def init(path: Path, name: str, schema: Schema, returns: str) -> str:
    """Write the section; gives it. What was not assessed is said to be so, and is not made up."""
    text = path.read_text(encoding="utf-8")
    if "guard" in read(path).entries:
        raise ConfigError(f"{path} has a guard already", fix="remove it first, or change it by hand")
    section = "\n".join(written(_last(path, name), schema, returns)) + "\n"
    whole = f"{text.rstrip()}\n{section}"
    parts.options_of(serving_of(parse(whole, str(path)), path.absolute().parent))
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(whole, encoding="utf-8")
    beside.replace(path)
    return section


def written(run: Record | None, schema: Schema, returns: str) -> Iterator[str]:
    """The lines of the section."""
    yield "guard:"
    if run is None:
        yield "  # Nothing was assessed, so these are defaults; `temper assess` says what this model needs."
    else:
        yield f"  # From run {run.id} of {run.started[:10]} ({run.suite}); a guess to begin with, to be looked at."
    yield "  # open: true  # answers without keys, on this machine alone"
    yield from _anomaly(run)
    yield from _extraction(run)
    if returns == "score" and run is not None and _found(run, ("extraction.", "inversion.")):
        yield "  # Attacks used the scores: `exposure: {returns: label}` above would tell clients the label alone."
    column = next((one.name for one in schema.columns if one.type in ("number", "integer")), "")
    if column:
        yield "  # Where the model cannot answer a person decides; rules of your own would answer at once:"
        yield f'  # fallback: {{rules: [{{when: "{column} > 1000", score: 0.9}}], otherwise: 0.1}}'


def _anomaly(run: Record | None) -> Iterator[str]:
    if found := _found(run, ("evasion.",)):
        yield f"  # {_names(found)} changed decisions: strange rows wait for a person."
        yield "  anomaly: {mode: enforce, answer: review}"
    else:
        yield f"  # Evasion {_tried(run, 'evasion.')}: strange rows are written down and pass."
        yield "  anomaly: shadow"


def _extraction(run: Record | None) -> Iterator[str]:
    found = _found(run, ("extraction.",))
    if not found:
        yield f"  # Extraction {_tried(run, 'extraction.')}: clients that copy are written down and answered."
        yield "  extraction: shadow"
        return
    yield f"  # {_names(found)} copied the model: who asks as they do is told less."
    yield "  extraction: enforce"
    queries = [one.queries for one in run.measurements if one.plugin in found and one.queries] if run else []
    if queries:
        yield f"  # The cheapest of these copies took {min(queries):,} queries. See that honest clients need fewer."
        yield f"  quota: {{per_day: {max(1, int(_SHARE * min(queries)))}}}"


def _found(run: Record | None, families: tuple[str, ...]) -> list[str]:
    return [] if run is None else sorted({one.plugin for one in run.findings if one.plugin.startswith(families)})


def _tried(run: Record | None, family: str) -> str:
    """What is known where nothing was found."""
    tried: list[Any] = [] if run is None else [one for one in run.measurements if one.plugin.startswith(family)]
    if not tried:
        return "was not assessed"
    if all(one.status is Status.OK for one in tried):
        return "was assessed and nothing was found"
    return "was assessed in part, without a finding"


def _names(plugins: list[str]) -> str:
    return ", ".join(plugins[:3]) + (f" and {len(plugins) - 3} more" if len(plugins) > 3 else "")


def _last(path: Path, name: str) -> Record | None:
    """The last finished run of this system, None where there is none."""
    store = Store.there(path.absolute().parent, *kept_of(read(path)))
    if store is None:
        return None
    newest = store.outlines(1, system=name, state="finished")
    return store.run(newest[0].run) if newest else None
