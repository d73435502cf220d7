"""Systems that are assessed in a moment, each of a model of one line and sixty rows."""

import numpy as np

MODEL = """import numpy as np
{begin}
def score(x):
    x = np.nan_to_num(np.asarray(x, float))
    {inside}
    p = 1 / (1 + np.exp(-(x[:, 0] + 0.3 * x[:, 1] + {seed} / 100)))
    return np.stack([1 - p, p], 1)
"""
YAML = """system: {{name: {name}, simulated: true}}
model: {{callable: "model.py:score", kind: probabilities, classes: 2, version: "{seed}"}}
data: {{test: rows.csv, target: label}}
schema:
  columns:
    a: {{type: number, attacker: free}}
    b: {{type: number, attacker: free}}
{more}"""


def system(folder, seed=0, begin="", inside="pass", more="", name=""):
    """A folder with a temper.yaml; `begin` and `inside` are lines of its model."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 2))
    rows = [f"{a:.4f},{b:.4f},{int(a + 0.3 * b > 0)}" for a, b in x]
    (folder / "rows.csv").write_text("\n".join(["a,b,label", *rows]) + "\n")
    (folder / "model.py").write_text(MODEL.format(begin=begin, inside=inside, seed=seed))
    (folder / "temper.yaml").write_text(YAML.format(name=name or folder.name, seed=seed, more=more))
    return folder / "temper.yaml"


def portfolio(folder, *entries, head=""):
    """A portfolio.yaml of these lines."""
    path = folder / "portfolio.yaml"
    path.write_text(f"{head}systems:\n" + "".join(f"  - {entry}\n" for entry in entries))
    return path
