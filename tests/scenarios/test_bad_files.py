"""What a user gets wrong in files: every mistake is one sentence with the way out, and nothing is lost."""

import pytest

from scenarios.story import fixed


def test_a_missing_temper_yaml_names_init(desk):
    fixed(desk("assess"), "temper.yaml", "temper init")


def test_a_missing_model_file_is_named_with_its_line(desk, system):
    (system.path / "model.ubj").unlink()
    fixed(desk.assess(system), "temper.yaml:7", "model.ubj", "relative to the temper.yaml")


@pytest.mark.parametrize("part", ["test", "train"])
def test_a_missing_data_file_is_named_with_its_line(desk, system, part):
    (system.path / f"{part}.parquet").unlink()
    fixed(desk.assess(system), "temper.yaml:8", f"{part}.parquet", "does not exist")
