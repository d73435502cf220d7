"""Split the credit-default data and train the three models of this example; see README.md.

python examples/credit/prepare.py --data PATH --out build/credit
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
FILE = Path("credit_default_uci") / "credit-card-clients.csv.gz"
SHA256 = "5691d0b4836967fcfe0f0b4c569ed7b914bbb98a09e8947bee0761f7aac4300f"
ORIGINAL = "https://archive.ics.uci.edu/dataset/350/default+of+credit+card+clients"
SEED = 0
DELAYS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
WORDS = {
    "SEX": {1: "male", 2: "female"},
    "EDUCATION": {1: "graduate school", 2: "university", 3: "high school"},
    "MARRIAGE": {1: "married", 2: "single"},
}


def find(data: str | None) -> Path:
    """The data file: `data` (or TEMPER_DATA) is the file itself or a folder that holds it."""
    given = Path(data or os.environ.get("TEMPER_DATA", "../shared/data"))
    for path in (given, given / FILE, given / FILE.name):
        if path.is_file():
            return path
    sys.exit(f"no {FILE} in {given}\n  fix: give --data PATH or TEMPER_DATA; the original is at {ORIGINAL}")


def read(path: Path) -> pd.DataFrame:
    """The table (30000, 26): published columns, two engineered ones, and the target `default`."""
    import pandas as pd

    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        print(f"note: {path.name} is not the file the figures of the README were made with (SHA-256 {SHA256})")
    frame = pd.read_csv(path).rename(columns={"default payment": "default"})
    target = frame.pop("default").astype("int64")
    frame = frame.astype("float64")
    frame["USED_SHARE"] = frame["BILL_AMT1"] / frame["LIMIT_BAL"]
    frame["PAID_TOTAL"] = sum(frame[f"PAY_AMT{month}"] for month in range(1, 7))
    return frame.assign(default=target)


def in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with sex, education and marriage as text; rare and undocumented codes are "other"."""
    return frame.assign(**{name: frame[name].map(words).fillna("other") for name, words in WORDS.items()})


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test): 70 % and 30 %, the same share of defaults in both."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(frame, test_size=0.3, random_state=SEED, stratify=frame["default"])
    return train.reset_index(drop=True), test.reset_index(drop=True)


def save_lightgbm(train: pd.DataFrame, folder: Path) -> Any:
    """A LightGBM classifier, saved as the booster's own text."""
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=120, num_leaves=15, learning_rate=0.06, n_jobs=1, random_state=SEED, verbose=-1
    )
    model.fit(train.drop(columns="default"), train["default"])
    model.booster_.save_model(folder / "model.txt")
    return model


def save_pipeline(train: pd.DataFrame, folder: Path) -> Any:
    """A logistic scorecard over a table with text columns, saved as skops and as joblib."""
    import joblib
    import skops.io
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ranks = QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=SEED)
    amounts = make_pipeline(SimpleImputer(strategy="median"), ranks)
    columns = ColumnTransformer([("levels", levels, [*WORDS, *DELAYS])], remainder=amounts)
    score = LogisticRegression(C=0.3, solver="newton-cholesky")
    model = Pipeline([("columns", columns), ("score", score)])
    model.fit(train.drop(columns="default"), train["default"])
    skops.io.dump(model, folder / "model.skops")
    joblib.dump(model, folder / "model.joblib")
    return model


def save_onnx(train: pd.DataFrame, folder: Path) -> Any:
    """A scikit-learn forest exported to ONNX; without ZipMap, so that probabilities come out (n, 2)."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import RandomForestClassifier

    x = train.drop(columns="default").to_numpy("float32")
    model = RandomForestClassifier(n_estimators=60, max_depth=9, min_samples_leaf=20, n_jobs=1, random_state=SEED)
    model.fit(x, train["default"])
    graph = convert_sklearn(
        model,
        initial_types=[("x", FloatTensorType([None, x.shape[1]]))],
        options={"zipmap": False},
        target_opset=17,
    )
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    return model


SAVE = {"lightgbm": save_lightgbm, "pipeline": save_pipeline, "onnx": save_onnx}


def report(name: str, model: Any, test: pd.DataFrame) -> None:
    """Print what the model is worth before anything is done to it."""
    from sklearn.metrics import roc_auc_score

    x = test.drop(columns="default")
    score = model.predict_proba(x.to_numpy("float32") if name == "onnx" else x)[:, 1]
    print(f"{name}: AUC {roc_auc_score(test['default'], score):.3f} on {len(test):,} held-out card holders")


def prepare(data: Path, out: Path) -> list[Path]:
    """Write one folder per model; gives the paths of their temper.yaml."""
    codes = split(read(data))
    written = []
    for name, save in SAVE.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        train, test = (in_words(part) for part in codes) if name == "pipeline" else codes
        train.to_parquet(folder / "train.parquet")
        test.to_parquet(folder / "test.parquet")
        report(name, save(train, folder), test)
        written.append(Path(shutil.copy(HERE / name / "temper.yaml", folder / "temper.yaml")))
    return written


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and prepare everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", help="the data file or a folder that holds it (default: TEMPER_DATA)")
    parser.add_argument("--out", type=Path, default=Path("build/credit"), help="where the three folders go")
    options = parser.parse_args(arguments)
    for path in prepare(find(options.data), options.out):
        print(f"next: temper assess --config {path}")


if __name__ == "__main__":
    main()
