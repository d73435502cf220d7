"""A copy of a model that predicts the same and no longer says how many people stand behind each node."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from temper.core.data import Array
from temper.core.errors import ContractError, Unsupported
from temper.core.target import Target
from temper.targets._wrapper import Wrapper
from temper.targets.refitted import Refitted

_COUNTS = re.compile(r"^(leaf_count|internal_count|leaf_weight|internal_weight|internal_value|split_gain)=(.*)$", re.M)
_RANGES = re.compile(r"\[[^\]\s]*:[^\]\s]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """The copy, and the largest difference of its scores from the model's on the rows it was proven on."""

    target: Target
    difference: float
    n: int


def strip(target: Target, x: Array) -> Stripped:
    """A predict-only copy, proven equal on the rows `x`; refused where a single score differs.

    Trees of scikit-learn lose sample counts and impurities, LightGBM counts, weights, gains and column ranges, XGBoost
    hessians, base weights and loss changes. It misleads as a defence against membership inference: the scores are the
    same. A model that needs its rows to predict (neighbours, kernels) cannot be stripped. Refits and SHAP values that
    rest on the counts are lost. What stands before or behind the model stays.
    """
    held: Any = target
    if isinstance(target, Refitted):
        return strip(target.inner, x)
    if isinstance(target, Wrapper):
        bare: Target = cast(Target, replace(target, inner=strip(target.inner, x).target))
    elif target.name == "sklearn":
        bare = replace(held, model=_sklearn(held.model))
    elif target.name == "lightgbm":
        bare = replace(held, model=_lightgbm(held.booster))
    elif target.name == "xgboost":
        bare = replace(held, model=_xgboost(held.booster))
    else:
        raise Unsupported(f"a {target.name} model cannot be stripped", fix="export it as ONNX")
    difference = float(np.max(np.abs(np.asarray(target.scores(x)) - np.asarray(bare.scores(x))), initial=0.0))
    if difference > 0:
        raise ContractError(f"the stripped model differs by {difference:g}", fix="keep the model as it is")
    return Stripped(target=bare, difference=difference, n=len(x))


def _sklearn(model: Any) -> Any:
    bare, found = copy.deepcopy(model), 0
    waiting, seen = [bare], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            waiting += part.ravel().tolist()
        elif hasattr(part, "n_node_samples") and hasattr(part, "__setstate__"):
            found += 1
            state = part.__getstate__()
            for name in ("n_node_samples", "weighted_n_node_samples", "impurity"):
                state["nodes"][name] = 0
            part.__setstate__(state)
        elif type(part).__module__.split(".")[0] == "sklearn":
            waiting += getattr(part, "__dict__", {}).values()
    if not found:
        raise Unsupported(f"there are no trees in {type(model).__name__} to strip", fix="export it as ONNX")
    return bare


def _lightgbm(booster: Any) -> Any:
    import lightgbm

    def zeros(line: re.Match[str]) -> str:
        return f"{line[1]}={' '.join('0' for _ in line[2].split())}"

    head, _, rest = booster.model_to_string().partition("\nTree=0")
    body, end, tail = f"Tree=0{_COUNTS.sub(zeros, rest)}".partition("end of trees")
    # LightGBM cuts the text at these sizes and crashes where they do not fit.
    sizes = " ".join(str(len(tree.encode())) for tree in re.split(r"(?=^Tree=)", body, flags=re.M) if tree)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", _RANGES.sub("[-1:1]", head), flags=re.M)
    return lightgbm.Booster(model_str=f"{head}\n{body}{end}{tail}")


def _xgboost(booster: Any) -> Any:
    import xgboost

    document = json.loads(bytes(booster.save_raw("json")))
    inner = document["learner"]["gradient_booster"]
    inner = inner.get("gbtree", inner)  # dart keeps its trees one level deeper
    for tree in inner.get("model", {}).get("trees", ()):
        for name in ("sum_hessian", "base_weights", "loss_changes"):
            tree[name] = [0.0] * len(tree[name])
    return xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
