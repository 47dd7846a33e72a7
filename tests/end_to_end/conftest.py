"""An engine for each file of this folder, with the provider deployed; no file meets another's."""

from collections.abc import Iterator

import pytest

from local import provider_stack
from local.engine import Engine, running
from local.scenarios import World


@pytest.fixture(scope="module")
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
