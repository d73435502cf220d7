"""The traffic-sign demo: SIMULATED photographs of eight signs, a small network, and a folder to try Temper in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.demos._sign_shapes import NAMES, SIDE, pictures

if TYPE_CHECKING:
    import torch

EPOCHS = 6

_BATCH, _PEAK = 64, 4e-3
_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Album:
    """Images `x` (n, 3, 32, 32) in [0, 1] and the name of the sign on each, `y` (n,)."""

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.y)


def generate(seed: int = 0, count: int = 5_000) -> Album:
    """SIMULATED photographs, all signs alike often, in random order.

    >>> album = generate(count=16)
    >>> album.x.shape, 'stop' in album.y
    ((16, 3, 32, 32), True)
    """
    if count < 2 * len(NAMES):
        raise TemperError(f"the signs demo needs {2 * len(NAMES)} images, got {count}", fix="ask for more of them")
    draws = Draws(seed, "demos.signs")
    kinds = draws.generator(0).permutation(np.arange(count) % len(NAMES))
    return Album(x=pictures(kinds, draws.generator(1)), y=np.asarray(NAMES)[kinds])


def split(album: Album) -> tuple[Album, Album]:
    """The first four fifths to learn, the rest to test; every image is a view of its own."""
    cut = int(len(album) * _SHARE)
    return Album(x=album.x[:cut], y=album.y[:cut]), Album(x=album.x[cut:], y=album.y[cut:])


def network(classes: int = len(NAMES)) -> torch.nn.Module:
    """Three convolutions and two dense layers on (n, 3, 32, 32); it gives logits (n, classes)."""
    _refuse_without_torch()
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 24, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(24, 48, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(48, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * (SIDE // 8) ** 2, 96),
        nn.ReLU(),
        nn.Linear(96, classes),
    )


def train(album: Album, seed: int = 0, epochs: int = EPOCHS) -> torch.nn.Module:
    """A network fitted by Adam under one rise and fall of its step; the same seed gives the same network."""
    _refuse_without_torch()
    import torch

    order = torch.Generator().manual_seed(seed)
    model = _begun(order)
    images, truth = torch.from_numpy(album.x), torch.from_numpy(np.searchsorted(NAMES, album.y))
    adam = torch.optim.Adam(model.parameters())
    steps = epochs * -(-len(album) // _BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, _PEAK, total_steps=steps)
    for _ in range(epochs):
        mixed = torch.randperm(len(images), generator=order)
        for at in range(0, len(images), _BATCH):
            rows = mixed[at : at + _BATCH]
            adam.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(model(images[rows]), truth[rows]))
            adam.step()
            pace.step()
    return model.eval()


def _begun(numbers: torch.Generator) -> torch.nn.Module:
    """The network with random weights of its own generator, so that the global one stays as it is."""
    import torch

    with torch.random.fork_rng(devices=[]):
        model = network()
    with torch.no_grad():
        for part in model.children():
            if (weight := getattr(part, "weight", None)) is not None:
                reach = float(weight[0].numel()) ** -0.5
                for values in part.parameters():
                    values.uniform_(-reach, reach, generator=numbers)
    return model


def accuracy(model: torch.nn.Module, album: Album) -> float:
    """Share of the images that are given their own name."""
    import torch

    with torch.no_grad():
        found = model(torch.from_numpy(album.x)).argmax(1).numpy()
    return float((np.asarray(NAMES)[found] == album.y).mean())


def save(model: torch.nn.Module, path: Path) -> None:
    """One TorchScript file, which opens without any Python code of this demo."""
    import torch

    with warnings.catch_warnings():
        # Newer torch points to torch.export, but TorchScript is what is in use and what loads without code.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(model), str(path))


def write(folder: Path | str, seed: int = 0, count: int = 5_000, epochs: int = EPOCHS) -> Path:
    """Write train.npz, test.npz, model.pt and temper.yaml into `folder`; the path of the temper.yaml.

    An existing temper.yaml is not overwritten.
    """
    _refuse_without_torch()
    folder = Path(folder)
    system = folder / "temper.yaml"
    if system.exists():
        raise TemperError(f"{system} is already there", fix="choose an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    known, fresh = split(generate(seed, count))
    for name, album in (("train", known), ("test", fresh)):
        np.savez_compressed(folder / f"{name}.npz", x=album.x, y=album.y)
    save(train(known, seed, epochs), folder / "model.pt")
    system.write_text(files("temper.demos").joinpath("signs.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return system


def _refuse_without_torch() -> None:
    if find_spec("torch") is None:
        raise TemperError(
            "the signs demo trains a small neural network and PyTorch is not installed",
            fix="pip install 'temper-ml[torch]', or try `temper demo fraud`, which needs nothing more",
        )
