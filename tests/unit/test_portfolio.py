"""A portfolio: what of it is broken is one line each and takes nothing from the rest; the first one is drafted."""

import pytest

from temper.config.portfolio import load_portfolio
from temper.config.portfolio_draft import write
from temper.core.errors import ConfigError
from temper.core.evidence import DAY
from temper.core.fleet import Level
from unit.small_fleet import portfolio


@pytest.fixture
def folder(tmp_path):
    for name in ("cards", "loans/retail", "loans/firms"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "temper.yaml").write_text("system: {}\n")
    return tmp_path


def test_a_system_is_given_what_its_tier_is_given_but_for_what_it_says_itself(folder):
    head = "name: bank\ntiers: {high: {suite: standard, minutes: 5, age: 7d}}\n"
    path = portfolio(
        folder,
        "{path: cards, name: fraud, owner: cards team, tier: high, memory: 4, only: [evasion], tags: [pci]}",
        '{path: "**/temper.yaml", tier: low, priority: 9}',
        head=head,
    )
    found = load_portfolio(path)
    assert (found.name, found.refused) == ("bank", ()), "a glob is what no entry before it names"
    fraud, firms, retail = found.entries
    assert (fraud.name, fraud.owner, fraud.level, fraud.only, fraud.tags) == (
        "fraud", "cards team", Level.HIGH, ("evasion",), ("pci",),
    )  # fmt: skip
    assert (fraud.tier.suite, fraud.tier.minutes, fraud.tier.memory, fraud.tier.age) == ("standard", 5.0, 4.0, 7 * DAY)
    assert (firms.name, retail.name, retail.tier.suite, retail.tier.priority) == (
        "loans/firms", "loans/retail", "quick", 9.0,
    )  # fmt: skip
    assert fraud.where == f"{path}:4"


GOOD = "{path: loans/firms}"
BROKEN = {
    "a path that is not there": ("{path: nowhere}", "there is no nowhere"),
    "no path": ("{owner: ana}", "path is missing"),
    "an unknown key": ("{path: cards, tear: high}", "did you mean 'tier'"),
    "an unknown tier": ("{path: cards, tier: hihg}", "did you mean 'high'"),
    "no mapping": ("cards", "a mapping with `path:`"),
    "a number that is none": ("{path: cards, minutes: soon}", "expected a number"),
    "no minutes": ("{path: cards, minutes: 0}", "above 0"),
    "a place outside": ("{path: ../other}", "outside of"),
    "a place from the root": ("{path: /etc/hosts}", "outside of"),
    "a glob outside": ('{path: "../*/temper.yaml"}', "leads outside"),
    "a glob that finds nothing": ('{path: "x*/temper.yaml"}', "finds no file"),
    "a name for many": ('{path: "loans/*/temper.yaml", name: x}', "names one system"),
    "the same again": ("{path: loans/firms/temper.yaml, name: x}", "once more"),
    "the same name": ("{path: cards, name: loans/firms}", "add `name:`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_entry_is_one_line_and_the_rest_is_as_good(folder, case):
    entry, why = BROKEN[case]
    (folder.parent / "other").mkdir(exist_ok=True)
    (folder.parent / "other" / "temper.yaml").write_text("")
    found = load_portfolio(portfolio(folder, GOOD, entry, "{path: loans/retail}"))
    assert [one.name for one in found.entries if one.name.startswith("loans")] == ["loans/firms", "loans/retail"]
    (line,) = found.refused
    assert why in line.why
    assert line.where.startswith(str(folder / "portfolio.yaml:3"))
    assert "\n" not in line.why


def test_links_and_roots_decide_what_lies_outside(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("models")
    (other / "temper.yaml").write_text("")
    (folder / "linked").symlink_to(other)
    (line,) = load_portfolio(portfolio(folder, "{path: linked}")).refused
    assert "lies outside" in line.why
    found = load_portfolio(portfolio(folder, "{path: linked}", head=f"roots: [{other}]\n"))
    assert [one.config for one in found.entries] == [str((other / "temper.yaml").resolve())]


def test_portfolios_of_others_are_included_and_a_circle_is_a_line(folder):
    (folder / "cards" / "portfolio.yaml").write_text(
        "include: [../portfolio.yaml, gone.yaml]\nroots: [..]\nsystems: [{path: temper.yaml, tier: high}]\n"
    )
    found = load_portfolio(portfolio(folder, GOOD, head="include: [cards/portfolio.yaml]\n"))
    assert [(one.name, one.level) for one in found.entries] == [
        ("loans/firms", Level.MEDIUM),
        ("cards/cards", Level.HIGH),
    ]
    circle, gone = found.refused
    assert "includes itself" in circle.why
    assert "No such file" in gone.why


@pytest.mark.parametrize("text", ["systems: [", "system: []\n", "systems: []\n", "tiers: {top: {}}\nsystems: []\n"])
def test_a_file_that_cannot_be_read_at_all_is_refused(folder, text):
    (folder / "portfolio.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_portfolio(folder / "portfolio.yaml")


def test_the_first_portfolio_is_drafted_and_can_be_read(folder):
    (folder / "cards" / "temper.yaml").write_text("system: {criticality: critical}\n")
    (folder / "loans" / "firms" / "temper.yaml").write_text("system: [\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "temper.yaml").write_text("")
    path, count = write(folder, folder / "portfolio.yaml")
    found = load_portfolio(path)
    assert count == 3
    assert [(one.name, one.level) for one in found.entries] == [
        ("cards", Level.HIGH),
        ("loans/firms", Level.MEDIUM),
        ("loans/retail", Level.MEDIUM),
    ]
    assert "not YAML" in path.read_text()
    with pytest.raises(ConfigError, match="already"):
        write(folder, path)
