"""Training tables without the rows that were left out, written beside a hardened model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from temper.config.rows import stable_ids
from temper.config.table import read_table


def write_kept(table: Path, id_column: str, ids: Any, folder: Path) -> Path:
    """The rows of `table` with these sample numbers, as a file in `folder`; its path.

    Sample numbers are row numbers where there is no id column. Everything else of the table stays as it is.
    """
    if table.suffix.lower() == ".npz":
        out = folder / "train.npz"
        with np.load(table, allow_pickle=False) as archive:
            keep = np.isin(np.arange(len(archive["x"])), ids)
            np.savez(out, **{name: archive[name][keep] for name in ("x", "y")})
        return out
    frame, out = read_table(table), folder / "train.parquet"
    own = stable_ids(frame[id_column]) if id_column else np.arange(len(frame))
    frame[np.isin(own, ids)].reset_index(drop=True).to_parquet(out)
    return out
