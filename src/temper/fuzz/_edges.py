"""The values at the edge, field by field, from the Schema: what a model is given, and what is written on a wire."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from temper.core.schema import Column, Schema
from temper.core.text import HOMOGLYPHS, ZERO_WIDTH, TextSchema
from temper.fuzz._case import Case, Change, Edge, Fate, Literal, quoted

TINY, BIG, HUGE = 5e-324, 2.0**53 + 2.0, 1e308
_WIDE = 4.0 * float(np.finfo(np.float32).max)
_PIXELS = 8
HEAVY = ("a vast text", "deep nesting")  # megabytes that one column of a type shows as well as all of them
_LONG, _VAST, _DEEP = 100_000, 10_000_000, 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing of a row that can be changed, and what to."""

    name: str
    places: tuple[int, ...]
    edges: tuple[Edge, ...]

    def changes(self) -> tuple[Change, ...]:
        """Its edges as changes of a row."""
        return tuple(Change(field=self.name, places=self.places, edge=edge) for edge in self.edges)


def fields_of(schema: Schema, width: int, *, wire: bool = False) -> tuple[Field, ...]:
    """Every field of a row of `width` values with its edges; `wire` adds what exists as text only."""
    if isinstance(schema, TextSchema):
        return (Field(name="text", places=(0,), edges=tuple(_texts())),)
    if not schema.columns:
        every = _numbers(Column(name="value", low=schema.low, high=schema.high), wire=False)
        pixel = tuple(edge for edge in every if edge.fate is not Fate.REFUSE)  # no picture holds what is no colour
        some = np.unique(np.linspace(0, width - 1, _PIXELS).astype(int))
        single = [Field(name=f"value {at}", places=(int(at),), edges=pixel) for at in some]
        return (Field(name="every value", places=tuple(range(width)), edges=pixel), *single)
    first = {column.type: at for at, column in reversed(list(enumerate(schema.columns)))}
    return tuple(
        Field(
            name=column.name,
            places=(at,),
            edges=tuple(e for e in edges(column, wire=wire) if e.family not in HEAVY or first[column.type] == at),
        )
        for at, column in enumerate(schema.columns)
    )


def edges(column: Column, *, wire: bool = False) -> Iterator[Edge]:
    """The edges of one column; `wire` adds other types, other spellings, and leaving it out."""
    if column.type == "category":
        yield from _codes(column)
    elif column.type == "boolean":
        yield from _yes_no(wire)
    else:
        yield from _numbers(column, wire)
    if wire:
        yield from _other_types(column)


def settled(case: Case, schema: Schema) -> Case:
    """The case with a valid edge made doubtful where it breaks a relation, or leaves a derived column behind."""
    if not schema.columns or not any(change.edge.fate is Fate.ANSWER for change in case.changes):
        return case
    x0, x = (np.array([row], dtype=np.float64) for row in (case.base, case.row))
    with np.errstate(all="ignore"):
        broken = set(schema.unmet(x)) - set(schema.unmet(x0))
        stale = not np.allclose(schema.derive(x, x0), x, rtol=1e-9, atol=1e-9, equal_nan=True)
    if not broken and not stale:
        return case
    doubtful = (
        replace(one, edge=replace(one.edge, fate=Fate.EITHER)) if one.edge.fate is Fate.ANSWER else one
        for one in case.changes
    )
    return replace(case, changes=tuple(doubtful))


def _numbers(column: Column, wire: bool) -> Iterator[Edge]:
    whole = column.type == "integer"
    for value, label in _bounds(column):
        yield _number(value, label, "a bound", Fate.ANSWER)
    for value, label in _beyond(column):
        yield _number(value, label, "out of the range", Fate.REFUSE)
    for value, label in ((0.0, "zero"), (-0.0, "minus zero"), (TINY, "the smallest number above zero"),
                         (-TINY, "the largest number below zero"), (BIG, "a whole number beyond 2^53"),
                         (-BIG, "a whole number below -2^53"), (HUGE, "1e308"), (-HUGE, "-1e308"),
                         (_WIDE, "a number beyond 32 bits"), (0.5, "a half")):  # fmt: skip
        inside = column.low <= value <= column.high and (not whole or value == round(value))
        bounded = math.isfinite(column.low) or math.isfinite(column.high) or whole
        fate = Fate.ANSWER if inside and bounded and abs(value) < BIG else Fate.EITHER if inside else Fate.REFUSE
        yield _number(value, label, "a fraction" if label == "a half" and whole else _magnitude(value), fate)
    missing = Fate.ANSWER if column.missing else Fate.REFUSE
    yield Edge(label="missing", family="a missing value", fate=missing, value=math.nan, literal=Literal.of("null"))
    for word, value in (("Infinity", math.inf), ("-Infinity", -math.inf)):
        yield Edge(label=word, family="not finite", fate=Fate.REFUSE, value=value, literal=Literal.of(word))
    if wire:
        yield Edge(label="not a number", family="not finite", fate=Fate.REFUSE, literal=Literal.of("NaN"))
        yield Edge(label="1e400", family="not finite", fate=Fate.REFUSE, literal=Literal.of("1e400"))
        digits = Literal.of("9", 5_000)
        fate = Fate.REFUSE if math.isfinite(column.high) else Fate.EITHER
        yield Edge(label="a number of 5,000 digits", family="many digits", fate=fate, literal=digits)


def _bounds(column: Column) -> Iterator[tuple[float, str]]:
    step = 1.0 if column.type == "integer" else 0.0
    for end, inward, word in ((column.low, math.inf, "lowest"), (column.high, -math.inf, "highest")):
        if math.isfinite(end):
            yield end, f"the {word} value"
            inside = end + math.copysign(step, inward) if step else float(np.nextafter(end, inward))
            if column.low <= inside <= column.high:
                yield inside, f"one step within the {word} value"


def _beyond(column: Column) -> Iterator[tuple[float, str]]:
    step = 1.0 if column.type == "integer" else 0.0
    for end, outward, word in (
        (column.low, -math.inf, "below the lowest"),
        (column.high, math.inf, "above the highest"),
    ):
        if math.isfinite(end):
            yield (end + math.copysign(step, outward) if step else float(np.nextafter(end, outward))), f"a step {word}"
            yield end + math.copysign(max(abs(end), 1.0) * 9, outward), f"far {word}"


def _magnitude(value: float) -> str:
    if value == 0 or abs(value) < 1e-300:
        return "next to zero"
    return "a huge number" if abs(value) >= 2.0**53 else "an ordinary number"


def _number(value: float, label: str, family: str, fate: Fate) -> Edge:
    value = float(value)
    return Edge(label=label, family=family, fate=fate, value=value, literal=Literal.of(repr(value)))


def _codes(column: Column) -> Iterator[Edge]:
    for at, word in enumerate(column.categories):
        yield Edge(label=f"the word {word}", family="a known word", fate=Fate.ANSWER, value=float(at),
                   literal=quoted(word))  # fmt: skip
    missing = Fate.ANSWER if column.missing else Fate.REFUSE
    yield Edge(label="missing", family="a missing value", fate=missing, value=math.nan, literal=Literal.of("null"))
    count = float(len(column.categories))
    for value, label in ((-1.0, "the code before the first"), (count, "the code after the last"), (0.5, "half a code"),
                         (1e9, "a far code"), (math.inf, "Infinity"), (-math.inf, "-Infinity")):  # fmt: skip
        yield Edge(label=label, family="a code outside of the words", fate=Fate.REFUSE, value=value,
                   literal=Literal.of(repr(value) if math.isfinite(value) else label))  # fmt: skip


def _yes_no(wire: bool) -> Iterator[Edge]:
    for value, word in ((0.0, "false"), (1.0, "true")):
        yield Edge(label=word, family="a truth", fate=Fate.ANSWER, value=value, literal=Literal.of(word))
    for value in (-1.0, 2.0, 0.5, HUGE, math.inf, math.nan):
        word = "null" if math.isnan(value) else repr(value) if math.isfinite(value) else "Infinity"
        family = "a missing value" if math.isnan(value) else "no truth"
        yield Edge(label=f"{word} for a truth", family=family, fate=Fate.REFUSE, value=value, literal=Literal.of(word))
    if wire:
        yield Edge(label='"yes" for a truth', family="another type", fate=Fate.REFUSE, literal=quoted("yes"))


def _other_types(column: Column) -> Iterator[Edge]:
    """What is no value of any column: other types, odd texts, depth and length; and no value at all."""
    absent = Fate.EITHER if column.missing else Fate.REFUSE
    yield Edge(label="left out", family="a field left out", fate=absent)
    for text, label in (("[]", "an empty list"), ("{}", "an empty object"), ("[1]", "a list")):
        yield Edge(label=label, family="another type", fate=Fate.REFUSE, literal=Literal.of(text))
    if column.type != "boolean":
        yield Edge(label="a truth", family="another type", fate=Fate.EITHER, literal=Literal.of("true"))
    for text, label in (("", "an empty text"), (" ", "a blank"), ("1e3", "a number as text"), ("nan", "the text nan"),
                        ("\x00", "a null character"), ("\ud800", "a lone surrogate"), ("٣", "an Arabic digit"),
                        ("-1", "minus one as text"), ("; DROP TABLE x--", "a line of SQL")):  # fmt: skip
        yield Edge(label=label, family=_text_family(label), fate=Fate.REFUSE, literal=quoted(text))
    if column.type in ("number", "integer"):
        yield from _notations(column)
    for word in column.categories[:2]:
        for odd, label in ((f" {word}", "a word with a blank before it"), (word.swapcase(), "a word in other case"),
                           (f"{word}\u200b", "a word with no-width mark"), (word * 2, "an unseen word")):  # fmt: skip
            if odd not in column.categories:
                yield Edge(label=label, family="an unseen word", fate=Fate.REFUSE, literal=quoted(odd))
    long = Literal.of('"').then("a", _LONG).then('"')
    vast = Literal.of('"').then("a", _VAST).then('"')
    yield Edge(label="a text of 100,000 letters", family="a long text", fate=Fate.REFUSE, literal=long)
    yield Edge(label="a text of 10,000,000 letters", family="a vast text", fate=Fate.REFUSE, literal=vast)
    deep = Literal.of("[", _DEEP).then("]", _DEEP)
    yield Edge(label="100,000 lists in each other", family="deep nesting", fate=Fate.REFUSE, literal=deep)


def _notations(column: Column) -> Iterator[Edge]:
    """A valid value as people write it: whoever reads one of these as a number takes texts for numbers."""
    value = min(max(1.0, column.low), column.high)
    plain = str(int(value)) if value == round(value) else repr(value)
    wide = plain.translate({ord("0") + digit: ord("\uff10") + digit for digit in range(10)})
    for text, label in ((f"{plain}%", "a percentage"), (f"{plain},0", "a decimal comma"), (f"${plain}", "a currency"),
                        (f"+{plain}", "a plus sign"), (hex(int(value)), "a hexadecimal number"),
                        (f"{plain} km", "a unit"), (wide, "wide digits")):  # fmt: skip
        yield Edge(label=f"{label} as text", family="text", fate=Fate.REFUSE, literal=quoted(text))


def _text_family(label: str) -> str:
    return label if label in ("a null character", "a lone surrogate") else "text"


def _texts() -> Iterator[Edge]:
    """Texts for a model that reads texts: it must answer every one of them, but may refuse the empty one."""
    swapped = "".join(HOMOGLYPHS.get(letter, letter) for letter in "please call now")
    for text, label, family in (
        ("", "nothing", "an empty text"), (" \t\n", "blanks", "an empty text"),
        ("\x00", "a null character", "a control"),
        ("\ud800", "a lone surrogate", "a lone surrogate"), ("\ufeffhello", "a byte order mark", "a control"),
        (ZERO_WIDTH * 4, "marks without width", "an empty text"), ("e\u0301" * 40, "letters with marks", "letters"),
        (swapped, "look-alike letters", "letters"), ("\u202eevil", "right to left", "a control"),
        ("😀" * 50, "fifty faces", "letters"), ("9" * 400, "400 digits", "digits"),
        ("%s%n{0}{x}", "a template", "marks"),
        ("a" * 50_000, "50,000 letters in one word", "a long text"), ("a " * 50_000, "50,000 words", "a long text"),
        ("a" * 40 + "!", "forty letters and a mark", "repeated letters"), ("(" * 2_000, "2,000 brackets", "marks"),
        ("<b>" * 500, "500 tags", "marks"), ("\\" * 999, "999 backslashes", "marks"), ("1e999", "1e999", "digits"),
    ):  # fmt: skip
        fate = Fate.EITHER if family in ("an empty text", "a lone surrogate", "a control") else Fate.ANSWER
        yield Edge(label=label, family=family, fate=fate, value=text)


def whole_rows(fields: Sequence[Field], base: Case) -> Iterator[Case]:
    """Every field at the same kind of edge at once, as far as it has one: sums and products overflow together."""
    labels = dict.fromkeys(change.edge.label for field in fields for change in field.changes())
    for label in labels:
        same = tuple(one for field in fields for one in field.changes() if one.edge.label == label)
        if len(same) > 1:
            yield replace(base, changes=same)
