"""An engine with the provider deployed, for all of this folder's files that a worker runs.

They share its account: what a file leaves there, the next one finds.
"""

from collections.abc import Iterator

import pytest

from local import provider_stack
from local.engine import Engine, running
from local.scenarios import World

# The longest files.
FIRST = [
    "test_walk.py",
    "test_permissions.py",
    "test_examples.py",
    "test_plan.py",
    "test_server_resource.py",
    "test_deployment.py",
    "test_walk_with_its_own.py",
    "test_leaves_nothing.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it in the end."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with running() as engine:
        provider_stack.deploy(engine, Hook="WARN", Terraform="ON")
        yield engine


@pytest.fixture(scope="module")
def world(engine: Engine) -> World:
    """A server that starts and stops at once, and no stacks yet."""
    world = World(engine, audience=lambda _: None)
    world.open(transition_s=0)
    return world
