"""From a model and a table of one's own to a verdict: `init`, `threats`, `assess`, and a table with hostile columns."""

import pytest
import yaml

from scenarios.story import Folder, fixed, refused

NAMES = (
    "amount, gross",
    'the "net" amount',
    "date: of birth",
    "#comment",
    "- list",
    "{curly}",
    "<script>",
    "O'Neill",
    "tab\tbed",
    "yes",
    "123",
    "été 💶",
    "`tick`",
    " spaces ",
    "null",
    "a" * 200,
)


@pytest.fixture
def own(tmp_path):
    """A LightGBM-free world: an XGBoost model on a table whose names were chosen to hurt, as CSV, and the words."""
    import numpy as np
    import pandas as pd
    from xgboost import XGBClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, len(NAMES))).round(3)
    y = (x[:, 0] + x[:, 3] - x[:, 7] + rng.normal(scale=0.3, size=400) > 0).astype(int)
    folder = tmp_path / "own folder"
    folder.mkdir()
    frame = pd.DataFrame(x, columns=list(NAMES)).assign(**{"the label": np.where(y, "bad: yes", "good")})
    frame.iloc[:200].to_csv(folder / "test rows.csv", index=False)
    frame.iloc[200:].to_csv(folder / "train rows.csv", index=False)
    XGBClassifier(n_estimators=15, max_depth=3).fit(x[200:], y[200:]).save_model(folder / "my model.json")
    return folder


def init(desk, own, *more):
    return desk(
        "init", "--model", own / "my model.json", "--data", own / "test rows.csv", "--target", "the label",
        "--train", own / "train rows.csv", "--out", own / "temper.yaml", *more,
    )  # fmt: skip


def test_a_table_with_hostile_column_names_goes_from_init_to_a_verdict(desk, own):
    told = init(desk, own)
    assert told.code == 0, told.all
    assert "assess" in told.out
    document = yaml.safe_load((own / "temper.yaml").read_text(encoding="utf-8"))
    assert tuple(document["schema"]["columns"]) == NAMES
    system = Folder(own)
    if positive(own) == "good":
        system.edit("positive: good", 'positive: "bad: yes"')
    told = desk.assess(system, "--only", "evasion.coordinate", "--only", "stress.missing", "--only", "validation")
    assert told.code in (0, 1, 3), told.all
    assert "Traceback" not in told.all
    assert not [m for m in system.store.run().measurements if m.status.value == "error"]


def positive(own):
    return yaml.safe_load((own / "temper.yaml").read_text(encoding="utf-8"))["data"]["positive"]


def test_the_wrong_class_called_positive_is_noticed_before_any_figure(desk, own):
    init(desk, own)
    if positive(own) == "bad: yes":
        Folder(own).edit('positive: "bad: yes"', "positive: good")
    fixed(desk.assess(Folder(own)), "seems to mean the other class", "data.positive")


def test_init_writes_over_nothing_unless_told_to(desk, own):
    (own / "temper.yaml").write_text("precious: true\n", encoding="utf-8")
    fixed(init(desk, own), "already there", "--force")
    assert (own / "temper.yaml").read_text(encoding="utf-8") == "precious: true\n"
    assert init(desk, own, "--force").code == 0


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--data", "nothing.csv", "nothing.csv"),
        ("--target", "the lable", "did you mean 'the label'?"),
        ("--train", "nothing.csv", "nothing.csv"),
    ],
)
def test_init_names_what_it_cannot_find_and_writes_nothing(desk, own, flag, value, says):
    told = init(desk, own, flag, value)  # the last one given counts
    fixed(told, says)
    assert not (own / "temper.yaml").exists()


def test_init_of_a_model_that_is_not_there_says_so(desk, own):
    (own / "my model.json").unlink()
    refused(init(desk, own), "my model.json")


def test_the_threat_model_is_told_with_its_reasons(desk, system):
    told = desk("threats", "-c", system.config)
    assert told.code == 0, told.all
    assert "fraudster" in told.out
    assert "left out" in told.out


def test_an_answer_that_excludes_a_threat_is_named(desk, system):
    system.edit("public: true", "public: false")
    told = desk("threats", "-c", system.config)
    assert "exposure.public is no" in told.out


def test_every_room_lists_its_plugins_with_a_sentence(desk):
    told = desk("list")
    assert told.code == 0, told.all
    lines = [line for line in told.out.splitlines() if line.startswith("  ")]
    assert len(lines) > 20
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_doctor_says_what_is_installed(desk):
    told = desk("doctor")
    assert told.code in (0, 1), told.all
    assert "xgboost" in told.out
