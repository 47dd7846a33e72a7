"""The provider's package, built once; for each test what it talks to, and no process yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import provider_stack
from tests.runtime.deployed import Deployed, deployed
from tests.runtime.function import bring


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return provider_stack.build(tmp_path_factory.mktemp("build") / "package")


@pytest.fixture(scope="session")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bring(tmp_path_factory.mktemp("brought"))


@pytest.fixture(name="deployed")
def _deployed(package: Path, brought: Path, tmp_path: Path) -> Iterator[Deployed]:
    with deployed(package, brought, tmp_path) as opened:
        yield opened
