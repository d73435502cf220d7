"""Ids of taxonomies: every one that the catalogue names has a title, and a wrong one is refused with a suggestion."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import temper
from temper.core.errors import TemperError
from temper.threats.rules import catalogue
from temper.threats.shipped import table
from temper.threats.taxonomies import maturity, taxonomies, title

ATLAS = Path(os.environ.get("TEMPER_DATA", "absent")) / "atlas" / "ATLAS.yaml"
SHAPES = {
    "atlas": r"AML\.(?:T\d{4}(?:\.\d{3})?|M\d{4})",
    "cwe": r"\d+",
    "eu-ai-act": r"\d+\(\d\)",
    "iso-24029": r"[a-z-]+",
    "model-risk": r"[a-z-]+",
    "nist": r"NISTAML\.\d{2,3}",
    "nist-rmf": r"(?:MANAGE|MEASURE) \d\.\d+",
    "owasp-agentic": r"ASI(?:0\d|10)",
    "owasp-aix": r"[a-z]+",
    "owasp-llm": r"LLM(?:0\d|10)",
    "owasp-ml": r"ML(?:0\d|10)",
}


@pytest.mark.parametrize("key", SHAPES)
def test_a_table_names_its_edition_and_source_and_its_ids_look_alike(key: str) -> None:
    table = taxonomies()[key]
    assert table.name
    assert table.edition
    assert table.source.startswith("https://")
    assert all(re.fullmatch(SHAPES[key], id) for id in table.titles), table.titles
    assert all(text.strip() == text and text for text in table.titles.values())


def test_every_table_is_tested_and_every_top_ten_has_ten() -> None:
    assert set(taxonomies()) == set(SHAPES)
    for key in ("owasp-agentic", "owasp-llm", "owasp-ml"):
        assert len(taxonomies()[key].titles) == 10


def test_every_reference_of_the_catalogue_has_a_title() -> None:
    for threat in (*catalogue(), *catalogue("assistant")):
        assert threat.references
        for reference in threat.references:
            assert title(reference), reference


def test_every_reference_of_a_control_has_a_title() -> None:
    for name, entry in table("controls").items():
        for reference in entry["references"]:
            assert title(reference), name


def published(text: str) -> dict[str, dict[str, str]]:
    """What ATLAS says of each technique and mitigation, line by line: whatever else an entry holds is passed over."""
    found: dict[str, dict[str, str]] = {}
    entry: dict[str, str] = {}
    for line in text.splitlines():
        if begun := re.match(r"  - id: (AML\.[TM][\d.]+)\s*$", line):
            entry = found.setdefault(begun[1], {})
        elif re.match(r"  - id:|\S", line):
            entry = {}
        elif key := re.match(r"    (name|maturity|subtechnique-of): *(.+?)\s*$", line):
            entry.setdefault(key[1], key[2].strip("'\""))
    return found


def test_the_reader_of_atlas_passes_over_what_it_does_not_know() -> None:
    text = """version: 5
matrices:
  techniques:
  - id: AML.T0001
    name: 'One'
    ml-lifecycle:
    - id: AML.T0099
      use: a stray entry
    created_date: 2023-01-01
    maturity: feasible
  - id: AML.T0001.000
    name: Two
    subtechnique-of: AML.T0001
  - id: AML.CS0001
    name: A case study
"""
    found = published(text)
    assert found["AML.T0001"] == {"name": "One", "maturity": "feasible"}
    assert found["AML.T0001.000"] == {"name": "Two", "subtechnique-of": "AML.T0001"}
    assert len(found) == 2


@pytest.mark.skipif(not ATLAS.is_file(), reason="needs TEMPER_DATA with atlas")
def test_the_table_of_atlas_is_what_mitre_published() -> None:
    theirs = published(ATLAS.read_text(encoding="utf-8"))
    ours = taxonomies()["atlas"]
    assert len(theirs) > 200
    for id, entry in theirs.items():
        parent = theirs.get(entry.get("subtechnique-of", ""), {}).get("name", "")
        assert ours.titles[id] == (f"{parent}: {entry['name']}" if parent else entry["name"]), id
        assert ours.maturity.get(id, "") == entry.get("maturity", ""), id
    assert set(ours.titles) == set(theirs)


def test_the_furthest_technique_says_how_far_a_threat_has_been_seen() -> None:
    assert maturity(("atlas:AML.T0024.001", "atlas:AML.T0015")) == "realized"
    assert maturity(("atlas:AML.T0024.001", "atlas:AML.T0029")) == "demonstrated"
    assert maturity(("nist:NISTAML.022", "nowhere:1")) == ""
    assert {threat.maturity for threat in catalogue() if threat.id.startswith("evasion-s")} == {"realized"}


def test_every_tag_anywhere_in_the_source_has_a_title() -> None:
    tags = re.compile(r"\b(?:owasp-(?:llm|ml|agentic)|atlas|nist|cwe):[A-Z0-9][A-Z0-9.]*[A-Z0-9]")
    source = Path(temper.__file__).parent
    found = {
        tag
        for path in source.rglob("*")
        if path.suffix in (".py", ".yaml") and path.parent.name != "taxonomies"
        for tag in tags.findall(path.read_text(encoding="utf-8"))
    }
    assert len(found) > 20
    for tag in found:
        assert title(tag), tag


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("owasp-llm:LLM01", "Prompt Injection"),
        ("owasp-llm:LLM10", "Unbounded Consumption"),
        ("owasp-agentic:ASI01", "Agent Goal Hijack"),
        ("atlas:AML.T0051.001", "LLM Prompt Injection: Indirect"),
        ("atlas:AML.T0086", "Exfiltration via AI Agent Tool Invocation"),
        ("nist:NISTAML.015", "Indirect Prompt Injection"),
        ("cwe:1427", "Improper Neutralization of Input Used for LLM Prompting"),
    ],
)
def test_titles_are_those_of_the_source(tag: str, name: str) -> None:
    assert title(tag) == name


@pytest.mark.parametrize(
    ("tag", "fix"),
    [
        ("owasp-llm:LLM11", "LLM1"),
        ("owasp:LLM01", "owasp-llm:LLM01"),
        ("nonsense", "a colon and the id"),
        ("", "colon"),
    ],
)
def test_an_unknown_id_is_refused_with_a_suggestion(tag: str, fix: str) -> None:
    with pytest.raises(TemperError) as caught:
        title(tag)
    assert fix in f"{caught.value} {caught.value.fix}"
