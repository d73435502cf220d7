"""What a user gets wrong in files: every mistake is one sentence with the way out, and nothing is lost."""

import pytest

from scenarios.story import fixed, refused


def test_a_missing_temper_yaml_names_init(desk):
    fixed(desk("assess"), "temper.yaml", "temper init")


def test_a_missing_model_file_is_named_with_its_line(desk, system):
    (system.path / "model.ubj").unlink()
    fixed(desk.assess(system), system.at("model:"), "model.ubj", "relative to the temper.yaml")


@pytest.mark.parametrize("part", ["test", "train"])
def test_a_missing_data_file_is_named_with_its_line(desk, system, part):
    (system.path / f"{part}.parquet").unlink()
    fixed(desk.assess(system), system.at("data:"), f"{part}.parquet", "does not exist")


@pytest.mark.parametrize(
    ("wrong", "right", "start"),
    [
        ("treshold: 0.5", "threshold", "model:"),
        ("criticallity: high", "criticality", "  criticallity:"),
        ("polcy: default", "policy", "polcy:"),
        ("retraind: true", "retrained", "exposure:"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_one_and_the_line(desk, system, wrong, right, start):
    system.edit(f"{right}: {wrong.split(': ')[1]}", wrong)
    fixed(desk.assess(system), system.at(start), repr(wrong.split(":")[0]), f"did you mean {right!r}?")


def test_an_unknown_option_of_a_plugin_is_answered_with_the_nearest_one(desk, system):
    system.line("policy:", "policy: default\nassess: {options: {evasion.coordinate: {sweps: 2}}}")
    fixed(desk.assess(system), "evasion.coordinate", "'sweps'", "did you mean 'sweeps'?")


def test_options_for_a_plugin_that_does_not_exist_are_refused(desk, system):
    system.line("policy:", "policy: default\nassess: {options: {evasion.coordinat: {sweeps: 2}}}")
    fixed(desk.assess(system), "evasion.coordinat", "did you mean 'evasion.coordinate'?")


def test_broken_yaml_is_told_with_its_line(desk, system):
    system.line("model:", "model: {path: model.ubj")
    fixed(desk.assess(system), "not YAML", "temper.yaml:")


@pytest.mark.parametrize("content", ["", "- a list", "just words", "\x00\x01", "a: " + "[" * 300])
def test_a_document_that_is_no_system_is_refused(desk, system, content):
    system.config.write_text(content, encoding="utf-8")
    fixed(desk.assess(system), "temper.yaml")


def test_a_target_column_that_is_not_there_is_answered_with_the_nearest_one(desk, system):
    system.edit("target: is_fraud", "target: is_fruad")
    fixed(desk.assess(system), system.at("data:"), "no column 'is_fruad'", "did you mean 'is_fraud'?")


def test_a_table_of_one_class_is_refused(desk, system):
    frame = system.frame()
    system.write(frame[frame.is_fraud == 0].reset_index(drop=True))
    fixed(desk.assess(system), "the test data", "class", "rows of every class")


def test_an_empty_table_is_refused(desk, system):
    system.write(system.frame().iloc[:0])
    fixed(desk.assess(system), "0 row(s)", "test.parquet")


def test_three_rows_are_refused(desk, system):
    system.write(system.frame().iloc[:3])
    fixed(desk.assess(system), "3 row(s)", "at least 10")


def test_a_dozen_rows_are_assessed_and_judged_inconclusive_not_passed(desk, system):
    frame = system.frame()
    few = [*frame.index[frame.is_fraud == 1][:6], *frame.index[frame.is_fraud == 0][:6]]
    system.write(frame.loc[few].reset_index(drop=True)).requires(
        "id: holds, metric: evasion.*.success_rate, at_most: 0.3"
    )
    told = desk.assess(system)
    assert told.code == 3, told.all
    assert "INCONCLUSIVE" in told.out


def test_duplicated_column_names_are_refused(desk, system):
    frame = system.frame()
    text = frame.to_csv(index=False).split("\n", 1)
    (system.path / "test.csv").write_text(text[0].replace("hour", "amount") + "\n" + text[1], encoding="utf-8")
    system.edit("test: test.parquet", "test: test.csv")
    fixed(desk.assess(system), "test.csv", "duplicated columns: amount")


def test_a_category_never_seen_is_named_with_its_row(desk, system):
    frame = system.frame()
    frame["channel"] = frame["channel"].astype(object)
    frame.loc[7, "channel"] = "carrier pigeon"
    system.write(frame)
    fixed(desk.assess(system), "the test data", "'channel'", "row 7", "'carrier pigeon'", "add the category")


def test_text_among_numbers_is_named_with_its_row(desk, system):
    frame = system.frame()
    frame["amount"] = frame["amount"].astype(object)
    frame.loc[5, "amount"] = "12,50"
    frame["amount"] = frame["amount"].astype(str)
    system.write(frame)
    fixed(desk.assess(system), "the test data", "'amount'", "row 5", "'12,50'")


def test_a_missing_label_is_counted(desk, system):
    frame = system.frame()
    frame["is_fraud"] = frame["is_fraud"].astype(float)
    frame.loc[[3, 4], "is_fraud"] = float("nan")
    fixed(desk.assess(system.write(frame)), "2 row(s)", "without a label")


def test_a_file_that_is_no_table_is_refused(desk, system):
    (system.path / "test.parquet").write_bytes(b"PAR1 not really")
    fixed(desk.assess(system), "test.parquet", "parquet")


def test_a_ragged_csv_names_the_row(desk, system):
    text = system.frame().to_csv(index=False).splitlines()
    text[9] += ",surplus"
    (system.path / "test.csv").write_text("\n".join(text), encoding="utf-8")
    system.edit("test: test.parquet", "test: test.csv")
    fixed(desk.assess(system), "data row 9", "quote fields")


def test_a_column_nobody_spoke_of_is_refused(desk, system):
    system.write(system.frame().assign(postcode=1))
    fixed(desk.assess(system), "postcode", "data.drop")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["assess", "--suite", "enormous"], "'enormous'"),
        (["assess", "--engine", "abacus"], "'abacus'"),
        (["assess", "--only", "evasion.nothing"], "evasion.nothing"),
        (["report", "0042"], "0042"),
        (["compare", "0001", "0002"], "0001"),
        (["replay", "F-nothing"], "F-nothing"),
        (["harden"], "last"),
        (["list", "kitchens"], "kitchens"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_what_there_is(desk, system, words, says):
    where = [] if words[0] == "list" else ["-c", system.config]
    message = refused(desk(*words, *where), says)
    assert "\n  fix: " in message


def test_a_command_that_does_not_exist_is_bad_usage(terminal):
    told = terminal("asses")
    assert told.code == 2
    assert "Traceback" not in told.all
    assert "asses" in told.err
