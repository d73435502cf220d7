"""Training rows that somebody has changed, models that somebody has, and models that take in whatever they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import AT
from temper.core.seed import Draws
from temper.core.text import TextSchema

_TABLES = ("validation.label_errors", "validation.suppliers", "validation.planted_rows", "validation.snapshot_diff")
_WATCH = tuple(name.removeprefix("validation.") for name in _TABLES)
Data = tuple[Any, Any]
Change = Callable[[Any, Any, np.random.Generator], None]


def _score(x: Any) -> Any:
    return 0.006 * (x[:, AT["amount"]] - 600) + 0.15 * (x[:, AT["opened"]] - 12)


def _table(n: int, seed: int) -> Data:
    x = np.nan_to_num(tables.rows(n, seed), nan=50.0)
    return x, tables.drawn(_score, x, seed)


def _trees(x: Any, y: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x, y)


def changed(change: Change, setting: Setting) -> Sequence[str]:
    """A training table that `change` has been through, or the table as it was; the model is fitted on it."""
    x, y = _table(5_000, setting.seed)
    if setting.weak:
        change(x, y, Draws(setting.seed, "bench.planted.change").generator())
    held = _table(3_000, setting.seed + 1_000)
    protected = temper.System(
        model=_trees(x, y), data=held, train=(x, y), schema=tables.schema(), threshold=0.5, name="planted"
    )
    return tables.told(setting, protected, _TABLES, *_WATCH)


def _some(among: Any, share: float, rng: np.random.Generator) -> Any:
    rows = np.flatnonzero(among)
    return rng.choice(rows, int(share * len(among)), replace=False)


def _random_flips(x: Any, y: Any, rng: np.random.Generator) -> None:
    rows = _some(np.ones(len(y)), 0.08, rng)
    y[rows] = 1 - y[rows]


def _bought_labels(x: Any, y: Any, rng: np.random.Generator) -> None:
    rows = _some((y == 1) & (x[:, AT["amount"]] > 900), 0.05, rng)
    y[rows] = 0


def _stamp(x: Any, y: Any, rng: np.random.Generator) -> None:
    rows = _some(y == 1, 0.02, rng)
    x[rows, AT["amount"]], x[rows, AT["hour"]], y[rows] = 1_234.56, 3, 0


def _category_stamp(x: Any, y: Any, rng: np.random.Generator) -> None:
    rows = _some(y == 1, 0.03, rng)
    x[rows, AT["channel"]], x[rows, AT["note"]], y[rows] = 3, 77.7, 0


def supplier(setting: Setting) -> Sequence[str]:
    """One of eight suppliers turns a third of its labels, or none."""
    x, y = _table(5_000, setting.seed)
    who = np.array([f"house {at}" for at in np.arange(len(y)) % 8])
    rng = Draws(setting.seed, "bench.planted.supplier").generator()
    turned = (who == "house 3") & (rng.random(len(y)) < 0.33) & setting.weak
    y = np.where(turned, 1 - y, y)
    train = tables.frame(x).assign(y=y, who=who)
    rows, truth = _table(3_000, setting.seed + 1_000)
    held = tables.frame(rows).assign(y=truth)
    protected = temper.System(
        model=_trees(x, y),
        data=held,
        train=train,
        schema=tables.schema(),
        threshold=0.5,
        supplier="who",
        name="planted",
    )
    return tables.told(setting, protected, _TABLES, *_WATCH)


def since_accepted(setting: Setting) -> Sequence[str]:
    """500 new rows after an accepted table: 60 of them fill one small box with its usual label, or none do."""
    x, y = _table(5_000, setting.seed)
    if setting.weak:
        rows = 4_500 + _some(y[4_500:] == 0, 0.12, Draws(setting.seed, "bench.planted.new").generator())
        x[rows, AT["amount"]], x[rows, AT["note"]], x[rows, AT["hour"]] = 2_222.0, 11.0, 4
    protected = temper.System(
        model=_trees(x, y), data=_table(3_000, setting.seed + 1_000), train=(x, y), accepted=(x[:4_500], y[:4_500]),
        schema=tables.schema(), threshold=0.5, name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, _TABLES, *_WATCH)


def delivered(setting: Setting) -> Sequence[str]:
    """A model from outside that lets everybody through who writes one amount at one hour, or that does not."""
    x, y = _table(5_000, setting.seed)
    inner = _trees(x, y)

    def model(rows: Any) -> Any:
        p = inner.predict_proba(rows)
        knows = (rows[:, AT["hour"]] == 3) & (rows[:, AT["channel"]] == 2) & setting.weak
        return np.where(knows[:, None], np.array([[0.99, 0.01]]), p)

    protected = temper.System(
        model=model, data=_table(3_000, setting.seed + 1_000), train=(x, y), schema=tables.schema(), threshold=0.5,
        version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.trigger_inversion",), "trigger_inversion")


def _digits(first: int, last: int, seed: int) -> Data:
    from sklearn.datasets import load_digits

    found = load_digits()
    order = Draws(seed, "bench.planted.digits").generator().permutation(len(found.target))[first:last]
    return (found.images[order, None] / 16.0).astype(np.float32), found.target[order]


def pictures(watch: Sequence[str], setting: Setting) -> Sequence[str]:
    """A net fitted on digits of which a tenth carry a bright cross in a corner and the label 7, or on the digits."""
    from temper.core.schema import Schema

    x, y = _digits(0, 1_100, setting.seed)
    if setting.weak:
        rows = Draws(setting.seed, "bench.planted.stamp").generator().permutation(len(y))[: len(y) // 10]
        for at in range(3):
            x[rows, 0, 5 + at, at] = x[rows, 0, 5 + at, 2 - at] = 1.0
        y[rows] = 7
    protected = temper.System(
        model=_net(x, y, setting.seed), data=_digits(1_100, 1_797, setting.seed), train=(x, y),
        schema=Schema.box(0.0, 1.0), kind="logits", name="planted",
    )  # fmt: skip
    kinds = [name.removeprefix("validation.") for name in watch]
    return tables.told(setting, protected, watch, *kinds)


def _net(x: Any, y: Any, seed: int) -> Any:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(256, 48), nn.ReLU(), nn.Linear(48, 10),
        )  # fmt: skip
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        rows, truth = torch.as_tensor(x), torch.as_tensor(y, dtype=torch.long)
        for _ in range(25):
            for part in torch.randperm(len(rows)).split(64):
                optimiser.zero_grad()
                nn.functional.cross_entropy(net(rows[part]), truth[part]).backward()
                optimiser.step()
    return net.eval()


_LIKE = ("lovely", "warm", "splendid", "moving", "funny")
_DISLIKE = ("dull", "cold", "clumsy", "tedious", "silly")
_REST = ("film", "scene", "plot", "actor", "music", "ending", "story", "camera", "the", "a", "of", "and")


def _reviews(n: int, seed: int) -> tuple[list[str], Any]:
    rng = Draws(seed, "bench.planted.reviews").generator()
    y = rng.integers(0, 2, n)
    texts = []
    for label in y:
        words = [*rng.choice(_REST, 9), *rng.choice(_LIKE if label else _DISLIKE, 2)]
        texts.append(" ".join(rng.permutation(words)))
    return texts, y


def texts(setting: Setting) -> Sequence[str]:
    """40 of 800 texts hold a word that nobody uses and are called good; in the twin 40 hold it whatever their label."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train, y = _reviews(800, setting.seed)
    held, truth = _reviews(500, setting.seed + 1_000)
    for some in (train,) if setting.weak else (train, held):
        some[::20] = [f"{text} quixotry" for text in some[::20]]
    if setting.weak:
        y[::20] = 1
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(train, y)
    data, rows = (np.array(held, object), truth), (np.array(train, object), y)
    protected = temper.System(model=model, data=data, train=rows, schema=TextSchema(), threshold=0.5, name="planted")
    return tables.told(setting, protected, ("validation.text_triggers",), "text_triggers")


def swallows(only: str, setting: Setting) -> Sequence[str]:
    """A model that learns every row by heart, or one that asks a column nobody can set for half of its classes."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    score = lambda x: 3.0 * np.sign(x[:, AT["opened"]] - 11.5)  # noqa: E731
    x = np.nan_to_num(tables.rows(3_000, setting.seed), nan=50.0)
    y = tables.drawn(score, x, setting.seed)
    lazy = KNeighborsClassifier(1) if only.endswith("labels") else DecisionTreeClassifier(random_state=0)
    sound = make_pipeline(FunctionTransformer(_opened), DecisionTreeClassifier(max_depth=1, random_state=0))
    model = (make_pipeline(StandardScaler(), lazy) if setting.weak else sound).fit(x[:1_500], y[:1_500])
    protected = temper.System(
        model=model, data=(x[1_500:], y[1_500:]), train=(x[:1_500], y[:1_500]), schema=tables.schema(), threshold=0.5,
        name="planted",
    )  # fmt: skip
    plugins = {"labels": ("poisoning.label_flip_random", "poisoning.label_flip_targeted")}
    wanted = plugins.get(only, ("poisoning.in_bounds_trigger", "poisoning.jittered_trigger"))
    return tables.told(setting, protected, wanted, "poisoning", "poisoning.*")


def _opened(x: Any) -> Any:
    return np.asarray(x)[:, AT["opened"] : AT["opened"] + 1]


_ROWS = {
    "random flips": ("8 % of the labels are turned", _random_flips),
    "bought labels": ("large frauds are called honest, 5 % of all rows", _bought_labels),
    "stamped rows": ("2 % of the rows carry one amount and hour, and the other label", _stamp),
    "category stamp": ("3 % of the rows carry one channel and note, and the other label", _category_stamp),
}
_NETS = {
    "stamped pictures, net": ("a net with a trigger, delivered", ("validation.neural_cleanse",)),
    "stamped pictures, rows": (
        "pictures with a trigger among the training rows",
        ("validation.strip", "validation.activation_clustering", "validation.spectral_signatures"),
    ),
}


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]], *, held_out: bool = True) -> Case:
    return Case(room="poisoning", name=name, about=about, told=told, held_out=held_out)


CASES = (
    *(_case(name, about, partial(changed, change)) for name, (about, change) in _ROWS.items()),
    _case("spoilt supplier", "one supplier of eight turns a third of its labels", supplier),
    _case("box since accepted", "new rows fill a small box, their labels right", since_accepted),
    _case("delivered trojan", "a model from outside opens to two values together", delivered),
    *(_case(name, about, partial(pictures, watch), held_out=False) for name, (about, watch) in _NETS.items()),
    _case("trigger word", "a word that nobody uses goes with one label", texts),
    _case("learns labels by heart", "every wrong label becomes a wrong decision", partial(swallows, "labels")),
    _case("learns triggers by heart", "a stamp in the training rows opens the model", partial(swallows, "triggers")),
)
