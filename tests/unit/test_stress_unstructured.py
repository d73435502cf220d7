"""Pictures and texts under stress through the engine: a weak model is caught and a sound one is not accused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import temper
from temper.core.data import Data
from temper.core.errors import ConfigError
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.text import TextSchema
from temper.engine.identity import data_digest
from temper.engine.run_task import execute
from temper.engine.task import Sizes, Task, World
from temper.stress.text._text import characters
from temper.targets.load import open_target

STRESS = Room("temper.stress")
NAMES = [name for name in STRESS.names() if name.startswith(("image.", "text."))]
SIZES = Sizes(replicates=200)
RNG = Draws(0, "test")


def pictures(n=60):
    """Bright on the left (class 0) or on the right, with waves of their own."""
    y = np.arange(n) % 2
    row, column = np.mgrid[:24, :24]
    turn = Draws(3, "waves").uniform(np.arange(n), 0, (1, 1, 1), 0.5, 1.5)
    x = 0.35 + 0.1 * np.sin(turn * (row + 2 * column)) + np.zeros((n, 3, 1, 1))
    x[:, :, 3:21, 3:12] += 0.35 * (y == 0)[:, None, None, None]
    x[:, :, 3:21, 12:21] += 0.35 * (y == 1)[:, None, None, None]
    return Data(x=x.astype(np.float32), y=y)


def texts(n=60):
    """Texts of about five words (class 0) or of about forty."""
    draws = Draws(4, "words")
    said = ("the", "film", "was", "rather", "long", "when", "nobody", "came", "to", "see", "it", "twice")
    rows = [
        " ".join(said[int(i * 12)] for i in draws.uniform([at], 0, (40,))[0][: 40 if at % 2 else 5]) + "."
        for at in range(n)
    ]
    return Data(x=np.array(rows, dtype=object), y=np.arange(n) % 2)


def sides(x):
    """How much brighter it is right of the middle than left of it, as probabilities."""
    lead = x[..., 12:17].mean((1, 2, 3)) - x[..., 7:12].mean((1, 2, 3))
    return two(1 / (1 + np.exp(-40 * lead)))


def lengths(x):
    return two(1 / (1 + np.exp(-0.1 * (np.array([len(text) for text in x]) - 90))))


def two(share):
    return np.stack([1 - share, share], axis=1)


def remembers(data):
    """A model of single values: it knows its pictures or texts to the letter, and nothing else."""
    known = {key(row): label for row, label in zip(data.x, data.y, strict=True)}
    return lambda x: two(np.array([known.get(key(row), 0.5) for row in x], dtype=float))


def key(row):
    return row if isinstance(row, str) else row.tobytes()


def stress(name, target, data, **options):
    domain = TextSchema() if name.startswith("text.") else Schema.box(0.0, 1.0)
    opened = open_target(target, kind=ScoreKind.PROBABILITIES, classes=2)
    system = Protected(name="toy", target=opened, data=data, train=None, schema=domain, threshold=0.5, version="1")
    rows = np.arange(len(data))
    world = World(system=system, sizes=SIZES, seed=0, attacked=rows, held_out=rows)
    return execute(Task(room="stress", plugin=name, options=tuple(options.items()), sizes=SIZES), world)


def loss_of(part):
    return next(m for m in part.measurements if m.metric == "loss")


def data_of(name):
    return texts() if name.startswith("text.") else pictures()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_single_values_loses(name):
    data = data_of(name)
    part = stress(name, remembers(data), data)
    assert loss_of(part).low > 0.02
    (finding,) = part.findings
    assert finding.title.startswith(name.partition(".")[2].replace("_", " ").capitalize())
    assert "all rows" in finding.detail


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_the_whole_keeps(name):
    part = stress(name, lengths if name.startswith("text.") else sides, data_of(name))
    assert loss_of(part).value < 0.05
    assert loss_of(part).status is Status.OK
    assert not part.findings


def test_a_model_that_cannot_read_what_comes_is_an_error_and_not_a_crash():
    part = stress("text.homoglyph", lambda x: two(np.array([len(t.encode("ascii")) > 90 for t in x]) * 1.0), texts())
    assert loss_of(part).status is Status.ERROR
    assert "UnicodeEncodeError" in loss_of(part).reason


def test_so_many_pictures_as_the_suite_says_spread_over_all_of_them():
    data, few = pictures(), replace(SIZES, unstructured=7)
    system = Protected(
        name="toy", target=open_target(sides, kind=ScoreKind.PROBABILITIES, classes=2), data=data, train=None,
        schema=Schema.box(0.0, 1.0), threshold=0.5, version="1",
    )  # fmt: skip
    world = World(system=system, sizes=few, seed=0, attacked=np.arange(60), held_out=np.arange(60)[::-1])
    assert world.under_stress(Task(room="stress", plugin="image.fog")).tolist() == [0, 9, 19, 29, 39, 49, 59]
    assert len(world.under_stress(Task(room="stress", plugin="missing"))) == 60


# -- texts by example -----------------------------------------------------------------------------------------------


def said(name, *rows, severity=5, **options):
    return STRESS.build(f"text.{name}", options).apply(np.array(rows, dtype=object), severity, RNG).tolist()


def test_characters_stay_whole():
    family = "👨‍👩‍👧‍👦"
    assert characters(f"e\u0301{family}🇩🇪🇫🇷👍🏽हि") == ["e\u0301", family, "🇩🇪", "🇫🇷", "👍🏽", "हि"]


def test_typing_errors_are_one_per_word_and_spare_short_ones():
    (out,) = said("typo", "a to keyboard of it", levels=(1.0,) * 5)
    words = out.split(" ")
    assert [words[at] for at in (0, 1, 3, 4)] == ["a", "to", "of", "it"]
    assert words[2] != "keyboard"
    assert abs(len(words[2]) - 8) <= 1


def test_a_cut_text_keeps_its_beginning_and_at_least_one_character():
    assert said("truncation", "👍🏽", "ab", "0123456789") == ["👍🏽", "a", "01"]


def test_an_empty_text_stays_empty_and_no_other_becomes_so():
    for name in (n.partition(".")[2] for n in NAMES if n.startswith("text.")):
        out = said(name, "", ".", " ", "?!", levels=(1.0,) * 5)
        assert out[0] == ""
        assert all(text for text in out[1:])
        assert all(out[at].strip() for at in (1, 3))


def test_a_higher_severity_strikes_the_same_words_and_more():
    line = " ".join(f"word{at}" for at in range(200))
    struck = [
        {at for at, (a, b) in enumerate(zip(line.split(), out.split(), strict=True)) if a != b}
        for out in (said("casing", line, severity=s)[0] for s in (1, 3, 5))
    ]
    assert struck[0] < struck[1] < struck[2]


# -- texts from a temper.yaml ---------------------------------------------------------------------------------------

YAML = """
system: {name: lengths}
model: {callable: "lengths.py:scores", kind: probabilities}
data: {test: test.csv, target: y, drop: [note]}
schema: {text: message}
"""
MODEL = """
import numpy as np
def scores(x):
    long = 1 / (1 + np.exp(-0.1 * (np.array([len(text) for text in x]) - 90)))
    return np.stack([1 - long, long], axis=1)
"""


@pytest.fixture
def folder(tmp_path):
    import pandas as pd

    data = texts()
    pd.DataFrame({"message": data.x, "note": "NA", "y": data.y}).to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "lengths.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "temper.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path


def changed(folder, old, new):
    path = folder / "temper.yaml"
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return path


def test_a_model_of_texts_is_declared_by_its_column_and_assessed(folder):
    system = temper.load(folder / "temper.yaml")
    assert isinstance(system.schema, TextSchema)
    assert system.data.x.tolist() == texts().x.tolist()
    run = temper.assess(system, "quick", only=["stress.text.typo", "stress.text.casing"], engine="serial", store=None)
    found = {m.name: m for m in run.measurements}
    assert found["stress.text.mean_loss"].value == pytest.approx(0.0, abs=0.05)
    assert {"stress.text.typo.loss", "stress.text.casing.flip_rate"} <= set(found)


def test_texts_and_columns_do_not_go_together(folder):
    with pytest.raises(ConfigError, match=r"temper\.yaml:5: .*schema\.text stands alone"):
        temper.load(changed(folder, "text: message", "text: message, box: [0, 1]"))


def test_a_column_of_texts_that_is_not_there_is_named(folder):
    with pytest.raises(ConfigError, match=r"no column 'mesage'.*") as told:
        temper.load(changed(folder, "text: message", "text: mesage"))
    assert "did you mean 'message'" in told.value.fix


def test_rows_of_texts_are_known_by_their_content():
    data = texts()
    again = Data(x=np.array(["".join(list(text)) for text in data.x], dtype=object), y=data.y)
    assert data_digest(again) == data_digest(data)
    assert data_digest(replace(again, x=again.x[::-1])) != data_digest(data)
