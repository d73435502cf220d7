"""Who finds BadNets and blended triggers in nets, and whom do the same screens accuse without any?

    TEMPER_DATA=PATH python -m bench.poisoning.screens [--quick | --full]

Small convolutional nets on handwritten digits (REAL: `mnist_t10k`), clean and fitted on copies that
`poisoning.badnets` and `poisoning.blended` added (1 % and 5 % of 8,000 rows). `neural_cleanse` sees the net and 96 of
2,000 held-out digits (48 and fewer steps without `--full`); `strip`, `spectral_signatures` and
`activation_clustering` see the training rows as well. ART's SpectralSignatureDefense (told the true share of poison
in a class) and ActivationDefence, on the same nets and rows, always accuse somebody: their TPR and FPR say what. A
net counts as found where a screen raises the true class, and as a false alarm where it raises another or is clean.
Then the leaves of XGBoost models, with the stamps of `bench.poisoning.detection`: what both of ours would say of
trees. Three nets a line, ten with `--full`.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning.detection import _stamped, _table
from bench.poisoning.nets import digits, net
from bench.table import machine, table
from temper.attacks.poisoning.badnets import Badnets
from temper.attacks.poisoning.blended import Blended
from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.kernels.clusters import clusters
from temper.kernels.contrast import shortened
from temper.kernels.rate import clopper_pearson
from temper.kernels.spectral import signatures
from temper.targets.load import open_target
from temper.validation._activations import accused_rows
from temper.validation.activation_clustering import ActivationClustering
from temper.validation.neural_cleanse import NeuralCleanse
from temper.validation.spectral_signatures import SpectralSignatures
from temper.validation.strip import Strip

Rows = Any
OURS = {"spectral_signatures": SpectralSignatures(), "activation_clustering": ActivationClustering()}
PEERS = ("ART spectral", "ART clustering")
SCREENS = ("neural_cleanse", "strip", *OURS)


def main(words: list[str]) -> int:
    """Print the tables."""
    print(machine("numpy", "scikit-learn", "torch", "adversarial-robustness-toolbox"))
    many = 10 if "--full" in words else 1 if "--quick" in words else 3
    lines, costs = [], []
    for attack, share in ((None, 0.0), *((a, s) for s in (0.01, 0.05) for a in (Badnets, Blended))):
        seen = [_screened(attack, share, seed, "--full" in words) for seed in range(many)]
        name = f"{attack.__name__.lower()} {share:.0%}" if attack else "clean"
        lines.append([name, f"{np.mean([one['success'] for one in seen]):.3f}", *_counted(seen, attack is None)])
        costs += seen
        print(" ".join(lines[-1]), flush=True)
    columns = ["poison", "success", *SCREENS, *(f"{name} TPR/FPR" for name in (*OURS, *PEERS))]
    table(f"nets found (clean: accused) of {many}, and the rows accused", columns, lines)
    spent = [f"{name} {np.median([one[name][3] for one in costs if name in one]):.1f}" for name in (*SCREENS, *PEERS)]
    print(f"processor seconds a net: {', '.join(spent)}")
    if folder := os.environ.get("TEMPER_DATA"):
        table("leaves of XGBoost: rows accused", ["", "chance", *OURS], list(_leaves(Path(folder), "--quick" in words)))
    return 0


def _screened(attack: Any, share: float, seed: int, full: bool) -> dict[str, Any]:
    """What each screen says of one net: whether it raises, the classes it names, its rows, its seconds."""
    x, y = digits()
    order = np.random.default_rng(seed).permutation(len(x))
    x, y, cut = x[order], y[order], 4 * len(x) // 5
    data, label, success = Data(x=x[:cut], y=y[:cut]), seed % 10, float("nan")
    scene = Scene(
        x=x[cut:], y=y[cut:], ids=np.arange(len(x) - cut), schema=Schema.box(0.0, 1.0), classes=10, train=data
    )
    if attack is not None:
        made = attack(share=share, into=label, pick=seed).run(None, scene, Draws(seed, "bench"))
        data = made.data
    rows, truths = np.asarray(data.x, dtype=np.float32), np.asarray(data.y)
    model = net(rows, truths, seed)
    target = open_target(model)
    if attack is not None:
        others = y[cut:] != label
        success = float((np.asarray(target.scores(made.trigger.stamp(x[cut:][others]))).argmax(1) == label).mean())
    scene = Scene(x=x[cut:], y=y[cut:], ids=scene.ids, schema=scene.schema, kind=target.kind, classes=10, target=target,
                  train=Data(x=rows, y=truths))  # fmt: skip
    poison = np.arange(len(rows)) >= cut
    said = _ours(scene, full) | _art(model, rows, truths, poison)
    return said | {"success": success, "label": label, "poison": poison}


def _ours(scene: Scene, full: bool) -> dict[str, Any]:
    said: dict[str, Any] = {}
    cleanse = NeuralCleanse() if full else NeuralCleanse(steps=120, rows=24)
    for name, check in (("neural_cleanse", cleanse), ("strip", Strip()), *OURS.items()):
        started = time.process_time()
        seen = check.measure(scene)
        first = (seen.measurements if isinstance(seen, Accused) else seen)[0]
        spent = time.process_time() - started
        words = " ".join(first.caveats)
        raised = {"neural_cleanse": (first.value or 0.0) > 2.0, "strip": (first.low or 0.0) > 0.025}
        labels = [at for at in range(10) if f"class {at}:" in words or f"have label {at}" in words]
        said[name] = (raised.get(name, bool(first.count)), labels, None, spent)
    for name, regions in (("spectral_signatures", signatures), ("activation_clustering", clusters)):
        said[name] = (*said[name][:2], _rows(scene, regions), said[name][3])
    return said


def _rows(scene: Scene, regions: Callable[[Rows], Rows]) -> Rows:
    from temper.validation._activations import penultimate

    assert scene.train is not None
    both = shortened(np.concatenate([penultimate(scene.target, part) for part in (scene.train.x, scene.x)]))  # type: ignore[arg-type]
    n, y = len(scene.train), np.asarray(scene.train.y)
    return accused_rows(both[:n], y, both[n:], np.asarray(scene.y), list(range(10)), regions, 1e-3, id)[0]


def _art(model: Any, x: Rows, y: Rows, poison: Rows) -> dict[str, Any]:
    """Empty where ART is not installed."""
    try:
        from art.defences.detector.poison import ActivationDefence, SpectralSignatureDefense
        from art.estimators.classification import PyTorchClassifier
    except ImportError:
        return {}
    import torch

    warnings.simplefilter("ignore")
    opened = PyTorchClassifier(model, torch.nn.CrossEntropyLoss(), x.shape[1:], 10, clip_values=(0.0, 1.0))
    hot = np.eye(10)[y]
    counts = [poison[y == label].mean() for label in range(10)]
    share = max(0.01, float(max(counts)))
    said = {}
    for name, build in (
        ("ART spectral", lambda: SpectralSignatureDefense(opened, x, hot, expected_pp_poison=share)),
        ("ART clustering", lambda: ActivationDefence(opened, x, hot)),
    ):
        started = time.process_time()
        _, clean = build().detect_poison()
        said[name] = (True, [], np.asarray(clean) == 0, time.process_time() - started)
    return said


def _counted(seen: list[dict[str, Any]], clean: bool) -> list[str]:
    shown = []
    for name in SCREENS:
        hits = sum(bool(one[name][0]) and (clean or one["label"] in one[name][1]) for one in seen)
        low, high = clopper_pearson(hits, len(seen))
        shown.append(f"{hits}/{len(seen)} [{low:.2f}, {high:.2f}]")
    for name in (*OURS, *PEERS):
        rates = [(one[name][2][one["poison"]], one[name][2][~one["poison"]]) for one in seen if name in one]
        found = f"{np.mean([part.mean() for part, _ in rates]):.2f}" if rates and not clean else "-"
        shown.append(f"{found} / {np.mean([part.mean() for _, part in rates]):.4f}" if rates else "not installed")
    return shown


def _leaves(folder: Path, quick: bool) -> list[list[str]]:
    """Stamps in tables split by chance, and a clean table of frauds split by chance and by time."""
    from temper.demos import fraud

    lines = []
    for name in ("credit",) if quick else ("credit", "adult"):
        x, y, schema = _table(folder, name)
        order = Draws(0, "leaves").generator(0).permutation(len(x))
        held, train = order[:6_000], order[6_000:18_000]
        for pick in (None, 0, 1):
            given = (x[train], y[train], np.zeros(len(train), dtype=bool))
            if pick is not None:
                given = _stamped(x[train], y[train], schema, 0.1, pick, False)[:3]
            lines.append(_of_trees(f"{name}, {'clean' if pick is None else f'stamp {pick}'}", *given, x[held], y[held]))
    parts = fraud.split(fraud.generate(0))
    old, new = (fraud.rows(part) for part in (parts.train, parts.test))
    x, y = np.asarray(old.x), np.asarray(old.y)
    order = Draws(0, "leaves").generator(0).permutation(len(x))[:18_000]
    train, held, none = order[:12_000], order[12_000:], np.zeros(12_000, dtype=bool)
    lines.append(_of_trees("fraud (SIMULATED), clean, split by chance", x[train], y[train], none, x[held], y[held]))
    later = np.asarray(new.x)[:6_000], np.asarray(new.y)[:6_000]
    lines.append(_of_trees("fraud (SIMULATED), clean, split by time", x[train], y[train], none, *later))
    return lines


def _of_trees(name: str, x: Rows, y: Rows, poison: Rows, held: Rows, truths: Rows) -> list[str]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import OneHotEncoder
    from xgboost import XGBClassifier

    model = XGBClassifier(n_estimators=120, max_depth=6, n_jobs=1, random_state=0).fit(x, y)
    leaves = np.concatenate([model.apply(x), model.apply(held)])
    both = TruncatedSVD(32, random_state=0).fit_transform(OneHotEncoder().fit_transform(leaves))
    shown = []
    for regions in (signatures, clusters):
        found, _ = accused_rows(both[: len(x)], y, both[len(x) :], truths, [0, 1], regions, 1e-3, id)
        rate = f"TPR {found[poison].mean():.2f}, " if poison.any() else ""
        shown.append(f"{rate}FPR {found[~poison].mean():.4f}")
    return [name, "0.001", *shown]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
