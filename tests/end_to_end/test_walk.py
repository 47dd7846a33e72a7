"""What `make run` shows, asserted in the same order by the same code."""

from collections.abc import Callable

import pytest

from local.scenarios import SCENARIOS, World


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_walk(scenario: Callable[[World], None], world: World) -> None:
    scenario(world)
