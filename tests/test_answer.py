"""One answer a request, whatever goes wrong: through crhelper, to a real response store."""

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
from tests.lab import FUNCTION, Account, Context, Lambda

SIGNATURE = "presigned-secret"


def test_the_answer_has_the_request_s_ids_and_an_empty_content_type(account: Account) -> None:
    event = account.request("Create", DesiredState="ONLINE")
    answer = account.settle(event)
    ((path, headers, body),) = account.store.puts
    assert path == "/answer?X-Amz-Signature=presigned-secret"
    assert headers["content-type"] == ""
    assert len(body) <= 4096
    assert answer.keys() == {
        *("Status", "Reason", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"),
        *("Data", "NoEcho"),
    }
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]


class Exploding:
    """AWS clients that cannot even be made."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def call(self, *_: object, **__: object) -> None:
        raise self.error

    insist = call


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


def test_a_failure_is_told_in_so_many_words(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    exploding = Exploding(RuntimeError("so\n it " + "w" * 300))
    account.invoke(account.request("Create", DesiredState="x"), account.new_provider(aws=exploding))
    account.invoke(
        account.request("Create", DesiredState="OFFLINE"), account.new_provider(aws=exploding)
    )
    _, answer = account.store.answers
    told = f"RuntimeError: so it {'w' * 300}"[:160]
    assert answer["Reason"] == f"The provider failed: {told}. See its log, then deploy again."
    assert answer["Data"] == {}
    invalid, failed = [json.loads(r.message) for r in caplog.records if r.message.startswith("{")]
    assert (invalid["outcome"], invalid["status"]) == ("invalid", "FAILED")
    assert (failed["outcome"], failed["status"]) == ("failed", "FAILED")
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["The provider failed"]


def test_the_failure_of_one_request_is_not_in_the_answer_to_the_next(account: Account) -> None:
    assert account.send("Create", DesiredState="x")["Status"] == "FAILED"
    answer = account.send("Create", DesiredState="ONLINE")
    assert (answer["Status"], answer["NoEcho"]) == ("SUCCESS", False)


def test_a_function_that_hangs_answers_just_before_its_end_with_the_id_and_only_then(
    account: Account,
) -> None:
    """crhelper's timer is real, so AWS hangs until it has fired."""
    answered = threading.Event()

    class Hanging(Exploding):
        def call(self, *_: object, **__: object) -> None:
            assert answered.wait(timeout=10)
            raise self.error

    def put(url: str, body: bytes) -> int:
        status = delivery.put(url, body)
        answered.set()
        return status

    given = f"{account.server_id}:from-ONLINE"
    event = account.request("Update", DesiredState="OFFLINE", PhysicalResourceId=given)
    account.timeout_s = 0.55
    hanging: Any = Hanging(RuntimeError())
    account.invoke(event, account.new_provider(aws=hanging, put=put))
    (answer,) = account.store.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("The provider failed: Execution timed out")
    assert answer["PhysicalResourceId"] == given


def test_an_answer_is_delivered_by_what_the_provider_was_given(account: Account) -> None:
    puts: list[str] = []

    def put(url: str, _: bytes) -> int:
        puts.append(url)
        return 200

    event = account.request("Create", DesiredState="ONLINE")
    account.invoke(event, account.new_provider(put=put))
    assert (puts, account.store.puts) == ([event["ResponseURL"]], [])


def test_a_hand_over_that_ends_after_the_answer_is_no_second_one_and_does_not_hang(
    account: Account,
) -> None:
    answered = threading.Event()

    def put(url: str, body: bytes) -> int:
        status = delivery.put(url, body)
        answered.set()
        return status

    class Slow(Lambda):
        def invoke(self, **arguments: Any) -> dict[str, Any]:
            assert answered.wait(10)
            return super().invoke(**arguments)

    account.lambda_ = Slow()
    account.timeout_s = 0.55
    provider = account.new_provider(put=put)
    account.invoke(account.request("Create", DesiredState="OFFLINE"), provider)
    (answer,) = account.store.answers
    assert answer["Reason"].startswith("The provider failed: Execution timed out")
    assert len(account.lambda_.queue) == 1


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
)
def test_an_event_that_is_no_request_is_refused_without_a_put(
    account: Account, event: object
) -> None:
    with pytest.raises(NotARequestError, match="no custom-resource request"):
        account.invoke(event)
    assert account.store.puts == []


@pytest.mark.parametrize(
    "change",
    [
        {"RequestType": "Read"},
        {"RequestType": ["Create"]},
        {"StackId": ""},
        {"RequestId": None},
        {"LogicalResourceId": 7},
        {"ResponseURL": ""},
        {"ResponseURL": "ftp://127.0.0.1/"},
        {"ResponseURL": "http://example.com/"},
        {"ResponseURL": "http://127.0.0.1.example.com/"},
        {"ResponseURL": "https://user:password@127.0.0.1/"},
        {"ResponseURL": "https://"},
        {"ResponseURL": "https://[::1/"},
        {"ResponseURL": "https://127.0.0.1:99999/"},
        {"ResponseURL": "https://127.0.0.1:0/"},
        {"ResponseURL": "https://127.0.0.1/a b"},
        {"ResponseURL": "https://127.0.0.1/\r\nHost: x"},
        {"ResponseURL": "https://127.0.0.1/ü"},
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_without_a_put(
    account: Account, change: dict[str, Any]
) -> None:
    with pytest.raises(NotARequestError):
        account.invoke(account.request("Create", DesiredState="OFFLINE") | change)
    assert (account.store.puts, account.operations) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/a?b=c",
        "https://[2001:db8::1]:8443/a",
        "http://127.0.0.1:4566/a",
        "http://localhost/a",
        "http://[::1]:80/a",
    ],
)
def test_https_is_deliverable_and_plain_http_to_loopback(url: str) -> None:
    assert delivery.is_deliverable(url)


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


@pytest.mark.parametrize("status", [500, 503, 408, 429, 0])
def test_a_passing_failure_of_the_response_store_is_tried_again(
    account: Account, status: int
) -> None:
    account.store.statuses.extend([status, status])
    account.invoke(account.request("Create", DesiredState="ONLINE"))
    bodies = {body for _, _, body in account.store.puts}
    assert (len(account.store.puts), len(bodies)) == (3, 1)
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
    ((_, _, body),) = account.store.puts
    assert 2000 < len(body) <= 4096
    assert answer["LogicalResourceId"] == event["LogicalResourceId"]
    assert answer["Reason"].startswith("DesiredState: 'x', expected ONLINE or OFFLINE")


def test_ids_that_leave_no_room_for_an_answer_raise(account: Account) -> None:
    event = account.request("Create", DesiredState="ONLINE") | {"StackId": "s" * 5000}
    with pytest.raises(DeliveryError, match="bytes, of 4096 allowed"):
        account.invoke(event)
    assert account.store.puts == []


def test_each_request_ends_in_one_log_line_for_insights(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.emulator.set(stop_s=10)
    event = account.request("Create", DesiredState="OFFLINE")
    account.settle(event)
    (line,) = [json.loads(r.message) for r in caplog.records if r.message.startswith("{")]
    assert line.pop("reason").startswith(f"{account.server_id} is OFFLINE, after StopServer, ")
    assert line.pop("waited_s") == pytest.approx(11, abs=2)
    assert line.pop("polls") > 5
    assert line == {
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
    account.store.statuses.extend([status] * 9)
    event = account.request("Create", DesiredState=desired)
    with suppress(DeliveryError):
        account.settle(event)
    assert SIGNATURE in event["ResponseURL"]
    assert SIGNATURE not in caplog.text
    assert "delivered" in caplog.text


def test_crhelper_still_has_the_seam_that_we_override() -> None:
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


def test_the_context_is_lambda_s(account: Account) -> None:
    """What the tests pass as context has what the function reads, under Lambda's names."""
    context = Context(account.clock, account.clock.now() + 3)
    assert context.invoked_function_arn == FUNCTION
    assert context.get_remaining_time_in_millis() == 3000
