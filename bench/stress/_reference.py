"""`imagecorruptions` in an environment of its own: reads pictures, writes what it makes of them and how long it took.

python bench/stress/_reference.py IN.npz OUT.npz
"""

import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
import imagecorruptions  # noqa: E402
from imagecorruptions import corruptions  # noqa: E402


def _renamed() -> None:
    """The package calls scikit-image by a name that later versions no longer know."""
    smoothed = corruptions.gaussian

    def gaussian(image, sigma, multichannel=False, **more):
        return smoothed(image, sigma, channel_axis=-1 if multichannel else None, **more)

    corruptions.gaussian = gaussian


def main(given: str, made: str) -> None:
    """Every corruption at severities 1, 3 and 5."""
    _renamed()
    np.random.seed(0)  # noqa: NPY002 - the package draws from the state that all share
    pictures = np.load(given)["x"]
    found = {}
    for name in imagecorruptions.get_corruption_names():
        for severity in (1, 3, 5):
            imagecorruptions.corrupt(pictures[0], severity=severity, corruption_name=name)  # warm
            start = time.process_time()
            out = [imagecorruptions.corrupt(one, severity=severity, corruption_name=name) for one in pictures]
            found[f"{name}.{severity}.seconds"] = time.process_time() - start
            found[f"{name}.{severity}"] = np.stack(out)
    np.savez(made, **found)


if __name__ == "__main__":
    import os

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    main(*sys.argv[1:])
