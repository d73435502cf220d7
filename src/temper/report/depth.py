"""A measured defence as people read it: in sentences, in the terminal, as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.depth import Depth, Failing, Layer, Share, Standing
from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.report._blocks import STYLES, grid, styled, under, write
from temper.report._figure import SYMBOLS, percent
from temper.report._inert import inert
from temper.report.depth_beside import part, people, replayed, sampled, spread, told
from temper.report.depth_charts import drawn, streams

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FORMAT = "temper.depth/1"
_NARROW, _SHOWN = 100, 8
_SAYS = {
    Verdict.PASS: "The whole keeps its limits",
    Verdict.FAIL: "The whole breaks a limit",
    Verdict.INCONCLUSIVE: "Not decided",
}


def document(depth: Depth) -> str:
    """The whole as JSON."""
    told = asdict(depth) | {"verdict": depth.verdict.value}
    for name in ("failing", "chosen"):
        ones = told[name] if name == "failing" else [told[name]] if told[name] else []
        for one in ones:
            one["verdict"] = one["verdict"].value
    return json.dumps({"format": FORMAT, **told}, indent=1, allow_nan=False)


def save(depth: Depth, path: Path) -> Path:
    """Write it; the ending says how: .html or .json."""
    if path.suffix not in (".html", ".json"):
        raise TemperError(f"no report of layers ends in {path.suffix!r}", fix="use .html or .json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(depth) if path.suffix == ".html" else document(depth), encoding="utf-8")
    return path


def render(depth: Depth) -> str:
    """The whole page, without a script and without the network; text from outside is inert."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: value if hasattr(value, "__html__") else inert(str(value))
    return environment.from_string(_file("depth.html")).render(
        style=Markup(_file("style.css")),
        depth=depth,
        symbols=SYMBOLS,
        headline=_SAYS[depth.verdict],
        story=list(sentences(depth)),
        rows=[_row(one, depth) for one in depth.layers],
        sets=[_set(one) for one in depth.sets if one.front],
        streams=list(streams(depth)),
        charts=drawn(depth),
        failing=list(failing(depth)),
        pairs=pairs(depth),
        chosen=chosen(depth),
        sampled=sampled(depth),
        people=list(people(depth)),
        spread=spread(depth),
        replayed=replayed(depth),
        at=datetime.fromtimestamp(depth.at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        markup=Markup,
    )


def sentences(depth: Depth) -> Iterator[str]:
    """What gets through, by whom, and what it costs whoever means no harm."""
    unit = "of the attempts" if depth.unit == "attempts" else f"of the worth ({inert(depth.unit, 30)})"
    yield f"{told(depth.residual)} {unit} get through all {len(depth.layers)} layers, by {_who(depth)}."
    if depth.campaign:
        yield f"They are what campaign {depth.campaign} sent to the guard as it stood; nobody began anew."
    if depth.known is not None:
        yield f"Of attacks that were made without the layers in mind it is {told(depth.fixed)}."
    if depth.bare is not None:
        yield f"Through the model alone, without any other layer: {told(depth.bare)}."
    yield f"Where nobody looks at what is handed to people: {told(depth.unattended)}."
    yield f"Of honest requests {told(depth.refused)} are refused and {told(depth.asked)} wait for a person."


def _who(depth: Depth) -> str:
    if depth.campaign:
        return "attackers who had asked them"
    return "attackers who know them" if depth.known is not None else "attackers who do not know them"


def failing(depth: Depth) -> Iterator[str]:
    """What would have to fail at once, in sentences."""
    limit = percent(depth.limits.residual)
    if not depth.failing:
        yield f"No layer's failure, nor that of all of them, lets more than {limit} through."
    for one in depth.failing:
        yield _fails(one, limit)


def _fails(one: Failing, limit: str) -> str:
    sure = one.verdict is Verdict.FAIL
    if not one.layers:
        words = f"is more than {limit} even now" if sure else f"may be more than {limit} even now"
        return f"Nothing has to fail: what gets through {words} ({told(one.residual)})."
    names = " and ".join(inert(name, 24) for name in one.layers)
    at_once = " at once" if len(one.layers) > 1 else ""
    words = f"lets more than {limit} through" if sure else f"may let more than {limit} through; it is not decided"
    return f"{names} failing{at_once} {words} ({told(one.residual)})."


def pairs(depth: Depth) -> list[str]:
    """Layers that fail together, in sentences."""
    named, many = [one for one in depth.pairs if one.found], len(depth.pairs)
    if many and not named:
        of = "The only pair of layers of which it can be told is" if many == 1 else f"None of {many} pairs of layers is"
        return [f"{of}{' not' if many == 1 else ''} seen to miss the same attempts more often than by chance."]
    return [
        f"{inert(one.first, 24)} and {inert(one.second, 24)} miss the same attempts: {percent(round(one.seen, 3))} "
        f"pass both, where independent layers would let {percent(round(one.by_chance, 3))} pass (p = {one.p:.2g})."
        for one in named
    ]


def chosen(depth: Depth) -> str:
    """The smallest set that keeps the limits, or why none is named."""
    one, limits = depth.chosen, f"{percent(depth.limits.residual)} through, {percent(depth.limits.refused)} refused"
    if one is None:
        return "Too few actors to choose a set on one half of them and to judge it on the other."
    names = " + ".join(inert(name, 24) for name in one.layers)
    if one.verdict is Verdict.PASS:
        kept = f"The smallest set that keeps the limits ({limits})"
        return f"{kept}: {names}; {told(one.residual)} get through, {one.why}."
    return f"No set is seen to keep the limits ({limits}): {one.why}; {names}: {told(one.residual)} get through."


def show(depth: Depth, console: Console | None = None) -> None:
    """The layers, what must not fail at once, the smallest set, the verdict."""
    write(_blocks(depth, console), console)


def _blocks(depth: Depth, console: Console | None) -> Iterator[RenderableType]:
    from rich.console import Console as Screen

    head = styled(depth.system, "bold")
    head.append("  defence in depth")
    head.append("  SIMULATED" if depth.simulated else "", style="bold yellow")
    yield head
    attacks = ", ".join(inert(name) for name in depth.attacks)
    yield styled(
        f"{depth.attempts:,} attempts of {depth.actors} actors ({attacks}), {depth.queries:,} queries; "
        f"{depth.honest:,} honest requests\n",
        "dim",
    )
    yield _layers(depth, wide=(console or Screen()).width >= _NARROW)
    yield styled(f"Alone to part: of what {_who(depth)} try; below each figure its interval, over actors\n", "dim")
    yield from _listed("What gets through", list(sentences(depth)))
    yield from _listed("People", list(people(depth)))
    yield from _beside(depth)
    yield from _listed("What would have to fail at once", list(failing(depth)))
    yield from _listed("The smallest set", [chosen(depth)])
    yield from _listed("Layers that fail together", pairs(depth))
    yield from _listed("What was sampled", [line for line in (sampled(depth),) if line])
    yield _sets(depth)
    yield from _listed("What this does not show", list(depth.notes), style="dim")
    stamp = styled("Verdict: ")
    stamp.append(f"{SYMBOLS[depth.verdict]} {depth.verdict.name}", style=STYLES[depth.verdict])
    stamp.append(f"  {_SAYS[depth.verdict].lower()}")
    yield stamp


def _beside(depth: Depth) -> Iterator[RenderableType]:
    """Attackers of several accounts, and rows of a stored run."""
    if depth.spread:
        table = grid("Gets through all layers", first="Accounts of an attacker")
        for many, value, between in spread(depth):
            table.add_row(many, _cell(value, between))
        yield table
        yield ""
    if depth.replayed:
        table = grid("Rows", "Get through", "Layers object to", first=f"Rows of run {inert(depth.run, 12)}")
        for name, many, value, between, objects in replayed(depth):
            table.add_row(name, many, _cell(value, between), styled(objects, "dim"))
        yield table
        yield ""


def _listed(title: str, lines: list[str], style: str = "") -> Iterator[RenderableType]:
    if lines:
        yield under(styled(title, "bold"), [styled(line, style) for line in lines], "  - ")
        yield ""


def _layers(depth: Depth, *, wide: bool) -> RenderableType:
    heads, both = ("Alone", "At the margin", "Its part", "Refused", "To people"), wide and depth.known is not None
    table = grid(*heads, *(("Unknowing",) if both else ()), *(("Takes",) if wide else ()), first="Layer")
    for one in depth.layers:
        row = _row(one, depth)
        name = styled(inert(one.name, 16), "bold")
        name.append(f"\n{one.crashed} failed" if one.crashed else "", style="red")
        cells = [row["alone"], row["margin"], row["part"], row["refused"], row["asked"]]
        cells += [row["unknowing"]] if both else []
        cells += [row["takes"]] if wide else []
        table.add_row(name, *(_cell(value, between) for value, between in cells))
    last, refused, asked = depth.residual, depth.refused, depth.asked
    stopped = Share(value=1 - last.value, low=1 - last.high, high=1 - last.low, n=last.n)
    total = [("", ""), ("", ""), _pair(stopped), _pair(refused), _pair(asked)]
    took = sum(one.seconds for one in depth.layers)
    fixed = Share(value=1 - depth.fixed.value, low=1 - depth.fixed.high, high=1 - depth.fixed.low, n=last.n)
    total += [_pair(fixed)] if both else []
    total += [(_time(took), "")] if wide else []
    table.add_section()
    table.add_row(styled("together", "bold"), *(_cell(value, between) for value, between in total))
    return table


def _cell(value: str, between: str) -> RenderableType:
    text = styled(value)
    text.append(f"\n{between}" if between else "", style="dim")
    return text


def _pair(share: Share) -> tuple[str, str]:
    return part(share.value), f"{part(share.low)[:-2]} to {part(share.high)[:-2]}"


def _row(layer: Layer, depth: Depth) -> dict[str, Any]:
    worth = layer.known or layer.fixed
    return {
        "name": layer.name,
        "crashed": layer.crashed,
        "alone": _pair(worth.alone),
        "margin": _pair(worth.margin),
        "part": _pair(worth.part),
        "unknowing": _pair(layer.fixed.part),
        "refused": _pair(layer.refused),
        "asked": _pair(layer.asked),
        "takes": (_time(layer.seconds), ""),
    }


def _time(seconds: float) -> str:
    return "" if not seconds else f"{1e6 * seconds:,.0f} µs" if seconds < 1e-3 else f"{1e3 * seconds:,.1f} ms"


def _set(one: Standing) -> dict[str, Any]:
    return {
        "name": " + ".join(one.layers) if one.layers else "none",
        "residual": _pair(one.residual),
        "refused": _pair(one.refused),
        "asked": _pair(one.asked),
        "takes": _time(one.seconds),
        "price": "" if one.price is None else f"{one.price:,.0f}",
    }


def _sets(depth: Depth) -> RenderableType:
    priced = any(one.price is not None for one in depth.sets)
    heads = ("Through", "Refused", "To people", "Takes", *(("Price",) if priced else ()))
    table = grid(*heads, first="Sets that no other beats")
    best = sorted((one for one in depth.sets if one.front), key=lambda one: one.residual.value)
    for one in best[:_SHOWN]:
        row = _set(one)
        cells = [_cell(*row[name]) for name in ("residual", "refused", "asked")]
        table.add_row(
            styled(inert(row["name"], 34)), *cells, styled(row["takes"]), *([styled(row["price"])] if priced else [])
        )
    return table


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")
