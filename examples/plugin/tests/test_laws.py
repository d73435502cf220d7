"""Every plugin of this package keeps Temper's public laws of its room."""

import pytest
from temper_example.ceiling import Ceiling
from temper_example.crossover import Crossover
from temper_example.doubt import Doubt
from temper_example.far import Far

from temper.testing import attack, detector, plugin, serving


@pytest.mark.parametrize("law", [*plugin.LAWS, *attack.LAWS], ids=lambda law: law.__name__)
def test_the_attack_keeps(law):
    law(Crossover)


@pytest.mark.parametrize("law", plugin.LAWS, ids=lambda law: law.__name__)
def test_the_detector_keeps(law):
    law(Far)


@pytest.mark.parametrize("law", detector.LAWS, ids=lambda law: law.__name__)
def test_the_detector_keeps_on_rows(law):
    law(Far, detector.rows_of_a_table())


@pytest.mark.parametrize("stage", [Ceiling, Doubt], ids=["before the model", "after it"])
@pytest.mark.parametrize("law", serving.LAWS, ids=lambda law: law.__name__)
def test_the_stages_keep(law, stage):
    profile = serving.profile()
    law(stage(profile=profile, column=profile.columns[0], above=1e6))
