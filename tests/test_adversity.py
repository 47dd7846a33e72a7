"""A Transfer API that lags, loses answers, and has other people at work on the same server."""

from typing import Any

import pytest

from local.emulator import State
from tests.fakes.faults import Fault, Plan, lost
from tests.fakes.faulty_account import FaultyAccount
from transfer_server_state.aws.client import Aws

LOST = [fault for fault in lost("StopServer") if not fault.status]


def create(account: FaultyAccount, **more: Any) -> dict[str, Any]:
    return account.send("Create", DesiredState="OFFLINE", **more)


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_command_whose_answer_was_lost_is_not_given_twice_though_reads_lag(fault: Fault) -> None:
    account = FaultyAccount(Plan("StopServer", fault))
    account.transfer.set(stop_s=60, read_lag_s=10)
    assert create(account)["Status"] == "SUCCESS"
    assert account.calls.count("StopServer") == 1


def test_a_lost_command_that_failed_is_a_failure() -> None:
    account = FaultyAccount(Plan("StopServer", LOST[0]))
    account.transfer.set(stop_s=60, stop_failures=1)
    answer = create(account)
    assert (answer["Status"], account.calls.count("StopServer")) == ("FAILED", 1)
    assert "STOP_FAILED" in answer["Reason"]


def test_a_command_that_may_have_arrived_is_given_again_after_the_quiet_time_alone() -> None:
    account = FaultyAccount(Plan("StopServer", Fault("reset")))
    account.transfer.set(stop_s=60)
    began_s = account.clock.now()
    assert create(account)["Status"] == "SUCCESS"
    assert account.calls.count("StopServer") == 2
    assert account.clock.now() - began_s >= 25 + 60


@pytest.mark.parametrize("command_in_transition", ["lenient", "strict"])
@pytest.mark.parametrize("lag_s", [0, 10])
def test_somebody_else_s_same_command_is_as_good_as_ours(
    command_in_transition: str, lag_s: float
) -> None:
    account = FaultyAccount()
    account.transfer.set(stop_s=60, read_lag_s=lag_s, command_in_transition=command_in_transition)
    account.command("StopServer")
    assert create(account)["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE


def test_a_client_that_cannot_be_made_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    account = FaultyAccount()
    account.start(Aws())
    answer = create(account, ServiceTimeout="60")
    assert answer["Status"] == "FAILED"
    assert "dynamodb:GetItem: You must specify a region" in answer["Reason"]
