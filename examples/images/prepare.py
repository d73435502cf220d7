"""Draw (or read) small images, train a CNN on them and save it as TorchScript; see README.md.

python examples/images/prepare.py --out build/images            # shapes made by code: SIMULATED
python examples/images/prepare.py --data PATH --out build/mnist # handwritten digits
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

HERE = Path(__file__).parent
FOLDER = "mnist_t10k"
IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
TRAINED = 8_000
SEED = 0
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def shapes(count: int) -> Arrays:
    """`count` drawn images (count, 1, 24, 24) and their classes."""
    from shapes import draw

    return draw(count, np.random.Generator(np.random.Philox(SEED)))


def digits(data: Path) -> Arrays:
    """10,000 handwritten digits (10000, 1, 28, 28) and their classes, shuffled."""
    folder = data if (data / IMAGES).is_file() else data / FOLDER
    if not (folder / IMAGES).is_file():
        sys.exit(f"no {IMAGES} in {data} or {data / FOLDER}\n  fix: see README.md for where the digits are")
    # IDX format: a header of 16 bytes for images and 8 for labels, then one byte per value.
    pixels = np.frombuffer(gzip.decompress((folder / IMAGES).read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress((folder / LABELS).read_bytes()), np.uint8, offset=8).astype(np.int64)
    x = pixels.reshape(len(y), 1, 28, 28).astype(np.float32) / 255.0
    order = np.random.Generator(np.random.Philox(SEED)).permutation(len(y))
    return x[order], y[order]


def network(side: int, classes: int) -> torch.nn.Module:
    """Two convolutions and two dense layers; gives logits (n, classes) for images (n, 1, side, side)."""
    from torch import nn

    rest = side // 4
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * rest * rest, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def train(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], epochs: int) -> torch.nn.Module:
    """A network fitted by Adam on shuffled batches of 64; the same seed gives the same network."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = network(x.shape[-1], int(y.max()) + 1)
    order = torch.Generator().manual_seed(SEED)
    images, truth = torch.from_numpy(x), torch.from_numpy(y)
    adam = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=order).split(64):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(model(images[rows]), truth[rows]).backward()
            adam.step()
    return model.eval()


def save(model: torch.nn.Module, path: Path) -> None:
    """One TorchScript file that needs no Python class to be read."""
    import torch

    with warnings.catch_warnings():
        # Newer torch points to torch.export, but TorchScript is what is in use and what loads without code.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(model).save(str(path))


def accuracy(model: torch.nn.Module, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Share of images given their own class."""
    import torch

    with torch.no_grad():
        return float((model(torch.from_numpy(x)).argmax(1).numpy() == y).mean())


def prepare(data: Path | None, out: Path, count: int, epochs: int) -> Path:
    """Write model.pt, train.npz, test.npz and temper.yaml; gives the path of the last."""
    x, y = shapes(count) if data is None else digits(data)
    cut = int(0.8 * len(x)) if data is None else TRAINED
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "train.npz", x=x[:cut], y=y[:cut])
    np.savez_compressed(out / "test.npz", x=x[cut:], y=y[cut:])
    model = train(x[:cut], y[:cut], epochs)
    save(model, out / "model.pt")
    print(f"accuracy {accuracy(model, x[cut:], y[cut:]):.3f} on {len(x) - cut:,} held-out images")
    return Path(shutil.copy(HERE / ("shapes.yaml" if data is None else "digits.yaml"), out / "temper.yaml"))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and prepare everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="a folder with the MNIST test digits; default: shapes made by code")
    parser.add_argument("--out", type=Path, default=Path("build/images"), help="where the files go")
    parser.add_argument("--count", type=int, default=6_000, help="number of shapes to draw")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the training images")
    options = parser.parse_args(arguments)
    print(f"next: temper assess --config {prepare(options.data, options.out, options.count, options.epochs)}")


if __name__ == "__main__":
    main()
