"""Reports in every format: faithful, deterministic, inert."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from temper.core.errors import TemperError
from temper.core.measure import Curve, Measurement, Point, Status
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.report import FORMATS, render
from temper.report import json as json_report
from temper.report._figure import figure, percent
from temper.report._inert import inert
from temper.report._story import limits, next_step, sentences
from temper.report.charts import curves
from unit.test_report_invented import HOSTILE, effects, fraud, hostile, sturdy


@cache
def page(name: str) -> str:
    """Rendered once: charts take a second."""
    if name == "fraud":
        return render(fraud(), "html", before=sturdy(), effects=effects())
    return render(hostile(), "html")


class Tags(HTMLParser):
    """Every tag and attribute of a page, and whether tags close in order."""

    VOID = {"meta", "link", "br", "hr", "img", "rect", "path", "line"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_record_gives_the_same_bytes(format: str) -> None:
    first, second = (render(fraud(), format).encode() for _ in range(2))
    assert first == second


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TemperError, match="use one of text, html, json, junit, sarif"):
        render(fraud(), "pdf")


@pytest.mark.parametrize("format", ["text", "html", "json", "junit", "sarif"])
def test_hostile_text_acts_in_no_format(format: str) -> None:
    text = page("hostile") if format == "html" else render(hostile(), format)
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    if format in ("html", "junit"):
        assert "<script" not in text
    if format == "junit":
        assert "]]>" not in text
    if format == "text":
        assert "[red]bold[/red]" in text


def test_hostile_text_stays_visible() -> None:
    assert "‹U+001B›[31m" in render(hostile(), "text")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page("hostile")
    assert "{{7*7}}" in page("hostile")


@pytest.mark.parametrize("name", ["fraud", "hostile"])
def test_the_page_has_no_script_no_network_and_closes_its_tags(name: str) -> None:
    tags = Tags(page(name))
    assert tags.open == []
    assert not tags.names & {"script", "link", "img", "iframe", "object", "embed", "form", "foreignobject", "image"}
    for attribute, value in tags.attributes:
        assert not attribute.startswith("on")
        if attribute in ("href", "src", "xlink:href"):
            assert value.startswith("#")
    assert not re.search(r"@import|url\((?!#)", page(name))
    assert "default-src 'none'" in page(name)


def test_ids_are_unique_and_every_link_on_the_page_leads_somewhere() -> None:
    tags = Tags(page("fraud"))
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in tags.attributes if name == "href"} <= set(ids)


def test_the_page_shows_verdict_figures_examples_commands_and_limits() -> None:
    text = re.sub(r"<[^>]+>", " ", page("fraud")).replace("\u00a0", " ")
    for shown in (
        "Requirements not met",
        "35.5 %–46.5 %",
        "95 % interval 40.2 % to 53.9 %",
        "random moves, equal budget: 2 %",
        "About 2,870 rows would decide it.",
        "Waived by R. Okafor until 2027-04-01",
        "214.50",
        "temper replay F-7c1e",
        "temper harden --for F-7c1e",
        "−46 to −31 points",
        "needs gradients, which trees do not have",
        "0/59: under 5 %",
        "9f2c" * 16,
        "UNTRIED",
        "the student was still improving",
    ):
        assert shown in text, shown


def test_every_measurement_and_every_limit_is_on_the_page() -> None:
    text = re.sub(r"<[^>]+>", " ", page("fraud")).replace("\u00a0", " ")
    assert page("fraud").count("<svg") == 7
    assert page("fraud").count('<svg class="spark"') == 2
    for m in fraud().measurements:
        assert figure(m) in text
    for line in limits(fraud()):
        assert line in text


def test_every_series_of_a_chart_is_named_and_every_axis_titled() -> None:
    drawings = {chart.title: chart.svg for family in curves(fraud().measurements).values() for chart in family}
    assert list(drawings) == [
        "Evasion: success rate against cost to the attacker",
        "Poisoning: recall loss against share of training rows",
        "Stress: loss against severity",
    ]
    shown = {title: re.findall(r"<text[^>]*>([^<]*)</text>", svg) for title, svg in drawings.items()}
    first, second, third = shown.values()
    assert {"random_search", "coordinate", "noise", "success rate", "cost to the attacker", "100%"} <= set(first)
    assert {"label_flip_targeted", "recall loss", "share of training rows", "5%"} <= set(second)
    assert {"missing", "unit_error", "loss (AUC)", "severity"} <= set(third)


def test_a_section_says_when_its_figures_mislead() -> None:
    blind = (("evasion.random_search", "Misleads where <b>nobody</b> looks."), ("poisoning.x", "Misleads on labels."))
    text = render(replace(fraud(), misleads=blind), "html")
    evasion, poisoning = (text.index(f"<h2>{title}") for title in ("Evasion: ", "Poisoning: "))
    assert evasion < text.index("Misleads where &lt;b&gt;nobody&lt;/b&gt; looks.") < poisoning
    assert poisoning < text.index("Misleads on labels.")


def test_a_point_that_is_not_a_number_is_left_out_of_the_chart() -> None:
    first = fraud().measurements[0]
    assert first.curve is not None
    holed = replace(first.curve, points=(replace(first.curve.points[0], value=float("nan")), *first.curve.points[1:]))
    assert "NaN" not in curves([replace(first, curve=holed)])["evasion"][0].svg
    assert curves([replace(first, curve=replace(holed, points=holed.points[:1]))]) == {"evasion": []}


def test_a_logarithmic_chart_leaves_out_what_has_no_logarithm() -> None:
    first = fraud().measurements[0]
    ends = ((0.0, 0.0), (1e-3, 0.02), (1e-2, 0.1), (0.1, 0.4), (1.0, 1.0))
    points = tuple(Point(at=at, value=value, low=0.0, high=value, n=500) for at, value in ends)
    roc = Curve(name="ROC", axis="false-positive rate", unit="", points=points, scale="log-log")
    drawn = curves([replace(first, curve=roc)])["evasion"][0].svg
    assert "NaN" not in drawn
    assert "Infinity" not in drawn
    assert "0.1%" in drawn


def test_findings_beyond_fifteen_are_counted_and_not_shown() -> None:
    many = replace(fraud(), findings=tuple(replace(fraud().findings[0], id=f"F-{at}") for at in range(40)))
    assert render(replace(many, measurements=()), "html").count('<article class="finding') == 15
    assert "25 more findings" in render(replace(many, measurements=()), "html")
    assert "and 25 more findings" in render(many, "text")


def test_the_most_severe_findings_are_the_ones_shown() -> None:
    low = tuple(replace(fraud().findings[0], id=f"F-{at}", severity="low") for at in range(20))
    many = replace(fraud(), findings=(*low, fraud().findings[1]), measurements=())
    assert "Flipping 5 % of the training labels" in render(many, "text")


@pytest.mark.parametrize("state", ["stopped", "failed"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_unfinished_run_never_reads_as_passed(state: str, format: str) -> None:
    record = replace(sturdy(), state=state, measurements=())
    text = render(record, format)
    assert f"the run {state} before" in text.lower()
    if format == "html":
        assert 'class="banner pass"' not in text


def test_a_run_without_requirements_is_not_shown_as_passed() -> None:
    record = replace(sturdy(), judgements=(), measurements=())
    assert 'class="banner inconclusive"' in render(record, "html")
    assert "not judged" in sentences(record)[0]


def test_inconclusive_is_never_told_as_a_pass() -> None:
    undecided = tuple(j for j in fraud().judgements if j.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE))
    record = replace(fraud(), judgements=undecided, verdict=Verdict.INCONCLUSIVE, findings=())
    verdict, weight, step = sentences(record)
    assert verdict == (
        "“card-fraud” has not been shown to meet its policy: nothing failed, but of 3 requirements 2 passed and "
        "1 could not be decided."
    )
    assert "35.5 %–46.5 %" in weight
    assert "2,870 rows" in weight
    assert "2,870 rows" in step


def test_sentences_come_from_the_data() -> None:
    verdict, weight, step = sentences(fraud())
    assert "1 of 6 requirements failed" in verdict
    assert "the success rate of evasion.random_search is 47 % (95 % interval 40.2 % to 53.9 %, n = 200)" in weight
    assert "amount 231.00 → 214.50 and hour 2 → 11 moved one score from 0.97 to 0.08 in 38 queries" in weight
    assert "temper harden --for F-7c1e" in step
    assert "night" not in weight
    passed = sentences(sturdy())
    assert "meets all 2 requirements" in passed[0]
    assert "Closest to its limit: the recall of performance" in passed[1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"state": "stopped"}, "--resume"),
        ({"findings": ()}, "an error is not a pass"),
        ({"findings": (), "judgements": ()}, "write requirements"),
    ],
)
def test_the_next_step_fits_the_situation(change: dict[str, object], expected: str) -> None:
    assert expected in next_step(replace(fraud(), **change))  # type: ignore[arg-type]


def test_the_limits_name_what_was_not_shown() -> None:
    said = " ".join(limits(fraud()))
    for part in (
        "lower bounds",
        "INCONCLUSIVE: extraction",
        "UNTRIED: inversion",
        "22 of 200",
        "left out",
        "severity 5",
    ):
        assert part in said
    assert "SIMULATED" not in said
    assert "SIMULATED" in " ".join(limits(replace(fraud(), simulated=True)))
    assert "Nothing was measured about" in " ".join(limits(replace(fraud(), measurements=())))


@pytest.mark.parametrize("record", [fraud, sturdy, hostile])
def test_json_satisfies_its_shipped_schema(record: Callable[[], Record]) -> None:
    validator = jsonschema.Draft202012Validator(json_report.schema())
    validator.check_schema(json_report.schema())
    validator.validate(json.loads(render(record(), "json", before=sturdy(), effects=effects())))


def test_the_schema_refuses_a_document_with_more_or_less() -> None:
    validator = jsonschema.Draft202012Validator(json_report.schema())
    document = json.loads(render(fraud(), "json"))
    document["record"]["surprise"] = 1
    assert not validator.is_valid(document)
    document = json.loads(render(fraud(), "json"))
    del document["record"]["verdict"]
    assert not validator.is_valid(document)


def test_json_holds_every_field_of_the_record_and_hostile_text_unchanged() -> None:
    document = json.loads(render(hostile(), "json"))
    assert set(document["record"]) == {field.name for field in fields(Record)}
    assert set(document["record"]["measurements"][0]) == {field.name for field in fields(Measurement)}
    assert document["record"]["system"] == HOSTILE
    assert document["record"]["findings"][0]["title"] == HOSTILE


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_a_number_that_is_not_finite_and_names_its_place(bad: float) -> None:
    first, *rest = fraud().measurements
    with pytest.raises(TemperError, match=r"record\.measurements\[0\]\.value"):
        render(replace(fraud(), measurements=(replace(first, value=bad), *rest)), "json")


def test_json_takes_numpy_numbers() -> None:
    first = replace(fraud().measurements[0], value=np.float64(0.5), n=np.int64(3))  # type: ignore[arg-type]
    loaded = json.loads(render(replace(fraud(), measurements=(first,)), "json"))
    assert loaded["record"]["measurements"][0]["value"] == 0.5
    assert loaded["record"]["measurements"][0]["n"] == 3


def test_junit_maps_every_verdict_and_counts_it() -> None:
    suite = ElementTree.fromstring(render(fraud(), "junit")).find("testsuite")
    assert suite is not None
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "1",
        "errors": "1",
        "skipped": "4",
    }
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    failure = cases["holds-against-search"].find("failure")
    assert failure is not None
    assert "measured 47 %" in failure.get("message", "")
    skipped = cases["holds-against-coordinate"].find("skipped")
    assert skipped is not None
    assert skipped.get("message", "").startswith("INCONCLUSIVE: measured 35.5 %–46.5 %")
    assert cases["keeps-members-private"].find("error") is not None
    waived = cases["survives-unit-errors"].find("skipped")
    assert waived is not None
    assert "waived by R. Okafor until 2027-04-01" in waived.get("message", "")
    assert cases["ranks-well"].find("skipped") is None
    assert cases["evasion.pgd"].find("skipped") is not None


def test_junit_of_an_unfinished_run_has_an_error() -> None:
    suite = ElementTree.fromstring(render(replace(sturdy(), state="stopped"), "junit")).find("testsuite")
    assert suite is not None
    assert suite.get("errors") == "1"


def test_hostile_junit_is_well_formed() -> None:
    root = ElementTree.fromstring(render(hostile(), "junit"))
    assert root.findall(".//testcase")[0].get("name") == inert(HOSTILE)


def test_figures_are_told_with_interval_and_bracket() -> None:
    search, coordinate, *_ = fraud().measurements
    assert figure(search) == "47 %"
    assert figure(coordinate) == "35.5 %–46.5 %"
    assert figure(replace(search, value=None, count=None, status=Status.UNTRIED, reason="x")) == "not measured"
    assert percent(1.0) == "100 %"
    assert percent(0.99996) != "100 %"
    assert percent(0.00001) != "0 %"


def test_terminal_shows_every_part() -> None:
    text = render(fraud(), "text", before=sturdy(), effects=effects())
    for shown in (
        "Threat model: 4 scenarios",
        "✗ FAIL",
        "? INCONCLUSIVE",
        "35.5 %–46.5 %",
        "row 1832: amount 231.00 -> 214.50",
        "fix: temper harden --for F-7c1e",
        "What this does not show",
        "−38.5 points",
        "Next: `temper harden",
    ):
        assert shown in text, shown
    assert max(len(line) for line in text.splitlines()) <= 110


def test_a_terminal_that_has_only_ascii_gets_ascii() -> None:
    import io

    from rich.console import Console

    from temper.report._blocks import record_blocks, write

    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        write(record_blocks(fraud()), Console(file=stream, width=110, force_terminal=False))
        stream.flush()
        text = raw.getvalue().decode("ascii")
    assert "x FAIL" in text
    assert "47 %" in text


@pytest.mark.parametrize("record", [Record])
def test_an_empty_run_renders_everywhere(record: type[Record]) -> None:
    empty = record(
        id="1",
        system="s",
        suite="quick",
        seed=0,
        started="",
        seconds=0.0,
        state="finished",
        verdict=Verdict.INCONCLUSIVE,
    )
    for format in FORMATS:
        assert render(empty, format)
