"""Fixtures for all tests: no test reaches AWS, or sleeps."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
from tests.lab import REGION, Account, Clock, ResponseStore


@pytest.fixture(autouse=True)
def _nobody_s_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def account() -> Iterator[Account]:
    clock = Clock()
    with Emulator(now=clock.now, sleep=clock.sleep) as emulator, ResponseStore() as store:
        account = Account(emulator, store, clock)
        yield account
        account.transfer.close()
