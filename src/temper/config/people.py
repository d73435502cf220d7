"""People of a sandbox: whose data the tools hold."""

from __future__ import annotations

from temper.config.document import Section
from temper.core.assistant import Person

SHORTEST = 8
"""Letters and digits a value has at least: shorter ones stand in honest texts by chance."""


def people(section: Section) -> tuple[Person, ...]:
    """The people under `people:`, the user among them with `own: true`.

    >>> from temper.config.reading import parse
    >>> people(parse("people: [{name: Ida Holm, values: [GB33BUKB20201555555555]}]"))[0].own
    False
    """
    return tuple(_person(entry) for entry in section.sections("people"))


def _person(section: Section) -> Person:
    section.only("name", "values", "own")
    values = section.texts("values")
    short = next((value for value in values if sum(map(str.isalnum, value)) < SHORTEST), None)
    if short is not None or not values:
        told = f"the value {short!r}" if short is not None else "no value"
        words = f"{section.needed('name')} has {told}, expected values of at least {SHORTEST} letters and digits"
        raise section.error(words, "values", fix="name whole numbers: an account, a card, a telephone")
    return Person(name=section.needed("name"), values=values, own=section.flag("own", False))
