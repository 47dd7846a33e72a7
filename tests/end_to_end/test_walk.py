"""What `make run` shows, asserted in the same order by the same code."""

import pytest

from local.scenarios import SCENARIOS, Scenario, World


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_the_walk(scenario: Scenario, world: World) -> None:
    scenario.play(world)
