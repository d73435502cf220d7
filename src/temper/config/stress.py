"""What a user declares of stress in temper.yaml: relations that must hold, and what wrong decisions cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from temper.config.document import Listing, Section
from temper.core.cost import CostMatrix
from temper.core.errors import TemperError
from temper.core.metamorphic import Metamorphic
from temper.core.schema import Schema

Made = TypeVar("Made")


def costs(section: Section, schema: Schema | None) -> CostMatrix | None:
    """`cost: {false_negative: 1.0, false_positive: 5, amount_column: amount}`, or None where nothing is written."""
    if not section.entries:
        return None
    section.only("false_negative", "false_positive", "amount_column")
    _known(section, "amount_column", [section.text("amount_column")], schema)
    return _made(
        section,
        "false_negative",
        lambda: CostMatrix(
            false_negative=section.number("false_negative", 0.0),
            false_positive=section.number("false_positive", 0.0),
            amount_column=section.text("amount_column"),
        ),
    )


def relations(sections: Sequence[Section], schema: Schema | None) -> tuple[Metamorphic, ...]:
    """`- {monotone: amount, direction: up}`, `- {invariant: [age], values: [a, b]}`, `- {invariant: order}`."""
    return tuple(_relation(section, schema) for section in sections)


def _relation(section: Section, schema: Schema | None) -> Metamorphic:
    section.only("monotone", "invariant", "direction", "values", "tolerance")
    if section.has("monotone") == section.has("invariant"):
        raise section.error("a relation says either `monotone: COLUMN` or `invariant: COLUMNS`")
    key = "monotone" if section.has("monotone") else "invariant"
    several = isinstance(section.entries[key], Listing)
    columns = section.texts(key) if several else (section.text(key),)
    kind = "invariant"
    if key == "monotone":
        kind = {"up": "rises", "down": "falls"}[section.word("direction", ("up", "down"), "up")]
    elif columns == ("order",):
        kind, columns = "order", ()
    _known(section, key, columns, schema)
    if key == "monotone" and schema is not None and schema.columns[schema.index(columns[0])].type == "category":
        raise section.error(f"the categories of {columns[0]!r} have no order to rise in", key)
    values, tolerance = section.texts("values"), section.number("tolerance", 1e-6)
    if values and schema is not None and len(columns) == 1:
        _categories(section, columns[0], values, schema)
    return _made(
        section, key, lambda: Metamorphic(kind=kind, columns=tuple(columns), values=values, tolerance=tolerance)
    )


def _known(section: Section, key: str, names: Sequence[str], schema: Schema | None) -> None:
    """Every column named must be described: a misspelt one would be tested by nobody."""
    for name in names:
        if not name:
            continue
        if schema is None or not schema.columns:
            raise section.error(f"{name!r} is named and the schema has no columns", key, fix="describe schema.columns")
        groups = {column.group for column in schema.columns}
        if name not in groups:
            _made(section, key, lambda name=name: schema.index(name))  # type: ignore[misc]


def _categories(section: Section, name: str, values: Sequence[str], schema: Schema) -> None:
    known = schema.columns[schema.index(name)].categories
    for value in values:
        if value not in known:
            raise section.error(
                f"{name!r} has no category {value!r}", "values", fix=f"it has: {', '.join(known) or 'none'}"
            )


def _made(section: Section, key: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except TemperError as error:
        raise section.error(error.message, key, error.fix) from error
