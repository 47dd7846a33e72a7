"""An emulator on a clock of the test's, and boto3 clients for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.emulator import Emulator, SftpEndpoints
from tests.emulator.process import Start, starting
from tests.emulator.raw import Wire
from tests.emulator.sftp_lab import Account
from tests.fakes.account import REGION
from tests.fakes.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    with Emulator(now=clock.now, sleep=clock.sleep) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session("test", "test", region_name=REGION)


@pytest.fixture
def connect(emulator: Emulator, session: boto3.Session) -> Iterator[Callable[..., Any]]:
    """Make boto3 clients, which do not retry."""
    clients = []
    config = Config(retries={"total_max_attempts": 1})

    def connect(**options: Any) -> Any:
        client = session.client("transfer", endpoint_url=emulator.url, config=config, **options)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def transfer(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
def server_id(transfer: Any) -> str:
    created: str = transfer.create_server()["ServerId"]
    return created


@pytest.fixture
def state(transfer: Any, server_id: str) -> Callable[[], str]:
    """Read the server's state over the API."""
    return lambda: str(transfer.describe_server(ServerId=server_id)["Server"]["State"])


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    wire = Wire(emulator.url)
    yield wire
    wire.close()


@pytest.fixture
def account(emulator: Emulator, transfer: Any, clock: Clock, tmp_path: Path) -> Iterator[Account]:
    """Give servers with SFTP endpoints; there is one with the user alice."""
    with SftpEndpoints(emulator, files=tmp_path / "files") as endpoints:
        account = Account(emulator, endpoints, transfer, clock)
        account.create()
        yield account


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start
