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


def pytest_collection_finish() -> None:
    """Spare the garbage collector what will be there until the end."""
    gc.freeze()
