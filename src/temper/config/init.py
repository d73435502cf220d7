"""The first temper.yaml, from a model and a table: what can be inferred is written and marked, the rest is asked."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.config import guess
from temper.config.features import feature_names
from temper.config.policy import template
from temper.config.rewrite import rewritten
from temper.config.table import header, read_table, require
from temper.config.truth import class_names
from temper.config.yaml_text import flow, key, number
from temper.core.errors import ConfigError
from temper.core.schema import Column

if TYPE_CHECKING:
    import pandas as pd

_MANY_VALUES = 30
"""Distinct numbers above which a target is a quantity, not a class."""

_QUESTIONS = """\
# A draft. Lines marked "guessed" were inferred from the names and values in {data}; check them.
# Open questions:
#   1. Which columns can an attacker change (free or costly), and which not at all (immutable)?
#   2. What does a change cost them? `cost` is the price of moving a column by one `scale`.
#   3. Which columns follow from others? `attacker: derived, formula: "was(total) + amount - was(amount)"`{derived}
#   4. Which relations always hold? `relations: ["amount <= limit"]` under schema.
"""


def draft(
    model: str | Path,
    data_path: str | Path,
    target: str,
    threshold: float | None = None,
    asked: Sequence[str] = (),
) -> str:
    """The text of a temper.yaml that `load_system` takes as it is (a remote model still needs `authorised_by`).

    `asked` are lines of questions about the system that are written at its top.
    `model` is a path, a URL, "pkg.mod:function" or "file.py:function". Paths are written as given: save the text in the
    folder they are relative to. Raises `ConfigError` when the table cannot be read or has no such target.
    """
    path = Path(data_path)
    names = header(path)
    require(target, names, path)
    frame = _table(path)
    truth, rest = frame[target], frame.drop(columns=[target])
    known = _known_features(model, rest)
    others = {name: "no input of the model" for name in rest.columns if name not in known}
    aside = others if known else _aside(rest, target)
    features = rest[list(known) or [name for name in rest.columns if name not in aside]]
    if not len(features.columns):
        raise ConfigError(f"{path} has no column that looks like a feature", fix="rename identifiers, or write by hand")
    classes = _classes(truth)
    return "\n".join(
        [
            _questions(path, list(features.select_dtypes("number").columns)),
            *_asked(asked),
            _line("system", {"name": _name(model), "purpose": "", "harmed": "", "criticality": "medium"}, _ABOUT),
            _line("model", *_model(str(model), classes, threshold)),
            _line("data", *_data(str(data_path), target, classes, aside)),
            f"exposure: {_EXPOSURE}  # empty answers are questions; until then the worst is assumed",
            "actors:",
            f"  - {flow(_ACTOR)}  # guessed: who attacks, with how many tries, and what may a row cost them?",
            "schema:",
            "  columns:",
            *(f"    {_column(column, features[column.name])}" for column in guess.columns(features)),
            _line("documentation", _documentation(path, len(frame)), _DOCUMENTED),
            "policy: default  # limits with reasons; copy it and make it yours",
            "",
        ]
    )


_ABOUT = "guessed: what does it decide, and who is harmed when it is wrong?"
_DOCUMENTED = (
    "guessed: provenance, which counts once the word is gone; who answers for it, where must it not be used, and who "
    "can stop or overrule it?"
)
_EXPOSURE = "{returns: , public: , retrained: , outside_data: , personal_data: }"
_ACTOR = {"name": "outsider", "knowledge": "black-box", "queries": 200, "cost": 3.0, "writes": ["input"]}


def write(
    model: str,
    data_path: Path,
    target: str,
    out: Path,
    *,
    train: Path | None = None,
    threshold: float | None = None,
    force: bool = False,
    asked: Sequence[str] = (),
    policy: str = "default",
) -> str:
    """Write the draft to `out`, paths relative to its folder, and give the text. Another `policy` than the default one
    is copied beside it, to be made one's own.

    Raises `ConfigError` when `out` is there already and not `force`, or a file cannot be read.
    """
    if out.exists() and not force:
        raise ConfigError(f"{out} is already there", fix="choose another --out, or --force")
    if _way(model) == "path" and not Path(model).is_file():
        raise ConfigError(f"the model {model} does not exist", fix="give a file, pkg.module:function or a URL")
    text = draft(model, data_path, target, threshold, asked)
    folder = out.resolve().parent
    answers: dict[tuple[str, str], str] = {("data", "test"): _seen_from(folder, data_path)}
    if train is not None:
        header(train)
        answers["data", "train"] = _seen_from(folder, train)
    if Path(model).exists():
        answers["model", "path"] = _seen_from(folder, Path(model))
    text = rewritten(text, answers)
    out.parent.mkdir(parents=True, exist_ok=True)
    if policy != "default":
        text = text.replace("policy: default  #", f"policy: {_copied(policy, out.parent, force)}  # after {policy}:")
    out.write_text(text, encoding="utf-8")
    return text


def _copied(policy: str, folder: Path, force: bool) -> str:
    """The policy as a file in this folder; its name."""
    text, path = template(policy), folder / "policy.yaml"
    if path.exists() and not force:
        raise ConfigError(f"{path} is already there", fix="move it away, or --force")
    path.write_text(text, encoding="utf-8")
    return path.name


def _seen_from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder)).as_posix()


def _questions(path: Path, features: Sequence[str]) -> str:
    likely = [name for name in features if guess.aggregate(name)]
    derived = f"\n#      They look like it: {', '.join(key(name) for name in likely[:8])}" if likely else ""
    return _QUESTIONS.format(data=flow(path.name), derived=derived).rstrip("\n")


def _asked(lines: Sequence[str]) -> list[str]:
    """Questions as comments, folded, each line behind its own indentation."""
    found = ["#   5. What is around the model? Threats that hang on each answer:"] if lines else []
    for line in lines:
        deep = " " * (6 + len(line) - len(line.lstrip()))
        found += textwrap.wrap(line.strip(), 118, initial_indent=f"#{deep}", subsequent_indent=f"#{deep}  ")
    return found


def _table(path: Path) -> pd.DataFrame:
    """The whole table, with the columns that are no numbers kept as they were written ("01" stays "01")."""
    import pandas as pd

    frame = read_table(path)
    text = [str(name) for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    return read_table(path, text=text) if text else frame


def _known_features(model: str | Path, frame: pd.DataFrame) -> tuple[str, ...]:
    """The model's own input names, where the table has all of them."""
    names = () if "://" in str(model) else feature_names(Path(model))
    return names if set(names) <= set(frame.columns) else ()


def _aside(frame: pd.DataFrame, target: str) -> dict[str, str]:
    """Column -> why it is probably no feature."""
    reasons = {str(name): guess.set_aside(str(name), frame[name]) for name in frame.columns}
    spoken = guess.words(target)
    for name in reasons:
        if spoken and len(target) > 3 and spoken < guess.words(name):
            reasons[name] = "named like the target"
    return {name: reason for name, reason in reasons.items() if reason}


def _classes(truth: pd.Series) -> tuple[str, ...]:
    """The classes of the target, or nothing when it is a quantity."""
    import pandas as pd

    if truth.isna().any():
        raise ConfigError(
            f"the target column is empty in {int(truth.isna().sum())} row(s)", fix="drop the rows without a label"
        )
    fraction = pd.api.types.is_float_dtype(truth) and not bool((truth == np.round(truth)).all())
    if fraction or (pd.api.types.is_numeric_dtype(truth) and truth.nunique() > _MANY_VALUES):
        return ()
    names = class_names(truth)
    if len(names) < 2:
        raise ConfigError(f"the target column holds only one class: {names[0]}", fix="give it rows of every class")
    return names


def _model(model: str, classes: Sequence[str], threshold: float | None) -> tuple[dict[str, Any], str]:
    way = _way(model)
    found: dict[str, Any] = {way: model, "kind": "probabilities" if classes else "value"}
    asked = "guessed: kind"
    if len(classes) == 2:
        found["threshold"] = 0.5 if threshold is None else threshold
        asked += " and threshold: above which score do you act?" if threshold is None else ""
    if way != "path":
        found["version"] = ""
        asked += "; version: name it, so that answers can be kept"
    if way == "url":
        found["authorised_by"] = ""
        asked += "; authorised_by: who allowed attacks on it?"
    return found, asked


def _way(model: str) -> str:
    """How the model is reached: url, callable or path."""
    if model.startswith(("http://", "https://")):
        return "url"
    return "callable" if ":" in model and not Path(model).exists() else "path"


def _data(path: str, target: str, classes: Sequence[str], aside: dict[str, str]) -> tuple[dict[str, Any], str]:
    found: dict[str, Any] = {"test": path, "target": target}
    asked = []
    if len(classes) == 2:
        found["positive"] = classes[1]
        asked.append("positive")
    if aside:
        found["drop"] = list(aside)
        asked.append("drop (" + ", ".join(sorted(set(aside.values()))) + ")")
    asked.append("is this held-out data? add `train:` for poisoning and privacy tests")
    return found, "guessed: " + "; ".join(asked)


def _documentation(path: Path, rows: int) -> dict[str, str]:
    """What a person has to answer; a guess is none until somebody takes the word away."""
    provenance = f"guessed: {path.name}, {rows:,} rows"
    return {"owner": "", "provenance": provenance, "limits": "", "oversight": ""}


def _column(column: Column, series: pd.Series) -> str:
    found: dict[str, Any] = {"type": column.type}
    if column.type in ("number", "integer"):
        found |= {"low": column.low, "high": column.high}
    if column.type == "category":
        found["categories"] = list(column.categories)
    found["attacker"] = column.attacker.value
    if column.type in ("number", "integer"):
        found["scale"] = column.scale
    found |= {word: True for word in ("missing", "sensitive") if getattr(column, word)}
    if column.group:
        found["group"] = column.group
    return f"{key(column.name)}: {flow(found)}  # guessed{_tail(column, series)}"


def _tail(column: Column, series: pd.Series) -> str:
    """Says where nearly all values lie when the range is made by a few extreme ones."""
    if column.type not in ("number", "integer"):
        return ""
    low, high = (float(value) for value in np.nanpercentile(series.to_numpy(dtype=float, na_value=np.nan), [1, 99]))
    wide = column.high - column.low > 3 * (high - low) > 0
    return f"; 98 % lie in {number(float(f'{low:.4g}'))} to {number(float(f'{high:.4g}'))}" if wide else ""


def _line(name: str, value: dict[str, Any], asked: str) -> str:
    return f"{name}: {flow(value)}  # {asked}"


def _name(model: str | Path) -> str:
    text = str(model)
    return text.rpartition(":")[2] if ":" in text and "://" not in text else Path(text).stem or "model"
