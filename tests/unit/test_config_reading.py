"""Reading documents and tables: strict, bounded, and with the line."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.config.reading import LARGEST, parse, read
from temper.config.rows import stable_ids
from temper.config.table import read_table
from temper.config.truth import class_names, encode, ordered
from temper.config.yaml_text import flow
from temper.core.errors import ConfigError


def test_words_stay_words_and_numbers_become_numbers_only_where_asked() -> None:
    section = parse("{a: NO, on: 010, c: 1e3, d: 'true', e: 2026-01-02, f: 12:30:00, g: null, h: 1_000}")
    assert section.text("a") == "NO"
    assert section.text("on") == "010"
    assert section.number("c", 0) == 1000.0
    assert section.text("f") == "12:30:00"
    assert section.text("g", "default") == "default"
    with pytest.raises(ConfigError, match="expected true or false"):
        section.flag("d", False)
    with pytest.raises(ConfigError, match="'1_000', expected a number"):
        section.number("h", 0)


def test_plain_values_are_read_as_yaml_12() -> None:
    plain = parse("{a: NO, b: 1, c: 1.5, d: true, e: [1, x], f: {g: ~}, h: '1'}").plain()
    assert plain == {"a": "NO", "b": 1, "c": 1.5, "d": True, "e": (1, "x"), "f": {"g": None}, "h": "1"}


def test_lines_are_those_of_the_keys() -> None:
    section = parse("# first\na:\n  b: 1\n\n  c: [x]\nd: 2\n")
    assert dict(section.every_line()) == {"a": 2, "a.b": 3, "a.c": 5, "d": 6}


def test_a_few_aliases_are_fine() -> None:
    assert parse("{a: &x {low: 1}, b: *x}").section("b").number("low", 0) == 1


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(), "more than"),
        ("a: &a [*a]", "levels|alias"),
        ("a: " + "[" * 60 + "]" * 60, "levels"),
        ("a: " + "[" * 5000, "too deep"),
        ("a: !!python/object/apply:os.system ['echo hi']", "tag"),
        ("a: !secret x", "tag"),
        ("{a: 1, a: 2}", "duplicated key 'a'"),
        ("? [a]\n: 1", "a key must be text"),
        ("", "is empty"),
        ("- a", "is a list, expected a mapping"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: 'open", "not YAML"),
    ],
)
def test_hostile_documents_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(text)


def test_files_that_are_no_documents_are_refused(tmp_path: Path) -> None:
    big, binary = tmp_path / "big.yaml", tmp_path / "binary.yaml"
    big.write_text("a: " + "x" * LARGEST)
    binary.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="larger than"):
        read(big)
    with pytest.raises(ConfigError, match="not UTF-8"):
        read(binary)
    with pytest.raises(ConfigError, match="cannot read"):
        read(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        read(tmp_path)


values = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), inner, max_size=4)
    ),
    max_leaves=8,
)


def tuples(value: object) -> object:
    if isinstance(value, list):
        return tuple(tuples(item) for item in value)
    return {key: tuples(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(values)
def test_flow_text_reads_back_equal_whatever_the_names(value: object) -> None:
    assert parse("x: " + flow(value) + "  # guessed").plain() == {"x": tuples(value)}


# -- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet"])
def test_every_file_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"a": np.arange(12.0), "é,\n": np.arange(12), "c": ["x", "y"] * 6})
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    pd.testing.assert_frame_equal(read_table(path, ["c", "é,\n"]), frame[["c", "é,\n"]])


def test_text_columns_are_kept_as_written(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("code,n\n" + "01,1\nNA,\n,3\n" * 4)
    frame = read_table(path, text=["code"])
    assert frame["code"].tolist()[:2] == ["01", "NA"]
    assert frame["code"].isna().sum() == 4
    assert frame["n"].isna().sum() == 4


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", "a,a\n1,2\n", "duplicated columns: a"),
        ("t.csv", "a,b\n1,2\n1,2\n1,2\n", "3 row"),
        ("t.csv", "", "has no header"),
        ("t.csv", "a,b\n", "0 row"),
        ("t.parquet", "not parquet", "not a parquet file"),
        ("t.csv.gz", "not gzip", "not a CSV file"),
        ("t.xlsx", "x", "neither parquet nor CSV"),
        ("t.csv", "a,b\n" + "1,2\n" * 10 + "1,2,3\n", "data row 11 has 3 fields, the header has 2"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=says):
        read_table(tmp_path / name)


def test_only_the_needed_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    pd.DataFrame({f"c{i}": np.random.default_rng(i).normal(size=50_000) for i in range(40)}).to_parquet(path)
    read_table(path, ["c0"])
    tracemalloc.start()
    read_table(path, ["c1", "c2"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000 * 8 * 10


# -- truth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "positive", "count", "labels", "order", "turned"),
    [
        ("0 1 3", "", 4, "", "0 1 2 3", False),
        ("1 2", "", 2, "", "1 2", False),
        ("a b", "a", 2, "", "b a", False),  # nobody knows the model's order: it scores `positive` as 1
        ("a b", "a", 2, "a b", "b a", True),  # the model's own order is known: it must be turned
        ("a b", "b", 2, "a b", "a b", False),
        ("a b", "a", 2, "0 1", "b a", False),  # fitted on y == "a"
        ("0 1", "0", 2, "", "1 0", True),
        ("a c", "", 3, "a b c", "a b c", False),
    ],
)
def test_class_numbers_are_the_models_own(
    names: str, positive: str, count: int, labels: str, order: str, turned: bool
) -> None:
    found = ordered(names.split(), positive, count, labels.split())
    assert (found.names, found.turned) == (tuple(order.split()), turned)


@pytest.mark.parametrize(
    "column", [[True, False], [1, 0], [1.0, 0.0], np.array([True, False], dtype=object), ["1", "0"]]
)
def test_a_flag_is_the_same_however_it_is_stored(column: object) -> None:
    assert class_names(column) == ("0", "1")
    np.testing.assert_array_equal(encode(column, ("0", "1")), [1, 0])


def test_numbers_sort_as_numbers() -> None:
    assert class_names([10, 9, 2]) == ("2", "9", "10")


def test_a_class_only_the_other_table_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="'c', the classes are a, b"):
        encode(["a", "c"], ("a", "b"))


@given(st.lists(st.text(max_size=8), unique=True, min_size=1, max_size=30))
def test_sample_numbers_do_not_depend_on_the_rows_around_them(names: list[str]) -> None:
    column = np.array(names, dtype=object)
    ids = stable_ids(column)
    assert (ids >= 0).all()
    np.testing.assert_array_equal(stable_ids(column[::-1])[::-1], ids)


def test_ids_that_come_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="same value in several rows"):
        stable_ids(np.array([1, 2, 1]))
