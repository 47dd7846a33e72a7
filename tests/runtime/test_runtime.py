"""The provider's package keeps its promises under AWS's own Lambda runtime client."""

import json
from typing import Any

import pytest

from local.emulator import Fault, State
from tests.runtime.cloudformation import FUNCTION, SECRET, STACK
from tests.runtime.deployed import PATIENCE_S, Deployed
from tests.runtime.runtime_api import FunctionError

pytest.importorskip(
    "awslambdaric",
    reason="awslambdaric is not installed: it has wheels for Linux on x86_64 and aarch64 only",
)


def test_a_request_is_carried_out_and_answered_at_its_response_url(deployed: Deployed) -> None:
    deployed.start()
    event = deployed.request("Create", DesiredState="OFFLINE")
    deployed.settle(event)
    assert deployed.emulator.states() == {deployed.server_id: State.OFFLINE}
    answer = deployed.store.answers.get_nowait()
    assert (answer["Status"], answer["RequestId"]) == ("SUCCESS", event["RequestId"])
    assert answer["PhysicalResourceId"] == f"{deployed.server_id}:from-ONLINE"
    assert deployed.store.answers.empty()


def test_a_package_that_lacks_a_module_is_an_init_error(deployed: Deployed) -> None:
    damaged = deployed.folder / "damaged"
    damaged.mkdir()
    for path in deployed.package.iterdir():
        if path.name != "crhelper":
            (damaged / path.name).symlink_to(path)
    deployed.start(damaged)
    error = deployed.runtime_api.init_error.result(PATIENCE_S)
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'crhelper'" in error["errorMessage"]


def test_an_event_that_is_no_request_is_an_error_of_the_function_which_goes_on(
    deployed: Deployed,
) -> None:
    deployed.start()
    for event in (None, "nonsense", {"RequestType": "Create"}):
        with pytest.raises(FunctionError, match="no custom-resource request") as caught:
            deployed.invoke(event)
        assert caught.value.payload["errorType"] == "NotARequestError"
    deployed.invoke(deployed.request("Create", DesiredState="ONLINE"))
    assert deployed.store.answers.get_nowait()["Status"] == "SUCCESS"


def test_a_request_that_outlives_its_invocation_is_answered_by_the_next(deployed: Deployed) -> None:
    # Once its command is given it is throttled, and so has to wait longer than it may.
    throttled = Fault("DescribeServer", "ThrottlingException", skip=1, times=None)
    deployed.emulator.set(stop_s=3600, faults=[throttled])
    given = f"{deployed.server_id}:from-ONLINE"
    event = deployed.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    deployed.start()
    deployed.invoke(event, remaining_s=12)
    (invoked,) = deployed.aws.invoked
    assert (invoked.function, invoked.invocation_type) == (FUNCTION, "Event")
    assert invoked.event == invoked.event | event
    assert deployed.store.answers.empty()
    deployed.emulator.set(faults=None)
    deployed.emulator.put(deployed.server_id, State.OFFLINE)
    deployed.invoke(invoked.event)
    answer = deployed.store.answers.get_nowait()
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", given)
    assert deployed.commands == ["StopServer"]


def test_a_request_whose_invocation_hangs_is_answered_before_its_time_is_up(
    deployed: Deployed,
) -> None:
    deployed.emulator.set(faults=[Fault("DescribeServer", delay_s=3600)])
    given = f"{deployed.server_id}:from-ONLINE"
    event = deployed.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    function = deployed.start()
    hanging = deployed.runtime_api.invoke(event, remaining_s=1.5)
    answer = deployed.store.answers.get(timeout=PATIENCE_S)
    assert not hanging.result.done()
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", given)
    assert "timed out" in answer["Reason"]
    assert SECRET not in function.log


def told(event: dict[str, Any]) -> dict[str, Any]:
    """What the log line of a request for a server that is as declared says, among other things."""
    return {
        "request": "Create",
        "stack": STACK,
        "resource": "State",
        "request_id": event["RequestId"],
        "server": event["ResourceProperties"]["ServerId"],
        "status": "SUCCESS",
        "outcome": "done",
        "delivered": True,
    }


def test_in_json_format_the_log_line_of_a_request_has_its_fields_at_the_top(
    deployed: Deployed,
) -> None:
    function = deployed.start(AWS_LAMBDA_LOG_FORMAT="JSON")
    event = deployed.request("Create", DesiredState="ONLINE")
    invocation = deployed.invoke(event)
    (line,) = [json.loads(line) for line in function.log.splitlines()]
    assert line == line | told(event) | {"level": "INFO", "requestId": invocation.id}


def test_the_guard_measures_where_cloudwatch_looks_for_it(deployed: Deployed) -> None:
    """In the embedded format, whose directive has to stand at the top of a line of the log."""
    function = deployed.start(handler="handler.guard.handler", AWS_LAMBDA_LOG_FORMAT="JSON")
    deployed.invoke({"source": "aws.events", "detail": {}})
    # With the format comes a level at which botocore speaks, too.
    (line,) = [line for line in map(json.loads, function.log.splitlines()) if "_aws" in line]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in directive["Metrics"]} <= line.keys()
    assert (line["Drifted"], line["RestorationsOwed"]) == (0, 0)


def test_terraform_gets_the_attributes_or_the_reason_with_one_line_of_trace(
    deployed: Deployed,
) -> None:
    deployed.start(handler="handler.terraform.handler")
    declared = {"ServerId": deployed.server_id, "Owner": "files", "DesiredState": "OFFLINE"}
    result = deployed.invoke(declared).result.result(0)
    assert (result["State"], result["PreviousState"]) == ("OFFLINE", "ONLINE")
    with pytest.raises(FunctionError, match="so terraform/other may not") as caught:
        deployed.invoke({**declared, "Owner": "other"})
    payload: dict[str, Any] = dict(caught.value.payload)
    assert payload["errorType"] == "TransferServerStateError"
    assert len(payload["stackTrace"]) == 1


def test_in_text_format_the_log_line_of_a_request_is_json_behind_level_time_and_id(
    deployed: Deployed,
) -> None:
    function = deployed.start()
    event = deployed.request("Create", DesiredState="ONLINE")
    invocation = deployed.invoke(event)
    (line,) = function.log.splitlines()
    level, _, invocation_id, message = line.split("\t")
    assert (level, invocation_id) == ("[INFO]", invocation.id)
    fields = json.loads(message)
    assert fields == fields | told(event)


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_no_log_shows_the_signature_of_a_response_url_that_does_not_take_its_answer(
    deployed: Deployed, log_format: str
) -> None:
    """What fails tends to say at which URL; and on DEBUG, what was asked."""
    deployed.store.statuses.extend([0, 403])
    function = deployed.start(AWS_LAMBDA_LOG_FORMAT=log_format, AWS_LAMBDA_LOG_LEVEL="DEBUG")
    event = deployed.request("Create", DesiredState="ONLINE")
    with pytest.raises(FunctionError, match="did not take the answer: HTTP 403") as caught:
        deployed.invoke(event)
    shown = function.log + json.dumps(caught.value.payload)
    assert event["RequestId"] in shown
    assert SECRET not in shown
    assert "X-Amz-" not in shown
