"""Fixtures for all tests: no test reaches AWS, or sleeps."""

from collections.abc import Iterator

import pytest

from local.emulator import Emulator
from tests.fakes.account import REGION, TABLE, Account
from tests.fakes.clock import Clock
from tests.fakes.response_store import ResponseStore


@pytest.fixture(autouse=True)
def _nobody_s_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("REGISTRY_TABLE", TABLE)


@pytest.fixture
def account() -> Iterator[Account]:
    clock = Clock()
    with Emulator(now=clock.now, sleep=clock.sleep) as emulator, ResponseStore() as store:
        account = Account(emulator, store, clock)
        yield account
        account.transfer.close()
