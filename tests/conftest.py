"""Fixtures for all tests: no test reaches AWS, or sleeps."""

from collections.abc import Iterator

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
def account() -> Iterator[Account]:
    with Account().open() as account:
        yield account


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits most."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)
