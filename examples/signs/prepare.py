"""Train a small CNN on real photographs of traffic signs (GTSRB) and save it as TorchScript; see README.md.

python examples/signs/prepare.py --data PATH --out build/signs
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

HERE = Path(__file__).parent
FOLDER = "gtsrb_subset"
SEED = 0
Array = np.ndarray[Any, Any]


def signs(data: Path) -> dict[str, tuple[Array, Array]]:
    """Images (n, 3, 32, 32) in [0, 1] and the names of their classes, for "train", "val" and "test"."""
    folder = data if (data / "train.npz").is_file() else data / FOLDER
    if not (folder / "train.npz").is_file():
        sys.exit(f"no train.npz in {data} or {data / FOLDER}\n  fix: see README.md for where the signs are")
    with (folder / "classes.csv").open(encoding="utf-8") as file:
        # The number first and of two digits, so that names sort as the classes are numbered.
        names = np.asarray([f"{int(row['class_id']):02d} {row['name']}" for row in csv.DictReader(file)])
    found = {}
    for part in ("train", "val", "test"):
        with np.load(folder / f"{part}.npz") as arrays:
            x = arrays["X"].astype(np.float32).transpose(0, 3, 1, 2) / np.float32(255)
            found[part] = np.ascontiguousarray(x), names[arrays["y"]]
    return found


def network(classes: int) -> torch.nn.Module:
    """Three convolutions and a dense layer; gives logits (n, classes) for images (n, 3, 32, 32)."""
    from torch import nn

    def step(wide: int, out: int, size: int, stride: int) -> list[nn.Module]:
        convolution = nn.Conv2d(wide, out, size, stride=stride, padding=size // 2, bias=False)
        return [convolution, nn.BatchNorm2d(out), nn.ReLU()]

    return nn.Sequential(
        nn.BatchNorm2d(3),
        *step(3, 32, 5, 2),
        *step(32, 64, 3, 1),
        nn.MaxPool2d(2),
        *step(64, 96, 3, 1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(96 * 16, classes),
    )


def varied(x: torch.Tensor, numbers: torch.Generator) -> torch.Tensor:
    """Each image turned, scaled, sheared, shifted and put into another light at random."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n = len(x)
    draw = torch.rand((n, 8), generator=numbers) * 2 - 1
    turn, size = 0.25 * draw[:, 0], 1 + 0.18 * draw[:, 1]
    pose = torch.zeros((n, 2, 3))
    pose[:, 0, 0], pose[:, 0, 1] = size * turn.cos(), -size * turn.sin() + 0.12 * draw[:, 2]
    pose[:, 1, 0], pose[:, 1, 1] = size * turn.sin(), size * (1 + 0.1 * draw[:, 3]) * turn.cos()
    pose[:, :, 2] = 0.15 * draw[:, 4:6]
    moved = grid_sample(x, affine_grid(pose, list(x.shape), False), padding_mode="border", align_corners=False)
    lit = moved * (1 + 0.4 * draw[:, 6, None, None, None]) + 0.1 * draw[:, 7, None, None, None]
    return lit.clamp(0.0, 1.0)


def train(x: Array, y: Array, classes: int, epochs: int) -> torch.nn.Module:
    """A network fitted by AdamW on varied images under one rise and fall of its step."""
    import torch

    torch.manual_seed(SEED)
    model, numbers = network(classes), torch.Generator().manual_seed(SEED)
    images, truth = torch.from_numpy(x), torch.from_numpy(y)
    adam = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, 6e-3, total_steps=epochs * -(-len(x) // 64))
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=numbers).split(64):
            adam.zero_grad()
            answers = model(varied(images[rows], numbers))
            torch.nn.functional.cross_entropy(answers, truth[rows], label_smoothing=0.05).backward()
            adam.step()
            pace.step()
    return model.eval()


def accuracy(model: torch.nn.Module, x: Array, y: Array) -> float:
    """Share of images given their own class."""
    import torch

    with torch.no_grad():
        return float((model(torch.from_numpy(x)).argmax(1).numpy() == y).mean())


def prepare(data: Path, out: Path, epochs: int) -> Path:
    """Write model.pt, train.npz, test.npz and temper.yaml; gives the path of the last."""
    import torch

    parts = signs(data)
    # The validation images are of signs that are in no other part, so they may be learnt from.
    x, names = (np.concatenate([parts["train"][at], parts["val"][at]]) for at in (0, 1))
    known, y = np.unique(names, return_inverse=True)
    fresh, truth = parts["test"]
    began = time.perf_counter()
    model = train(x, y, len(known), epochs)
    seconds = time.perf_counter() - began
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "train.npz", x=x, y=names)
    np.savez_compressed(out / "test.npz", x=fresh, y=truth)
    torch.jit.save(torch.jit.script(model), str(out / "model.pt"))
    right = accuracy(model, fresh, np.searchsorted(known, truth))
    print(f"trained on {len(x):,} images in {seconds:.0f} s; accuracy {right:.3f} on {len(fresh):,} held-out images")
    return Path(shutil.copy(HERE / "temper.yaml", out / "temper.yaml"))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and prepare everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="a folder with the images as arrays; see README.md")
    parser.add_argument("--out", type=Path, default=Path("build/signs"), help="where the files go")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the training images")
    options = parser.parse_args(arguments)
    print(f"next: temper assess --config {prepare(options.data, options.out, options.epochs)}")


if __name__ == "__main__":
    main()
