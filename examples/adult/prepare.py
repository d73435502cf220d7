"""Split the adult income data and train the two models of this example; see README.md.

python examples/adult/prepare.py --data PATH --out build/adult
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
FILE = Path("adult") / "adult.csv.gz"
SHA256 = "4a803b4c3dc72cd4f31a7c461190d1e0e3573743fb31e520e7063f0de3c33ae2"
ORIGINAL = "https://archive.ics.uci.edu/dataset/2/adult"
SEED = 0
WORDS = ("workclass", "marital-status", "occupation", "relationship", "race", "sex", "native-country")
LEAVES = {"forest": 1, "restrained": 20}
"""Fewest training rows of a leaf: scikit-learn's default, and one that lets no leaf speak of a few people."""


def find(data: str | None) -> Path:
    """The data file: `data` (or TEMPER_DATA) is the file itself or a folder that holds it."""
    given = Path(data or os.environ.get("TEMPER_DATA", "../shared/data"))
    for path in (given, given / FILE, given / FILE.name):
        if path.is_file():
            return path
    sys.exit(f"no {FILE} in {given}\n  fix: give --data PATH or TEMPER_DATA; the original is at {ORIGINAL}")


def read(path: Path) -> pd.DataFrame:
    """The table (48,683, 14) without its repeated rows: numbers, words, and the target `income`."""
    import pandas as pd

    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        print(f"note: {path.name} is not the file the figures of the README were made with (SHA-256 {SHA256})")
    frame = pd.read_csv(path).drop_duplicates().reset_index(drop=True)
    numbers = [name for name in frame.columns if name not in (*WORDS, "income")]
    return frame.astype(dict.fromkeys(numbers, "float64") | {"income": "int64"})


def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, test): halves with the same share of high incomes. As many were left out as were trained on, so that
    figures about the ones and the others are equally sure.
    """
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(frame, test_size=0.5, random_state=SEED, stratify=frame["income"])
    return train.reset_index(drop=True), test.reset_index(drop=True)


def fit(train: pd.DataFrame, leaf: int) -> Any:
    """A random forest over one-hot words and numbers as they are."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    levels = OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("levels", levels, list(WORDS))], remainder="passthrough")
    score = RandomForestClassifier(n_estimators=60, min_samples_leaf=leaf, n_jobs=1, random_state=SEED)
    return Pipeline([("columns", columns), ("score", score)]).fit(train.drop(columns="income"), train["income"])


def report(name: str, model: Any, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Print what the model is worth before anybody asks it about people."""
    from sklearn.metrics import roc_auc_score

    seen, unseen = (
        roc_auc_score(part["income"], model.predict_proba(part.drop(columns="income"))[:, 1]) for part in (train, test)
    )
    print(f"{name}: AUC {unseen:.3f} on {len(test):,} held-out people, {seen:.3f} on those it was trained on")


def prepare(data: Path, out: Path) -> list[Path]:
    """Write one folder per model; gives the paths of their temper.yaml."""
    import skops.io

    train, test = split(read(data))
    written = []
    for name, leaf in LEAVES.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        train.to_parquet(folder / "train.parquet")
        test.to_parquet(folder / "test.parquet")
        model = fit(train, leaf)
        skops.io.dump(model, folder / "model.skops")
        report(name, model, train, test)
        written.append(Path(shutil.copy(HERE / "temper.yaml", folder / "temper.yaml")))
    return written


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and prepare everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", help="the data file or a folder that holds it (default: TEMPER_DATA)")
    parser.add_argument("--out", type=Path, default=Path("build/adult"), help="where the two folders go")
    options = parser.parse_args(arguments)
    for path in prepare(find(options.data), options.out):
        print(f"next: temper assess --config {path} --suite quick --only inversion")


if __name__ == "__main__":
    main()
