"""What `make run` shows of a server that is there, in the same order and by the same code."""

import pytest

from local.scenarios import WITH_A_SERVER, Scenario, World


@pytest.mark.parametrize("scenario", WITH_A_SERVER, ids=lambda scenario: scenario.title)
def test_the_walk(scenario: Scenario, world: World) -> None:
    scenario.play(world)
