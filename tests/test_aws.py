"""What AWS's errors mean: another try, or none."""

from collections.abc import Callable
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

from handler.aws import CONFIG, Aws, make_client
from handler.reconcile import DeniedError, GoneError, RefusedError, UnavailableError
from tests.lab import Clock, client_error

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
    assert unavailable.retry_after_s == 0
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


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 400), ("Throttling", 400), ("TooManyRequestsException", 429)],
)
def test_what_aws_throttled_had_no_effect(code: str, status: int) -> None:
    unavailable = raised(client_error(code, status, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert unavailable.maybe_done is False
    assert unavailable.retry_after_s == 1
    assert str(unavailable) == f"transfer:StopServer: {code}"


@pytest.mark.parametrize(
    ("asked", "seconds"), [("7", 7), (7, 7), ("0", 1), ("", 1), ("soon", 1), ("1.5", 1), (None, 1)]
)
def test_the_time_that_aws_asks_for_is_kept_from_a_second_on(asked: object, seconds: float) -> None:
    error = client_error("ThrottlingException", 400, "StopServer")
    error.response["RetryAfterSeconds"] = asked
    assert raised(error).retry_after_s == seconds


@pytest.mark.parametrize("status", [500, 503, 599])
def test_an_error_on_aws_s_side_may_have_had_an_effect(status: int) -> None:
    error = client_error("InternalFailure", status, "StopServer")
    error.response["RetryAfterSeconds"] = "7"
    unavailable = raised(error)
    assert unavailable.retry_after_s == 0
    assert type(unavailable) is UnavailableError
    assert unavailable.maybe_done is True
    assert str(unavailable) == "transfer:StopServer: InternalFailure"


@pytest.mark.parametrize("status", [400, 403, 404, 499])
def test_any_other_error_is_a_refusal_in_aws_s_own_words(status: int) -> None:
    refused = raised(client_error("Odd", status, "StopServer", "Because\n\tit is  so."))
    assert type(refused) is RefusedError
    assert str(refused) == "transfer:StopServer: Odd: Because it is so."


def test_an_error_without_a_status_is_a_refusal() -> None:
    error = client_error("Odd", 400, "StopServer")
    del error.response["ResponseMetadata"]["HTTPStatusCode"]
    assert type(raised(error)) is RefusedError


def test_a_long_explanation_is_cut() -> None:
    refused = raised(client_error("Odd", 400, "StopServer", "w" * 500))
    assert str(refused) == f"transfer:StopServer: Odd: {'w' * 120}"


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("transfer", "StopServer", "transfer:StopServer"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks"),
    ],
)
def test_a_denial_names_the_permission(
    code: str, service: str, operation: str, action: str
) -> None:
    denied = raised(client_error(code, 403, operation), service, operation)
    assert (type(denied), str(denied)) == (DeniedError, action)


def test_a_server_that_is_not_there_is_gone() -> None:
    gone = raised(client_error("ResourceNotFoundException", 400, "StopServer", "Unknown server"))
    assert type(gone) is GoneError
    assert str(gone) == "transfer:StopServer: ResourceNotFoundException: Unknown server"


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


def failing(times: int) -> tuple[Client, Clock, Callable[[], Any]]:
    client, clock = Client(client_error("Throttling", 400, "DescribeStacks"), times), Clock()
    aws = Aws(lambda _: client)
    return (
        client,
        clock,
        lambda: aws.insist(clock.sleep, "cloudformation", "DescribeStacks", StackName="x"),
    )


@pytest.mark.parametrize(("times", "slept_s"), [(0, []), (1, [1]), (2, [1, 4])])
def test_it_insists_up_to_three_times(times: int, slept_s: list[float]) -> None:
    client, clock, insist = failing(times)
    assert insist() == {"StackName": "x"}
    assert (client.asked, clock.slept_s) == (times + 1, slept_s)


def test_it_gives_up_after_the_third_time() -> None:
    client, clock, insist = failing(3)
    with pytest.raises(UnavailableError):
        insist()
    assert (client.asked, clock.slept_s) == (3, [1, 4])


def test_it_does_not_insist_on_what_is_refused() -> None:
    client, clock, _ = failing(0)
    client.error, client.times = client_error("Odd", 400, "DescribeStacks"), 1
    with pytest.raises(RefusedError):
        Aws(lambda _: client).insist(clock.sleep, "cloudformation", "DescribeStacks")
    assert (client.asked, clock.slept_s) == (1, [])


def test_nothing_is_repeated_or_waited_for_long_below_the_loop() -> None:
    assert CONFIG.retries["total_max_attempts"] == 1
    assert (CONFIG.connect_timeout, CONFIG.read_timeout) == (5, 10)


def test_a_client_is_made_for_each_service_that_is_called_and_for_no_other() -> None:
    for service in ("cloudformation", "lambda", "transfer"):
        client = make_client(service)
        assert client.meta.service_model.service_name == service
        client.close()
    with pytest.raises(UnknownServiceError):
        make_client("ec2")


@pytest.mark.parametrize("service", ["transfer", "lambda", "cloudformation"])
def test_the_function_s_own_clients_keep_to_that(service: str) -> None:
    with closing(make_client(service)) as client:
        assert client.meta.service_model.service_name == service
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (5, 10)
