"""NannyML or fairlearn in an environment of its own: reads arrays, and writes what it makes of them.

python bench/monitoring/_label_peers.py nannyml|fairlearn IN.npz OUT.json
"""

import json
import os
import sys
import time
import warnings

os.environ.update(DO_NOT_TRACK="1", NML_DISABLE_USAGE_LOGGING="1")  # it speaks to a server unless told not to
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402


def _nannyml(given):
    """Its estimates, whether it calibrated, and how long both took."""
    import nannyml

    names = [str(name) for name in given["figures"]]
    reference, rows = (
        pd.DataFrame({"score": given[f"{part}_score"], "flag": given[f"{part}_flag"].astype(int)})
        for part in ("reference", "window")
    )
    reference["y"] = given["reference_y"].astype(int)
    start = time.process_time()
    made = nannyml.CBPE(
        y_pred_proba="score",
        y_pred="flag",
        y_true="y",
        metrics=names,
        chunk_size=int(given["chunk"]),
        problem_type="classification_binary",
    ).fit(reference)
    frame = made.estimate(rows).filter(period="analysis").to_df()
    seconds = time.process_time() - start
    values = {name: frame[(name, "value")].tolist() for name in names}
    return {"calibrates": bool(made.needs_calibration), "seconds": seconds, **values}


def _fairlearn(given):
    """The largest differences between groups, column by column."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

    metrics = {"selection": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate}
    found = {}
    for name in given["columns"]:
        frame = MetricFrame(
            metrics=metrics, y_true=given["y"], y_pred=given["flag"].astype(int), sensitive_features=given[f"in_{name}"]
        )
        found[str(name)] = {metric: float(value) for metric, value in frame.difference().items()}
    return found


def main(peer, given, made):
    """What this peer says of the arrays."""
    with np.load(given) as archive:
        told = {"nannyml": _nannyml, "fairlearn": _fairlearn}[peer](dict(archive))
    with open(made, "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
