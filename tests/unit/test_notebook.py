"""What a notebook shows of results: small, escaped, and the same figures as anywhere else."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import temper
from temper.api.results import AttackResult, Hardening, Risks, Run
from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Better
from temper.core.risk import Register, Risk, Spread, Standing
from temper.core.run import Record
from temper.core.threat_model import Concern, ThreatModel
from temper.kernels.rate import measure_rate
from temper.report.notebook import Shown
from temper.report.threats import Threats
from temper.testing.records import HOSTILE, TAME, record

ALLOWED = {"div", "p", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "code"}


class Reader(HTMLParser):
    """The tags and attributes of a view, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.names: set[str] = set()
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def results(words: str) -> dict[str, Shown]:
    """One of each kind, with these words wherever words from outside can stand."""
    spread = Spread(middle=0.2, low=0.1, high=0.4, p90=0.35)
    names = ("attempts", "loss", "chance_before", "chance", "annual_before", "annual")
    parts: dict[str, Any] = dict.fromkeys(names, spread)
    risk = Risk(
        **parts, scenario="s", title=words, actor=words, standing=Standing.MEASURED, rating_before="high",
        rating="critical", accepted=words,
    )  # fmt: skip
    register = Register(unit=words, appetite=10.0, risks=(risk,), total_before=spread, total=spread, notes=(words,))
    run = Run(replace(record(words), risk=register))
    effect = Effect(
        defence=words, metric=words, before=0.6, after=0.2, difference=-0.4, low=-0.5, high=-0.3, n=90, verdict="better"
    )
    tried: Any = SimpleNamespace(effects=(effect,), chosen=SimpleNamespace(defence=words))
    rate = measure_rate("evasion.toy", "success_rate", 2, 4, better=Better.LOWER, baseline=((words, 0.25),))
    rows = np.array(["broken", "broken", "held", "untried"], dtype=object)
    concern = Concern(id="c", title=words, rating="high", harm=words, actors=(words,))
    model = ThreatModel(system=words, purpose=words, concerns=(concern,))
    assert run.risk is not None
    return {
        "run": run,
        "comparison": temper.compare(record(words), replace(record(words), id="0008")),
        "hardening": Hardening(system=None, before=run, after=run, results=(tried,)),  # type: ignore[arg-type]
        "attack": AttackResult(rows, rows, rows, rows, rate, (words,), {}),
        "threats": Threats(model=model, warnings=(words,)),
        "risk": run.risk,
    }


@pytest.mark.parametrize("name", results(TAME))
def test_hostile_words_stay_words(name: str) -> None:
    shown = results(HOSTILE)[name]
    read = Reader(shown._repr_html_())
    assert set(read.tags) <= ALLOWED
    assert read.names == {"style"}
    assert not read.open
    assert "<script>alert(1)</script>" in "".join(read.words)
    text = shown._repr_markdown_()
    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(text + "".join(read.words))
    assert "\\<script\\>" in text
    assert "<script" not in text.replace("\\<", "")
    pipes = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")}
    assert len(pipes) <= 2, "a hostile bar opens no column"


def test_a_run_says_its_figures_with_interval_and_n() -> None:
    text = "".join(Reader(Run(record())._repr_html_()).words).replace("\u00a0", " ")
    assert "7.5 %–12.5 % (2.6 % to 26.1 %, n = 40)" in text
    assert "waived by a plain word until 2026-03-01" in text
    assert "temper replay F-1234" in text


def test_every_kind_says_what_it_is_about() -> None:
    shown = {name: one._repr_markdown_() for name, one in results(TAME).items()}
    assert "50 % (95 % interval" in shown["attack"]
    assert "a plain word: 25 %" in shown["attack"]
    assert "2 broken, 1 held, 1 untried" in shown["attack"]
    assert "-0.4 (-0.5 to -0.3, n = 90)" in shown["hardening"]
    assert "20 % → 20 % (10 % to 40 %)" in shown["risk"]
    assert "| high | a plain word | a plain word | 1 tests" in shown["threats"]
    assert "2 figures whose intervals show no change; 1 findings as before" in shown["comparison"]


def test_a_long_run_stays_small_and_says_how_much_it_leaves_out() -> None:
    weak = Finding(id="F-1", title="weak", plugin="evasion.toy", metric="success_rate", severity="low")
    made: Record = record()
    long = Run(replace(made, judgements=made.judgements * 40, findings=(weak,) * 300))
    assert "and 90 more" in long._repr_markdown_()
    assert "Findings (300)" in long._repr_markdown_()
    assert len(long._repr_html_()) < 60_000


def test_a_run_without_a_register_has_no_risk() -> None:
    assert Run(record()).risk is None
    assert isinstance(results(TAME)["risk"], Risks)


def test_the_command_line_writes_the_same_as_markdown() -> None:
    from temper.report import render

    assert render(record(), "markdown") == Run(record())._repr_markdown_()
