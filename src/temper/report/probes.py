"""All that analysts tried on a system as one static HTML file: no script, no network, and text from people is inert."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from temper.core.probe import Outcome
from temper.report._inert import inert

_TONES = {
    **dict.fromkeys((Outcome.NOTHING, Outcome.SAME), "inconclusive"),
    Outcome.BROKEN: "waived",
    **dict.fromkeys((Outcome.STAYS, Outcome.BLOCKED), "pass"),
    Outcome.SEEN: "inconclusive",
    Outcome.THROUGH: "fail",
}


def render(document: Mapping[str, Any]) -> str:
    """The page of a document of `threats.tried`."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: value if hasattr(value, "__html__") else inert(str(value))
    through = sum(one["outcome"] == Outcome.THROUGH for one in document["probes"])
    return environment.from_string(_file("probes.html")).render(
        **document,
        style=Markup(_file("style.css")),
        tones={one.value: tone for one, tone in _TONES.items()},
        through=through,
        untried=[one for one in document["coverage"] if one["wanted"] and not one["tried"]],
        fallen=[one for one in document["assumptions"] if one["standing"] == "fallen"],
    )


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")
