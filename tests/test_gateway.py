"""The gateway changes nothing of what passes it: not an answer, and not the want of one."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.emulator import Emulator
from local.iam_gateway import Call, Gateway

NOT_THERE = "s-00000000000000000"


@pytest.fixture
def engine() -> Iterator[Emulator]:
    """It has Transfer servers of its own, as the engine does, and denies what it is told to."""
    with Emulator() as engine:
        yield engine


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def gateway(engine: Emulator, emulator: Emulator) -> Iterator[Gateway]:
    with Gateway(engine.url, emulator.url) as gateway:
        yield gateway


@pytest.fixture
def transfer(gateway: Gateway) -> Iterator[Any]:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "transfer", endpoint_url=gateway.url, region_name="eu-west-1", config=once
    )
    yield client
    client.close()


def test_a_transfer_call_that_the_engine_allows_is_answered_by_the_emulator(
    gateway: Gateway, transfer: Any, engine: Emulator, emulator: Emulator
) -> None:
    server_id = transfer.create_server()["ServerId"]
    assert server_id in emulator.states()
    assert server_id not in engine.states()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        transfer.describe_server(ServerId=NOT_THERE)
    assert gateway.calls == [
        Call("transfer:CreateServer", denied=False),
        Call("transfer:DescribeServer", denied=False),
    ]


def test_a_transfer_call_that_the_engine_denies_does_not_reach_the_emulator(
    gateway: Gateway, transfer: Any, engine: Emulator, emulator: Emulator
) -> None:
    denial = {"operation": "CreateServer", "error": "AccessDeniedException", "status": 403}
    engine.set(faults=[denial])
    with pytest.raises(ClientError, match="AccessDeniedException"):
        transfer.create_server()
    assert emulator.calls() == []
    assert gateway.calls == [Call("transfer:CreateServer", denied=True)]


@pytest.mark.usefixtures("gateway")
def test_a_connection_that_breaks_behind_it_breaks_before_it(
    transfer: Any, emulator: Emulator
) -> None:
    emulator.set(faults=[{"operation": "CreateServer", "wire": "close"}])
    with pytest.raises(ConnectionClosedError):
        transfer.create_server()
    assert transfer.create_server()["ServerId"] in emulator.states()
