"""Write the names that fitted scikit-learn models use when they are pickled, for the scanner of model files.

    python scripts/allow_list.py            writes src/temper/targets/allowed/scikit-learn-<minor>.json

Every estimator of the installed scikit-learn is fitted on small tables and pickled; the scanner reads the pickles, and
every name in them that lies in scikit-learn is kept, beside the estimators' own. Run it once per minor version.
"""

from __future__ import annotations

import json
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "src" / "temper" / "targets" / "allowed"
ROWS = 40


def fitted() -> Iterator[tuple[str, Any]]:
    """Every estimator of scikit-learn that can be fitted, with its name, in the ways its own tests build it."""
    from sklearn.utils import all_estimators

    construct = _constructor()
    for name, kind in all_estimators():
        done = False
        for number, model in enumerate(_instances(kind, construct)):
            if (trained := _trained(model)) is not None:
                done = True
                yield (name if not number else f"{name} {number}"), trained
        if not done:
            sys.stderr.write(f"not fitted: {name}\n")


def names() -> dict[str, list[str]]:
    """Module to names: estimators, functions of sklearn.metrics, and what else their pickles use of scikit-learn."""
    from sklearn import metrics
    from sklearn.utils import all_estimators

    public = [getattr(metrics, name) for name in metrics.__all__]
    measures = [each for each in public if callable(each) and not isinstance(each, type)]
    kinds = [kind for _, kind in all_estimators()]
    found = {(each.__module__, each.__name__) for each in [*kinds, *measures]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.pkl"
        for _, model in fitted():
            file.write_bytes(pickle.dumps(model))
            found |= {pair for pair in _used(file) if pair[0].split(".")[0] == "sklearn"}
    listed: dict[str, list[str]] = {}
    for module, name in sorted(found):
        listed.setdefault(module, []).append(name)
    return listed


def _used(file: Path) -> Iterator[tuple[str, str]]:
    from temper.targets._pickle import read_pickle
    from temper.targets._pickle_reading import Reading
    from temper.targets._unwrap import Limits, Purse, Stream

    purse = Purse(Limits())
    reading = Reading(purse)
    with file.open("rb") as stream:
        read_pickle(Stream(stream, purse), reading)
    for name in reading.names:
        yield name.module, name.name


def _constructor() -> Callable[[type[Any]], Iterable[Any]]:
    """How scikit-learn's own tests build an estimator: in several ways, before 1.6 in one."""
    try:
        from sklearn.utils._test_common.instance_generator import _construct_instances
    except ImportError:
        from sklearn.utils.estimator_checks import _construct_instance

        return lambda kind: [_construct_instance(kind)]
    return _construct_instances  # type: ignore[no-any-return]


def _instances(kind: type[Any], construct: Any) -> list[Any]:
    try:
        return list(construct(kind))
    except Exception as refusal:  # an estimator may need what is not installed
        sys.stderr.write(f"{kind.__name__}: {refusal}\n")
        return []


def _trained(model: Any) -> Any:
    """The model fitted on the first of some small tables that it takes, or None."""
    random = np.random.default_rng(0)
    x = np.abs(random.normal(size=(ROWS, 4))) + 0.1
    y = (x[:, 0] > np.median(x[:, 0])).astype(int)
    texts = np.array(["red car", "blue sky", "green tree", "red sky"] * (ROWS // 4))
    square = x @ x.T
    tries: list[tuple[Any, ...]] = [
        (x, y),
        (x, np.c_[y, 1 - y]),
        (x, x[:, 0]),
        (x, x[:, :2]),
        (x,),
        (texts, y),
        (texts,),
    ]
    tries += [(x, x[:, :2]), (x,), (texts, y), (texts,)]
    tries += [(x[:, 0], y), (y,), (square, y), ([{"a": 1.0}] * ROWS,), ([["a", "b"]] * ROWS,), ((x > 1).astype(int), y)]
    for given in tries:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return model.fit(*given)
        except Exception:  # it does not take this table; the next one is tried
            continue
    return None


def main() -> int:
    """Write the list of the installed version; 0 when done."""
    import sklearn

    minor = ".".join(sklearn.__version__.split(".")[:2])
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(names(), indent=1, sort_keys=True) + "\n"
    (FOLDER / f"scikit-learn-{minor}.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
