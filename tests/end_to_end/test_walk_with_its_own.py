"""What `make run` shows of a server that its own stack declares, by the same code."""

import pytest

from local.scenarios import WITH_ITS_OWN, Scenario, World


@pytest.mark.parametrize("scenario", WITH_ITS_OWN, ids=lambda scenario: scenario.title)
def test_the_walk_goes_on(scenario: Scenario, world: World) -> None:
    scenario.play(world)
