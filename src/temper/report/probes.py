"""All that analysts tried on a system as one static HTML file (no script, no network, text from people is inert), and
its probes as CSV.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from temper.core.probe import Outcome, turns_of
from temper.core.schema import Schema
from temper.core.written import written
from temper.report._inert import cell, inert
from temper.report.probe import WHO

KINDS = {"html": "text/html", "json": "application/json", "csv": "text/csv"}
"""As what it is given, and what each is called on the wire."""
_TONES = {
    **dict.fromkeys((Outcome.NOTHING, Outcome.SAME), "inconclusive"),
    Outcome.BROKEN: "waived",
    **dict.fromkeys((Outcome.STAYS, Outcome.BLOCKED, Outcome.HELD_BACK), "pass"),
    Outcome.SEEN: "inconclusive",
    **dict.fromkeys((Outcome.THROUGH, Outcome.LET_BY), "fail"),
}
_LOOK = ("before", "after", "decided_before", "decided", "threshold", "cost", "model", "policy")


def render(document: Mapping[str, Any]) -> str:
    """The page of a document of `threats.tried`."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: value if hasattr(value, "__html__") else inert(str(value))
    through = sum(one["outcome"] in (Outcome.THROUGH, Outcome.LET_BY) for one in document["probes"])
    return environment.from_string(_file("probes.html")).render(
        **document,
        style=Markup(_file("style.css")),
        tones={one.value: tone for one, tone in _TONES.items()},
        through=through,
        talks={one["id"]: list(_talk(one)) for one in document["probes"]},
        untried=[one for one in document["coverage"] if one["wanted"] and not one["tried"]],
        fallen=[one for one in document["assumptions"] if one["standing"] == "fallen"],
    )


def table(document: Mapping[str, Any], schema: Schema | None = None) -> str:
    """Its probes as CSV, a line each: what was expected and seen, and the row by its columns, in words of the Schema
    where that is known. No cell is a formula.
    """
    columns = list(dict.fromkeys(name for one in document["probes"] for name in one["subject"]["columns"]))
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    heads = ("probe", "author", "made", "hypothesis", "technique", "origin", "outcome", *_LOOK)
    write(map(cell, (*heads, "stages", "broken", "ratings", "conversation", *columns)))
    for one in document["probes"]:
        write(map(cell, (*_about(one), *_row(one, columns, schema))))
    return out.getvalue()


def _about(one: Mapping[str, Any]) -> Iterator[Any]:
    yield from (one["id"], one["author"], datetime.fromtimestamp(one["made"], UTC).isoformat(timespec="seconds"))
    yield from (one["hypothesis"], one["technique"], one["subject"]["origin"], one["outcome"])
    yield from (one["look"].get(name) for name in _LOOK)
    told = [told for told in one["look"]["told"] if told["mode"] != "aside"]
    yield "; ".join(f"{each['stage']} {each['level']}{' in shadow' * (each['mode'] == 'shadow')}" for each in told)
    yield "; ".join(one["look"]["broken"])
    yield "; ".join(f"{each['severity']} by {each['by']}" for each in one["ratings"])
    yield "; ".join(f"{WHO[who]}: {said}" for who, said in one["subject"]["text"])


def _row(one: Mapping[str, Any], columns: list[str], schema: Schema | None) -> Iterator[Any]:
    names = one["subject"]["columns"]
    known = schema if schema is not None and tuple(names) == schema.names else None
    values = dict(zip(names, one["subject"]["row"], strict=False))
    for name in columns:
        value = values.get(name)
        yield value if known is None or value is None else written(known.columns[known.index(name)], value)


def _talk(one: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The turns of a conversation, each with what its stages said."""
    told = (*one["look"]["earlier"], one["look"]["told"])
    for turn, stages in zip(turns_of(tuple(map(tuple, one["subject"]["text"]))), told, strict=False):
        yield {"said": [(WHO[who], text) for who, text in turn], "told": stages}


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")
