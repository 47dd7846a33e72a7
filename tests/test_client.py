"""What AWS's errors mean: another try, or none."""

from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    UnknownServiceError,
)
from botocore.parsers import ResponseParserError
from botocore.retries import standard

from tests.fakes.errors import client_error
from transfer_server_state.aws.client import (
    CONFIG,
    THROTTLED,
    TRANSIENT,
    Aws,
    RefusedError,
    UnavailableError,
    make_client,
)
from transfer_server_state.outcome import Outcome

URL = "https://secret.example.com"


class Client:
    """A client whose one operation fails so often."""

    def __init__(self, error: Exception, times: int = 1) -> None:
        self.error, self.times, self.asked = error, times, 0

    def stop_server(self, **arguments: str) -> dict[str, str]:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return arguments

    invoke = describe_stacks = stop_server


def raised(error: Exception, service: str = "transfer", operation: str = "StopServer") -> Any:
    with pytest.raises((UnavailableError, RefusedError)) as caught:
        Aws(lambda _: Client(error)).call(service, operation)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL),
        SSLError(endpoint_url=URL, error=""),
    ],
)
def test_what_never_reached_aws_had_no_effect(error: Exception) -> None:
    unavailable = raised(error)
    assert type(unavailable) is UnavailableError
    assert unavailable.maybe_done is False
    assert unavailable.throttled is False
    assert str(unavailable) == f"transfer:StopServer: {type(error).__name__}"


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        HTTPClientError(error="anything"),
        ResponseParserError("no XML"),
    ],
)
def test_what_aws_did_not_answer_may_have_had_an_effect(error: Exception) -> None:
    unavailable = raised(error)
    assert type(unavailable) is UnavailableError
    assert unavailable.maybe_done is True
    assert str(unavailable) == f"transfer:StopServer: {type(error).__name__}"


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_what_aws_throttled_had_no_effect(code: str) -> None:
    unavailable = raised(client_error(code, 400, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert (unavailable.maybe_done, unavailable.throttled) == (False, True)
    assert str(unavailable) == f"transfer:StopServer: {code}"


@pytest.mark.parametrize(
    ("code", "status"), [*((code, 400) for code in sorted(TRANSIENT)), ("Odd", 408), ("Odd", 429)]
)
def test_what_passes_is_no_refusal(code: str, status: int) -> None:
    unavailable = raised(client_error(code, status, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert (unavailable.maybe_done, unavailable.throttled) == (status != 429, status == 429)


def test_a_conflict_puts_a_command_off() -> None:
    unavailable = raised(client_error("ConflictException", 400, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert (unavailable.maybe_done, unavailable.throttled) == (False, False)


def test_every_code_that_botocore_retries_is_known_here() -> None:
    throttled = set(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES)
    assert throttled - THROTTLED == {"LimitExceededException"}
    transient = set(standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES)
    assert transient - TRANSIENT - THROTTLED == set()
    assert min(standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES) >= 500


@pytest.mark.parametrize("status", [500, 503, 599])
def test_an_error_on_aws_s_side_may_have_had_an_effect(status: int) -> None:
    error = client_error("InternalFailure", status, "StopServer")
    unavailable = raised(error)
    assert unavailable.throttled is False
    assert type(unavailable) is UnavailableError
    assert unavailable.maybe_done is True
    assert str(unavailable) == "transfer:StopServer: InternalFailure"


@pytest.mark.parametrize("status", [400, 403, 404, 499])
def test_any_other_error_is_a_refusal_in_aws_s_own_words(status: int) -> None:
    refused = raised(client_error("Odd", status, "StopServer", "Because\n\tit is  so."))
    assert type(refused) is RefusedError
    assert (refused.code, refused.outcome) == ("Odd", Outcome.REFUSED)
    assert str(refused) == "transfer:StopServer: Odd: Because it is so."


def test_no_control_character_of_aws_s_words_passes() -> None:
    refused = raised(client_error("Odd", 400, "StopServer", "no\x1b[31m red\x00"))
    assert str(refused) == "transfer:StopServer: Odd: no [31m red"


def test_an_error_without_a_status_is_a_refusal() -> None:
    error = client_error("Odd", 400, "StopServer")
    del error.response["ResponseMetadata"]["HTTPStatusCode"]
    assert type(raised(error)) is RefusedError


def test_of_a_long_explanation_the_ends_are_kept() -> None:
    refused = raised(client_error("Odd", 400, "StopServer", f"User{'w' * 500}in a boundary"))
    told = str(refused).removeprefix("transfer:StopServer: Odd: ")
    assert len(told) <= 120
    assert told.startswith("Userwww")
    assert told.endswith("www" + "in a boundary")


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("transfer", "StopServer", "transfer:StopServer"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks"),
    ],
)
def test_a_denial_names_the_permission_and_has_aws_s_words(
    code: str, service: str, operation: str, action: str
) -> None:
    denied = raised(client_error(code, 403, operation, "by an SCP"), service, operation)
    assert (type(denied), denied.outcome) == (RefusedError, Outcome.DENIED)
    assert str(denied) == f"{action}: {code}: by an SCP"


@pytest.mark.parametrize("error", [NoCredentialsError(), ParamValidationError(report="bad  id")])
def test_what_botocore_itself_refuses_is_a_refusal(error: BotoCoreError) -> None:
    refused = raised(error)
    assert type(refused) is RefusedError
    assert str(refused) == f"transfer:StopServer: {' '.join(str(error).split())}"


def test_a_client_is_made_when_it_is_needed_and_once() -> None:
    made: list[str] = []

    def make(service: str) -> Client:
        made.append(service)
        return Client(NoCredentialsError(), times=0)

    aws = Aws(make)
    assert made == []
    assert aws.call("transfer", "StopServer", ServerId="x") == {"ServerId": "x"}
    aws.call("transfer", "StopServer")
    aws.call("lambda", "Invoke")
    assert made == ["transfer", "lambda"]


def test_nothing_is_repeated_or_waited_for_long_below_the_loop() -> None:
    assert CONFIG.retries["total_max_attempts"] == 1
    assert (CONFIG.connect_timeout, CONFIG.read_timeout) == (5, 10)


def test_a_client_is_made_for_each_service_that_is_called_and_for_no_other() -> None:
    for service in ("cloudformation", "dynamodb", "lambda", "transfer"):
        client = make_client(service)
        assert client.meta.service_model.service_name == service
        client.close()
    with pytest.raises(UnknownServiceError):
        make_client("ec2")


@pytest.mark.parametrize("service", ["transfer", "lambda", "cloudformation", "dynamodb"])
def test_the_function_s_own_clients_keep_to_that(service: str) -> None:
    with closing(make_client(service)) as client:
        assert client.meta.service_model.service_name == service
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (5, 10)
