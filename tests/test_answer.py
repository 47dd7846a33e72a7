"""One answer a request, whatever goes wrong: through crhelper, to the ResponseURL."""

import inspect
import json
import logging
import threading
from contextlib import suppress
from typing import Any

import crhelper
import pytest

from handler import delivery
from handler.cloudformation import NotARequestError, Provider
from handler.delivery import DeliveryError
from tests.fakes.account import FUNCTION, NO_SERVER, Account, Context
from tests.fakes.response_store import HttpResponseStore
from transfer_server_state import __version__
from transfer_server_state.aws.client import Aws

SIGNATURE = "presigned-secret"


def test_the_answer_has_the_request_s_ids_and_an_empty_content_type(account: Account) -> None:
    """Over a real socket, so that the headers are those that a presigned URL demands."""
    event = account.request("Create", DesiredState="ONLINE")
    with HttpResponseStore() as store:
        event["ResponseURL"] = f"{store.url}/answer?X-Amz-Signature={SIGNATURE}"
        account.invoke(event, account.new_provider(put=delivery.put))
    ((path, body),) = store.puts
    assert path == f"/answer?X-Amz-Signature={SIGNATURE}"
    assert {name.lower(): value for name, value in store.headers[0].items()}["content-type"] == ""
    assert len(body) <= 4096
    answer = json.loads(body)
    assert answer.keys() == {
        *("Status", "Reason", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"),
        *("Data", "NoEcho"),
    }
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]


class Exploding(Aws):
    """AWS clients that cannot even be made."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(self._explode)
        self.error = error

    def _explode(self, _: str) -> None:
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError(""), ValueError(), SystemExit(1)])
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_whatever_is_raised_is_answered_with_a_reason_and_the_id(
    account: Account, caplog: pytest.LogCaptureFixture, request_type: str, error: BaseException
) -> None:
    given = f"{account.server_id}:from-ONLINE"
    event = account.request(request_type, DesiredState="OFFLINE", PhysicalResourceId=given)
    if request_type == "Create":
        del event["PhysicalResourceId"]
    account.invoke(event, account.new_provider(aws=Exploding(error)))
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"The provider failed: {type(error).__name__}")
    assert answer["PhysicalResourceId"] == event.get("PhysicalResourceId", "not-created")
    assert "Traceback" in caplog.text


def test_a_failure_of_the_provider_is_told_short_and_on_one_line(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    words = "so\n it \x1b[31m" + "w" * 300
    exploding = Exploding(RuntimeError(words))
    event = account.request("Create", DesiredState="OFFLINE")
    account.invoke(event, account.new_provider(aws=exploding))
    (answer,) = account.store.answers
    assert answer["Reason"].startswith("The provider failed: RuntimeError: so it [31mwww")
    assert "www. See its log, then deploy or delete again. [" in answer["Reason"]
    assert answer["Reason"].isprintable()
    assert len(answer["Reason"]) <= 256
    assert answer["Data"] == {}
    (line,) = [json.loads(r.message) for r in caplog.records if r.message.startswith("{")]
    assert (line["outcome"], line["status"]) == ("crashed", "FAILED")
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["The provider failed"]


def test_an_invalid_declaration_has_its_own_outcome(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.send("Create", DesiredState="x")
    (line,) = [json.loads(r.message) for r in caplog.records if r.message.startswith("{")]
    assert (line["outcome"], line["status"]) == ("invalid", "FAILED")


def test_nothing_of_one_request_is_in_the_answer_to_the_next_of_a_warm_function(
    account: Account,
) -> None:
    warm = account.new_provider()
    account.invoke(account.request("Create", DesiredState="ONLINE"), warm)
    account.invoke(account.request("Create", DesiredState="x"), warm)
    account.clock.sleep(1)
    account.invoke(account.request("Create", DesiredState="ONLINE"), warm)
    made, refused, made_again = account.store.answers
    assert [a["Status"] for a in account.store.answers] == ["SUCCESS", "FAILED", "SUCCESS"]
    assert (refused["Data"], refused["PhysicalResourceId"]) == ({}, "not-created")
    assert made["Data"] == made_again["Data"]


class Hanging(Aws):
    """AWS that does not return before the answer was sent: crhelper's timer is real."""

    def __init__(self, answered: threading.Event) -> None:
        super().__init__(self._hang)
        self.answered = answered

    def _hang(self, _: str) -> None:
        assert self.answered.wait(timeout=60)
        raise RuntimeError


def test_a_function_that_hangs_answers_just_before_its_end_with_the_id_and_only_then(
    account: Account,
) -> None:
    answered = threading.Event()

    def put(url: str, body: bytes) -> int:
        status = account.store.put(url, body)
        answered.set()
        return status

    given = f"{account.server_id}:from-ONLINE"
    event = account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    account.timeout_s = 0.55
    account.invoke(event, account.new_provider(aws=Hanging(answered), put=put))
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("The provider failed: Execution timed out")
    assert answer["PhysicalResourceId"] == given


def test_an_invocation_that_is_accepted_after_the_answer_is_no_second_one(
    account: Account,
) -> None:
    answered = threading.Event()

    def put(url: str, body: bytes) -> int:
        status = account.store.put(url, body)
        answered.set()
        return status

    def wait() -> None:
        assert answered.wait(60)

    account.emulator.set(stop_s=60)
    account.border.before("Invoke", wait)
    account.timeout_s = 0.55
    account.invoke(account.request("Create", DesiredState="OFFLINE"), account.new_provider(put=put))
    (answer,) = account.store.answers
    assert answer["Reason"].startswith("The provider failed: Execution timed out")
    assert len(account.lambda_.queue) == 1


# What cannot be answered


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "Create",
        {},
        {"RequestType": "Create"},
        {"source": "aws.events", "detail": {}},
    ],
    ids=str,
)
def test_an_event_that_is_no_request_is_refused_without_a_put(
    account: Account, event: object
) -> None:
    with pytest.raises(NotARequestError, match="no custom-resource request"):
        account.invoke(event)
    assert account.store.puts == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"RequestType": "Read"}, "RequestType: expected one of Create, Update, Delete"),
        ({"RequestType": ["Create"]}, "RequestType"),
        ({"StackId": ""}, "StackId: missing"),
        ({"RequestId": None}, "RequestId: missing"),
        ({"LogicalResourceId": 7}, "LogicalResourceId: missing"),
        ({"ResponseURL": ""}, "ResponseURL: missing"),
        (
            {"ResponseURL": "http://example.com/"},
            "ResponseURL: http to example.com, expected https",
        ),
        ({"ResponseURL": "ftp://127.0.0.1/"}, "ResponseURL: ftp to 127.0.0.1, expected https"),
        ({"ResponseURL": "https://127.0.0.1/a b"}, "ResponseURL: not a URL that can be written to"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_answered_is_refused_without_a_call_and_says_why(
    account: Account, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(NotARequestError, match=told):
        account.invoke(account.request("Create", DesiredState="OFFLINE") | change)
    assert (account.store.puts, account.border.calls) == ([], [])


@pytest.mark.parametrize("properties", [None, [], "x", 7])
def test_properties_that_are_no_map_are_an_invalid_declaration(
    account: Account, properties: object
) -> None:
    event = account.request("Create") | {"ResourceProperties": properties}
    answer = account.settle(event)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("ServiceToken: missing")


def test_an_update_without_an_id_is_answered_with_one(account: Account) -> None:
    event = account.request("Update", DesiredState="x") | {"PhysicalResourceId": 7}
    assert account.settle(event)["PhysicalResourceId"] == "not-created"


def test_the_keys_of_crhelper_s_polling_change_nothing(account: Account) -> None:
    """Or no function of ours would be called."""
    event = account.request("Create", DesiredState="OFFLINE")
    answer = account.settle(event | {"CrHelperPoll": 1, "CrHelperData": {"State": "x"}})
    assert (answer["Status"], answer["Data"]["State"]) == ("SUCCESS", "OFFLINE")


# How it arrives


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_passing_failure_of_the_response_store_is_tried_again(
    account: Account, status: int
) -> None:
    account.store.statuses.extend([status, status])
    account.invoke(account.request("Create", DesiredState="ONLINE"))
    assert len(account.store.puts) == 3
    assert len(set(account.store.puts)) == 1
    assert account.clock.slept_s == [1, 2]


def test_an_answer_that_never_arrives_raises_so_that_lambda_tries_again(account: Account) -> None:
    account.store.statuses.extend([503] * 5)
    with pytest.raises(DeliveryError, match=r"did not take the answer: HTTP 503$"):
        account.invoke(account.request("Create", DesiredState="ONLINE"))
    assert len(account.store.puts) == 5
    assert account.clock.slept_s == [1, 2, 4, 8]


@pytest.mark.parametrize("status", [400, 403, 404, 301])
def test_a_permanent_refusal_is_given_up_at_once(account: Account, status: int) -> None:
    account.store.statuses.append(status)
    with pytest.raises(DeliveryError, match=f"HTTP {status}"):
        account.invoke(account.request("Create", DesiredState="ONLINE"))
    assert len(account.store.puts) == 1


def test_an_answer_never_takes_more_than_4096_bytes(account: Account) -> None:
    event = account.request("Create", DesiredState="x", **{"ü" * 50 + str(n): 1 for n in range(60)})
    event["LogicalResourceId"] = "L" * 255
    answer = account.settle(event)
    ((_, body),) = account.store.puts
    assert 2000 < len(body) <= 4096
    assert answer["LogicalResourceId"] == event["LogicalResourceId"]
    assert answer["Reason"].startswith("DesiredState: 'x', expected ONLINE or OFFLINE")


def test_ids_that_leave_no_room_for_an_answer_raise(account: Account) -> None:
    event = account.request("Create", DesiredState="ONLINE") | {"StackId": "s" * 5000}
    with pytest.raises(DeliveryError, match="bytes, of 4096 allowed"):
        account.invoke(event)
    assert account.store.puts == []


# What the log says


MEASURED = {"Requests", "Failed", "WaitedSeconds"}


def test_the_reason_of_a_failure_ends_with_the_id_of_its_line_in_the_log(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it was that failed, and of no other request."""
    ids = set()
    for properties in ({"DesiredState": "x"}, {"ServerId": NO_SERVER, "DesiredState": "ONLINE"}):
        caplog.clear()
        answer = account.send("Create", **properties)
        line = json.loads(caplog.messages[-1])
        assert answer["Reason"].endswith(f" [{line['id']}]")
        assert (line["Failed"], len(line["id"])) == (1, 8)
        ids.add(line["id"])
    assert len(ids) == 2


def test_each_request_ends_in_one_log_line_for_insights(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.emulator.set(stop_s=10)
    event = account.request("Create", DesiredState="OFFLINE")
    account.settle(event)
    (record,) = [r for r in caplog.records if r.message.startswith("{")]
    line = json.loads(record.message)
    # Where Lambda's log is JSON, each is a field of its own.
    assert line.items() <= vars(record).items()
    assert line.pop("reason").startswith(f"{account.server_id} is OFFLINE, after StopServer, ")
    assert line.pop("waited_s") == pytest.approx(11, abs=2)
    assert line.pop("polls") > 5
    directive = line.pop("_aws")["CloudWatchMetrics"][0]
    assert directive["Dimensions"] == [[], ["outcome"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == MEASURED
    assert line.pop("WaitedSeconds") == pytest.approx(11, abs=2)
    assert line == {
        "id": account.row.request[:8],
        "version": __version__,
        "invocation": "lambda-request",
        "Requests": 1,
        "Failed": 0,
        "request": "Create",
        "stack": event["StackId"],
        "resource": "State",
        "request_id": event["RequestId"],
        "server": account.server_id,
        "status": "SUCCESS",
        "outcome": "done",
        "desired": "OFFLINE",
        "previous": "ONLINE",
        "final": "OFFLINE",
        "command": "StopServer",
        "delivered": True,
    }


@pytest.mark.parametrize("status", [200, 403, 503])
@pytest.mark.parametrize("desired", ["OFFLINE", "x"])
def test_the_response_url_is_in_no_log_line_at_any_level(
    account: Account, caplog: pytest.LogCaptureFixture, desired: str, status: int
) -> None:
    for name in ("", "crhelper", "urllib3", "botocore", "boto3"):
        caplog.set_level(logging.DEBUG, logger=name)
    with HttpResponseStore() as store:
        store.statuses.extend([status] * 9)
        event = account.request("Create", DesiredState=desired)
        event["ResponseURL"] = f"{store.url}/?X-Amz-Signature={SIGNATURE}"
        with suppress(DeliveryError):
            account.invoke(event, account.new_provider(put=delivery.put))
    assert store.puts
    assert SIGNATURE not in caplog.text
    assert "delivered" in caplog.text


# What of crhelper is relied on


def test_crhelper_still_has_the_seam_that_is_overridden() -> None:
    """All its answers go through _send, and that through the send_response it is given."""
    parameters = inspect.signature(vars(crhelper.CfnResource)["_send"]).parameters
    assert list(parameters) == ["self", "status", "reason", "send_response"]
    source = inspect.getsource(crhelper.resource_helper)
    assert source.count(" send_response(") == 1
    assert source.count("_send_response(") == 0
    assert " send_response(self._response_url, response_body, self._ssl_verify)" in source


def test_crhelper_neither_sleeps_nor_has_others_log_in_detail(account: Account) -> None:
    for name in ("", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    helper: Any = account.new_provider()
    assert helper._sleep_on_delete == 0
    account.invoke(account.request("Create", DesiredState="ONLINE"), helper)
    assert logging.getLogger().level == logging.INFO
    assert logging.getLogger("botocore").level == logging.ERROR
    assert logging.getLogger("urllib3").level == logging.ERROR


def test_crhelper_still_makes_no_clients_where_it_does_not_poll() -> None:
    helper: Any = Provider()
    assert not hasattr(helper, "_lambda_client")
    assert helper._init_failed is None


def test_the_context_of_these_tests_is_lambda_s(account: Account) -> None:
    """It has what the function reads, under Lambda's names."""
    context = Context(account.clock, account.clock.now() + 3)
    assert context.invoked_function_arn == FUNCTION
    assert context.get_remaining_time_in_millis() == 3000


def test_an_event_to_which_nothing_can_be_answered_is_told_to_lambda(account: Account) -> None:
    """So that it ends in the queue: half of a surrogate pair has no bytes."""
    creation = account.request("Create", DesiredState="OFFLINE") | {"RequestId": "\ud800"}
    with pytest.raises(DeliveryError, match="No answer was sent"):
        account.invoke(creation)
    assert account.store.puts == []
