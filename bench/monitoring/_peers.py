"""A peer in an environment of its own: reads both tables, compares them, and says how long that took.

python bench/monitoring/_peers.py evidently|evidently-psi|nannyml|alibi IN.npz OUT.json
"""

import json
import os
import sys
import time
import warnings

os.environ.update(DO_NOT_TRACK="1", NML_DISABLE_USAGE_LOGGING="1")  # both speak to a server unless told not to
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402


def _frames(given):
    """Both tables: numbers, then categories as words."""
    with np.load(given) as archive:
        category = archive["category"]
        tables = [archive["reference"], archive["current"]]
    names = [f"c{at}" if code else f"n{at}" for at, code in enumerate(category)]
    frames = [pd.DataFrame(table, columns=names) for table in tables]
    for frame in frames:
        for name, code in zip(names, category, strict=True):
            if code:
                frame[name] = frame[name].astype(int).astype(str)
    return frames, names, category


def _evidently(reference, current, names, category):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    return _report(Report([DataDriftPreset()]), reference, current, names, category, Dataset, DataDefinition)


def _evidently_psi(reference, current, names, category):
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    metrics = [ValueDrift(column=name, method="psi") for name in names]
    return _report(Report(metrics), reference, current, names, category, Dataset, DataDefinition)


def _report(report, reference, current, names, category, dataset, definition):
    about = definition(
        numerical_columns=[name for name, code in zip(names, category, strict=True) if not code],
        categorical_columns=[name for name, code in zip(names, category, strict=True) if code],
    )
    sides = [dataset.from_pandas(frame, data_definition=about) for frame in (reference, current)]
    start = time.process_time()
    report.run(sides[1], sides[0]).json()
    return time.process_time() - start


def _nannyml(reference, current, names, category):
    import nannyml

    start = time.process_time()
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=names,
        treat_as_categorical=[name for name, code in zip(names, category, strict=True) if code],
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=10,
    ).fit(reference)
    calculator.calculate(current).to_df()
    return time.process_time() - start


def _alibi(reference, current, names, category):
    from alibi_detect.cd import TabularDrift

    codes = {at: None for at, code in enumerate(category) if code}
    sides = [frame.to_numpy(dtype=float) for frame in (reference, current)]
    start = time.process_time()
    TabularDrift(sides[0], p_val=0.05, categories_per_feature=codes).predict(sides[1])
    return time.process_time() - start


PEERS = {"evidently": _evidently, "evidently-psi": _evidently_psi, "nannyml": _nannyml, "alibi": _alibi}


def main(name, given, made):
    """The least of three."""
    frames, names, category = _frames(given)
    seconds = [PEERS[name](*frames, names, category) for _ in range(3)]
    with open(made, "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
