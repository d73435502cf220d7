"""Titles of the ids that threats and findings carry, from versioned tables: one file per taxonomy.

An id is written "table:id", such as "owasp-llm:LLM01", "atlas:AML.T0051.001" or "cwe:1427". A later edition that
changes the meaning of ids is a table of its own, so that what was found before keeps its title.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from temper.core.errors import TemperError


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """One table in one edition: what each id is called and, for ATLAS, how far the world has seen it."""

    key: str
    name: str
    edition: str
    source: str
    titles: dict[str, str]
    maturity: dict[str, str]


@cache
def taxonomies() -> dict[str, Taxonomy]:
    """Every table by its key.

    >>> sorted(taxonomies())[:5]
    ['atlas', 'cwe', 'eu-ai-act', 'iso-24029', 'model-risk']
    """
    import yaml

    found = {}
    for path in sorted((Path(__file__).parent / "taxonomies").glob("*.yaml")):
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
        titles = {str(key): str(title) for key, title in entry.pop("titles").items()}
        seen = {str(id): word for word, ids in entry.pop("maturity", {}).items() for id in ids}
        about = {key: str(value) for key, value in entry.items()}
        found[path.stem] = Taxonomy(key=path.stem, titles=titles, maturity=seen, **about)
    return found


MATURITIES = ("realized", "demonstrated", "feasible")
"""How far the world has seen a technique: in an incident, in an exercise, on paper; the furthest first."""


def maturity(tags: Iterable[str]) -> str:
    """How far the furthest of these ids has been seen; "" where no table says.

    >>> maturity(["atlas:AML.T0015", "atlas:AML.T0024.001", "nist:NISTAML.022"]), maturity(["nist:NISTAML.022"])
    ('realized', '')
    """
    tables = taxonomies()
    pairs = (tag.partition(":") for tag in tags)
    found = {tables[key].maturity.get(id, "") for key, _, id in pairs if key in tables}
    return next((word for word in MATURITIES if word in found), "")


def title(tag: str) -> str:
    """What this id is called.

    >>> title("owasp-llm:LLM01")
    'Prompt Injection'
    """
    key, _, id = tag.partition(":")
    table = taxonomies().get(key)
    if table is not None and id in table.titles:
        return table.titles[id]
    known = [f"{one}:{other}" for one, table in taxonomies().items() for other in table.titles]
    near = get_close_matches(tag, known, 1)
    fix = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(taxonomies())}, a colon and the id"
    raise TemperError(f"{tag!r} is in no taxonomy", fix=fix)
