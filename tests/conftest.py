"""Fixtures for all tests: no test reaches AWS, or sleeps."""

import gc

import pytest

from tests.fakes.account import REGION, TABLE, Account


@pytest.fixture(autouse=True)
def _nobody_s_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("REGISTRY_TABLE", TABLE)


@pytest.fixture
def account() -> Account:
    return Account()


# The longest files; of these first what waits more than it computes.
FIRST = [
    "test_walk.py",
    "test_permissions.py",
    "test_examples.py",
    "test_plan.py",
    "test_faults.py",
    "test_simulation.py",
    "test_server_resource.py",
    "test_deployment.py",
    "test_walk_with_its_own.py",
    "test_leaves_nothing.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it in the end."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what will be there until the end."""
    gc.freeze()
