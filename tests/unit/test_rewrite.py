"""Changing an answer of a temper.yaml leaves everything else, comments included, as it is."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from temper.config.rewrite import rewritten
from temper.core.errors import ConfigError

FLOW = "# mine\nmodel: {path: a.ubj, threshold: 0.5}  # keep\ndata: {test: t.parquet}\n"
BLOCK = "model:\n  path: a.ubj  # the model\n  threshold: 0.5\ndata:\n  test: t.parquet\n"


@pytest.mark.parametrize("text", [FLOW, BLOCK], ids=["flow", "block"])
@given(value=st.one_of(st.floats(0, 1), st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)))
def test_the_answer_changes_and_nothing_else(text: str, value: float | str) -> None:
    changed = rewritten(text, {("model", "path"): value, ("data", "train"): value})
    expected = yaml.safe_load(text)
    expected["model"]["path"] = value
    expected["data"]["train"] = value
    assert yaml.safe_load(changed) == expected


def test_comments_stay() -> None:
    assert "# mine" in rewritten(FLOW, {("model", "path"): "b"})
    assert "# keep" in rewritten(FLOW, {("model", "path"): "b"})
    assert "# the model" in rewritten(BLOCK, {("model", "path"): "b"})


def test_an_absent_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="actors"):
        rewritten(FLOW, {("actors", "name"): "x"})
