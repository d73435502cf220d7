"""The drafted temper.yaml: guesses are marked, names survive, and it loads as it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from temper.config import guess
from temper.config.init import draft
from temper.config.reading import parse
from temper.config.system import load_system
from temper.core.errors import ConfigError
from temper.core.schema import Mutability

MODEL = """
import numpy as np
def predict(x):
    p = 1 / (1 + np.exp(-np.nan_to_num(np.asarray(x, dtype=float)[:, 0]) / 50 + 1))
    return np.column_stack([1 - p, p])
"""
HOSTILE = [
    'say "hi"',
    "a: b",
    "new\nline",
    "größe ☃ 😀",
    "# no comment",
    "{x}",
    "[1, 2]",
    "true",
    "01",
    "",
    " pad ",
    "\\",
    "%",
]


def table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    amount = rng.uniform(0, 100, n)
    amount[0] = 9_999.0
    job = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "amount": amount,
            "hour": rng.integers(0, 24, n),
            "customer_id": np.arange(n),
            "created_at": pd.date_range("2026-01-01", periods=n, freq="h"),
            "merchant": np.resize(["NO", "DE", None, "01"], n),
            "age": rng.integers(18, 90, n).astype(float),
            "avg_amount_7d": rng.uniform(0, 100, n),
            "constant": 3.25,
            "vip": rng.integers(0, 2, n).astype(bool),
            "job_clerk": (job == 0).astype(int),
            "job_farmer": (job == 1).astype(int),
            "job_none": (job == 2).astype(int),
            "fraud_reason": rng.integers(0, 4, n),
            "fraud": (amount + rng.normal(0, 20, n) > 50).astype(int),
        }
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text(MODEL)
    return tmp_path


def test_the_draft_loads_unchanged_and_says_what_it_guessed(folder: Path) -> None:
    table().to_parquet("t.parquet")
    text = draft("m.py:predict", "t.parquet", "fraud", threshold=0.3)
    Path("temper.yaml").write_text(text)
    system = load_system("temper.yaml")
    columns = {column.name: column for column in system.schema.columns}
    assert set(table()) - set(columns) == {"customer_id", "created_at", "fraud_reason", "fraud"}
    assert system.threshold == 0.3
    assert {name for name in columns if columns[name].movable} == {
        *("amount", "hour", "merchant", "job_clerk", "job_farmer", "job_none")
    }
    assert (columns["amount"].low, columns["amount"].high) == (table()["amount"].min(), 9_999.0)
    assert [columns[name].type for name in ("amount", "hour", "merchant", "vip")] == [
        "number",
        "integer",
        "category",
        "boolean",
    ]
    assert columns["merchant"].categories == ("01", "DE", "NO")
    assert columns["merchant"].missing
    assert columns["age"].sensitive
    assert columns["constant"].scale == 1.0
    assert {columns[name].group for name in ("job_clerk", "job_farmer", "job_none")} == {"job"}
    assert columns["vip"].group == ""
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    assert len(lines) == len(columns)
    assert all("# guessed" in line for line in lines)
    assert "98 % lie in" in next(line for line in lines if line.startswith("    amount"))
    assert "avg_amount_7d" in text[: text.index("system:")]
    assert "Open questions" in text


def test_the_drafted_domain_holds_every_row_it_was_drafted_from(folder: Path) -> None:
    table().to_csv("t.csv", index=False)
    Path("temper.yaml").write_text(draft("m.py:predict", "t.csv", "fraud"))
    system = load_system("temper.yaml")
    x = system.data.x
    assert system.schema.admits(x, x).all()
    low, high = system.schema.lows, system.schema.highs
    assert ((np.isnan(x)) | ((x >= low) & (x <= high))).all()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_hostile_column_names_survive(folder: Path, ending: str) -> None:
    names = [name for name in HOSTILE if name or ending == "parquet"]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, len(names))), columns=names)
    frame["y: \n'"] = np.resize([0, 1], 40)
    frame.to_csv("t.csv", index=False) if ending == "csv" else frame.to_parquet("t.parquet")
    Path("temper.yaml").write_text(draft("m.py:predict", f"t.{ending}", "y: \n'"), encoding="utf-8")
    system = load_system("temper.yaml")
    assert system.schema.names == tuple(names)
    np.testing.assert_allclose(system.data.x, frame[names].to_numpy())


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=2, max_size=4, unique=True), st.lists(names, min_size=2, max_size=3, unique=True))
def test_any_names_and_categories_survive(folder: Path, columns: list[str], categories: list[str]) -> None:
    frame = pd.DataFrame({name: np.resize([0.5, 1.5, 3.0], 24) for name in columns})
    frame[columns[0]] = np.resize([0, 1, 0, 1, 1, 0, 0, 1], 24)
    frame[columns[1]] = np.resize(np.array(categories, dtype=object), 24)
    frame.to_parquet("t.parquet")
    try:
        text = draft("m.py:predict", "t.parquet", columns[0])
    except ConfigError:
        return  # nothing left that looks like a feature
    written = parse(text).section("schema").section("columns")
    for name in written.entries:
        assert name in columns
    if written.has(columns[1]):
        assert written.section(columns[1]).texts("categories") == tuple(sorted(categories))


def test_a_model_that_knows_its_inputs_settles_which_columns_are_features(folder: Path) -> None:
    import xgboost

    frame = table()
    features = ["customer_id", "amount", "hour"]
    model = xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(frame[features], frame["fraud"])
    frame.to_parquet("t.parquet")
    for name in ("m.json", "m.ubj"):
        model.save_model(name)
        Path("temper.yaml").write_text(draft(name, "t.parquet", "fraud"))
        system = load_system("temper.yaml")
        assert system.schema.names == tuple(features)
        np.testing.assert_allclose(system.target.scores(system.data.x), model.predict_proba(frame[features]), atol=1e-6)


def test_a_quantity_is_a_regression(folder: Path) -> None:
    frame = table()[["amount", "hour", "age"]]
    frame.to_csv("t.csv", index=False)
    text = draft("m.py:predict", "t.csv", "amount")
    assert parse(text).section("model").text("kind") == "value"
    assert not parse(text).section("model").has("threshold")
    assert not parse(text).section("data").has("positive")


def test_a_remote_model_asks_who_allowed_it(folder: Path) -> None:
    table().to_parquet("t.parquet")
    Path("temper.yaml").write_text(draft("https://bank.example/score", "t.parquet", "fraud"))
    with pytest.raises(ConfigError, match="authorised_by"):
        load_system("temper.yaml")


@pytest.mark.parametrize(
    ("change", "target", "says"),
    [
        (lambda f: f, "frau", "no column 'frau'"),
        (lambda f: f.assign(fraud=1), "fraud", "only one class: 1"),
        (lambda f: f.assign(fraud=f["fraud"].where(f.index > 1)), "fraud", "empty in 2 row"),
        (lambda f: f[["fraud", "customer_id"]], "fraud", "no column that looks like a feature"),
        (lambda f: f.head(3), "fraud", "3 row"),
        (lambda f: f.rename(columns={"amount": "a" * 1200}), "fraud", "longer than 1000 characters"),
    ],
)
def test_a_table_that_cannot_be_drafted_from_is_refused(folder: Path, change: object, target: str, says: str) -> None:
    change(table()).to_parquet("t.parquet")  # type: ignore[operator]
    with pytest.raises(ConfigError, match=says):
        draft("m.py:predict", "t.parquet", target)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TX_AMOUNT", Mutability.COSTLY),
        ("merchantCategory", Mutability.COSTLY),
        ("AVG_AMOUNT_7DAY_WINDOW", Mutability.IMMUTABLE),
        ("amount_total", Mutability.IMMUTABLE),
        ("tenure", Mutability.IMMUTABLE),
        ("age", Mutability.IMMUTABLE),
    ],
)
def test_only_columns_in_a_customers_hands_are_guessed_changeable(name: str, kind: Mutability) -> None:
    assert guess.column(name, pd.Series([1.5, 2.5])).attacker is kind


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=30))
def test_a_scale_is_never_zero_and_always_finite(values: list[float]) -> None:
    found = guess.scale(np.array(values, dtype=np.float64))
    assert 0 < found < np.inf


def test_columns_that_do_not_sum_to_one_are_no_group() -> None:
    frame = pd.DataFrame({"a_x": [1, 0, 1], "a_y": [0, 1, 1], "b_x": [1, 0, 0], "b_y": [0, 1, 1]})
    assert guess.one_hot_groups(frame, list(frame)) == {"b_x": "b", "b_y": "b"}


DATA = Path(os.environ.get("TEMPER_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


@pytest.mark.parametrize(
    ("file", "target", "positive"),
    [
        ("credit_default_uci/credit-card-clients.csv.gz", "", "1"),
        ("german_credit/german_data_credit.csv.gz", "class-label", "1"),
        ("adult/adult.csv.gz", "income", ""),
        ("fraud_handbook/transactions.parquet", "TX_FRAUD", "1"),
    ],
)
def test_real_tables_are_drafted_and_load(folder: Path, file: str, target: str, positive: str) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"{DATA / file} is not there: set TEMPER_DATA")
    path = (DATA / file).resolve()
    if not target:
        target = pd.read_csv(path, nrows=1).columns[-1]
    Path("m.py").write_text("import numpy as np\ndef predict(x):\n    return np.full((len(x), 2), 0.5)\n")
    Path("temper.yaml").write_text(draft("m.py:predict", path, target), encoding="utf-8")
    system = load_system("temper.yaml")
    assert len(system.schema.columns) >= 10
    assert system.schema.admits(system.data.x, system.data.x).all()
    assert not positive or system.positive == positive
    assert any(column.movable for column in system.schema.columns)
