"""Every page of the lifecycle says what the other rooms do with its evidence, and every link of it leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs" / "lifecycle").glob("*.md") if path.name != "README.md")
HEAD = "## Where its evidence goes"


def section(text: str) -> str:
    return text.partition(f"\n{HEAD}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_links_to_those_who_go_on_from_it(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", section(page.read_text(encoding="utf-8")))
    assert len({*links}) >= 2
    assert page.name not in links
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_a_page_without_it_is_found() -> None:
    assert section("# A room\n\n## Questions\n") == ""
