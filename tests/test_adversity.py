"""A Transfer API that is slow, throttled, mistaken or contradicts itself."""

from typing import Any

import pytest
from handler.aws import Aws
from tests.lab import Account

from local.emulator import State

TRANSIENT = [
    {"error": "InternalServiceError"},
    {"error": "ServiceUnavailableException"},
    {"error": "ThrottlingException"},
    {"wire": "close"},
    {"wire": "reset"},
    {"wire": "garbage"},
]
LOST = TRANSIENT[3:]


def name(value: object) -> str:
    return next(iter(value.values())) if isinstance(value, dict) else str(value)


def update(account: Account, desired: str = "OFFLINE", **more: Any) -> dict[str, Any]:
    given = f"{account.server_id}:from-ONLINE"
    return account.send("Update", DesiredState=desired, PhysicalResourceId=given, **more)


def effective(account: Account) -> list[str]:
    """The commands that were carried out."""
    return [
        call.operation
        for call in account.emulator.calls()
        if call.operation in {"StartServer", "StopServer"} and call.carried_out
    ]


@pytest.mark.parametrize(
    ("operation", "like"),
    [
        (operation, like)
        for operation in ("DescribeServer", "StopServer", "*")
        for like in TRANSIENT
        # A 200 to StopServer is a success, whatever its body.
        if operation != "StopServer" or like != {"wire": "garbage"}
    ],
    ids=name,
)
def test_what_passes_slows_a_request_down_and_does_not_fail_it(
    account: Account, operation: str, like: dict[str, Any]
) -> None:
    account.emulator.set(stop_s=60, faults=[like | {"operation": operation, "times": 4}])
    assert update(account)["Status"] == "SUCCESS"
    assert effective(account) == ["StopServer"]


@pytest.mark.parametrize("like", TRANSIENT, ids=name)
def test_what_does_not_pass_fails_at_the_deadline_with_its_name(
    account: Account, like: dict[str, Any]
) -> None:
    account.emulator.set(faults=[like | {"operation": "DescribeServer", "times": None}])
    began_s = account.clock.now()
    answer = update(account, ServiceTimeout="300")
    assert answer["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(240, abs=1)
    assert answer["Reason"].startswith(
        f"{account.server_id} is in an unknown state, wanted OFFLINE, 240 s: transfer:Describe"
    )
    assert like.get("error", "Error") in answer["Reason"]
    assert len(account.operations) < 250


def test_throttling_that_names_its_time_is_believed(account: Account) -> None:
    throttled = {"operation": "DescribeServer", "error": "ThrottlingException"}
    account.emulator.set(faults=[throttled | {"retry_after_s": "40", "times": 1, "skip": 1}])
    account.emulator.set(stop_s=100)
    assert update(account)["Status"] == "SUCCESS"
    assert 40 <= max(account.clock.slept_s) <= 50


@pytest.mark.parametrize("nonsense", ["", "soon", "-1", "NaN", "1e99", "٣"])
def test_a_nonsensical_retry_after_is_no_reason_to_fail(account: Account, nonsense: str) -> None:
    throttled = {"operation": "*", "error": "ThrottlingException", "retry_after_s": nonsense}
    account.emulator.set(faults=[throttled | {"times": 3}])
    began_s = account.clock.now()
    assert update(account)["Status"] == "SUCCESS"
    assert account.clock.now() - began_s < 60


@pytest.mark.parametrize("like", LOST, ids=name)
def test_a_command_whose_answer_was_lost_is_not_given_twice(
    account: Account, like: dict[str, Any]
) -> None:
    lost = like | {"operation": "StopServer", "carried_out": True}
    account.emulator.set(stop_s=60, read_lag_s=10, faults=[lost])
    assert update(account)["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("like", LOST, ids=name)
def test_a_lost_command_that_failed_is_a_failure(account: Account, like: dict[str, Any]) -> None:
    lost = like | {"operation": "StopServer", "carried_out": True}
    account.emulator.set(stop_s=60, stop_failures=1, faults=[lost])
    answer = update(account)
    assert (answer["Status"], account.commands) == ("FAILED", ["StopServer"])
    assert "STOP_FAILED" in answer["Reason"]


def test_a_command_that_never_arrived_is_given_after_a_grace(account: Account) -> None:
    account.emulator.set(stop_s=60, faults=[{"operation": "StopServer", "wire": "close"}])
    began_s = account.clock.now()
    assert update(account)["Status"] == "SUCCESS"
    assert account.commands == ["StopServer", "StopServer"]
    assert 75 <= account.clock.now() - began_s < 85


@pytest.mark.parametrize("command_in_transition", ["lenient", "strict"])
@pytest.mark.parametrize("lag_s", [0, 10])
def test_somebody_else_s_same_command_is_as_good_as_ours(
    account: Account, command_in_transition: str, lag_s: float
) -> None:
    account.emulator.set(stop_s=60, read_lag_s=lag_s, command_in_transition=command_in_transition)
    account.transfer.stop_server(ServerId=account.server_id)
    assert update(account)["Status"] == "SUCCESS"
    assert account.state is State.OFFLINE


def test_a_refused_command_fails_with_aws_s_own_words_after_a_grace(account: Account) -> None:
    refused = {"operation": "StopServer", "error": "InvalidRequestException"}
    account.emulator.set(faults=[refused | {"message": "Not\nthis  one.", "times": None}])
    began_s = account.clock.now()
    answer = update(account)
    assert answer["Status"] == "FAILED"
    assert "transfer:StopServer: InvalidRequestException: Not this one." in answer["Reason"]
    assert answer["Reason"].endswith("Mend what AWS names, then deploy again.")
    assert 15 <= account.clock.now() - began_s < 20
    assert account.commands == ["StopServer"]


def test_a_missing_permission_fails_at_once_with_its_name(account: Account) -> None:
    for action in ("DescribeServer", "StopServer"):
        denied = {"operation": action, "error": "AccessDeniedException", "status": 400}
        account.emulator.set(faults=[denied])
        began_s = account.clock.now()
        answer = update(account)
        assert answer["Status"] == "FAILED"
        assert f": transfer:{action}. Allow it in the provider's role" in answer["Reason"]
        assert account.clock.now() == began_s


def test_a_server_deleted_meanwhile_is_told(account: Account) -> None:
    account.emulator.set(stop_s=60)
    account.invoke(account.request("Create", DesiredState="OFFLINE"))
    account.transfer.delete_server(ServerId=account.server_id)
    account.invoke(account.lambda_.queue.popleft())
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "ResourceNotFoundException" in answer["Reason"]


def test_a_server_started_again_meanwhile_is_not_stopped_a_second_time(account: Account) -> None:
    """Two who disagree would fight for an hour."""
    account.emulator.set(stop_s=20, read_lag_s=5)

    def interfere(seconds: float) -> None:
        account.clock.sleep(seconds)
        if account.state is State.OFFLINE:
            account.transfer.start_server(ServerId=account.server_id)

    given = f"{account.server_id}:from-ONLINE"
    event = account.request(
        "Update", DesiredState="OFFLINE", PhysicalResourceId=given, ServiceTimeout="120"
    )
    account.invoke(event, account.new_provider(sleep=interfere))
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "is ONLINE, wanted OFFLINE, after StopServer, 90 s" in answer["Reason"]
    assert account.commands.count("StopServer") == 1


@pytest.mark.parametrize(
    "answer", [{}, {"Server": None}, {"Server": {"State": "PAUSED", "Arn": ""}}]
)
def test_an_answer_that_is_not_understood_is_not_taken_for_a_state(
    account: Account, answer: dict[str, Any]
) -> None:
    class Strange:
        def describe_server(self, **_: str) -> dict[str, Any]:
            return answer

    account.transfer.close()
    account.transfer = Strange()
    account.provider = account.new_provider()
    told = update(account, ServiceTimeout="60")
    assert told["Status"] == "FAILED"
    assert "an answer that is not understood" in told["Reason"]
    account.transfer.close = lambda: None


def test_an_endpoint_that_refuses_connections_slows_a_request_down(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the client that the function makes for itself."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_TRANSFER", "http://127.0.0.1:9")
    provider = account.new_provider(aws=Aws())
    given = f"{account.server_id}:from-ONLINE"
    event = account.request(
        "Update", DesiredState="OFFLINE", PhysicalResourceId=given, ServiceTimeout="60"
    )
    account.invoke(event, provider)
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert "45 s: transfer:DescribeServer: EndpointConnectionError. Deploy" in answer["Reason"]


def test_a_client_that_cannot_be_made_fails_at_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    event = account.request("Create", DesiredState="OFFLINE")
    account.invoke(event, account.new_provider(aws=Aws()))
    (answer,) = account.store.answers
    assert "transfer:DescribeServer: You must specify a region" in answer["Reason"]
