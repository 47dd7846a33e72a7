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

from tests.fakes.clock import Clock
from tests.fakes.errors import client_error
from transfer_server_state.aws.client import (
    THROTTLED,
    TRANSIENT,
    Aws,
    Patient,
    PutOffError,
    RefusedError,
    UnavailableError,
    make_client,
)
from transfer_server_state.outcome import Outcome

URL = "https://secret.example.com"


class Client:
    """A client whose calls fail, or return what they were given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def stop_server(self, **arguments: str) -> dict[str, str]:
        if self.error:
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


def test_what_passes_is_what_botocore_takes_for_that() -> None:
    """Its standard mode; LimitExceededException is of a quota here, and stays."""
    throttled = set(standard.ThrottledRetryableChecker()._THROTTLED_ERROR_CODES)
    transient = set(standard.TransientRetryableChecker()._TRANSIENT_ERROR_CODES)
    assert throttled - {"LimitExceededException"} == THROTTLED
    assert transient - throttled == TRANSIENT - {"InternalError"}


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_what_aws_throttled_had_no_effect(code: str) -> None:
    unavailable = raised(client_error(code, 400, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert (unavailable.maybe_done, unavailable.throttled) == (False, True)
    assert str(unavailable) == f"transfer:StopServer: {code}"


def test_a_command_that_aws_puts_off_had_no_effect_and_is_no_crowd_s() -> None:
    unavailable = raised(client_error("ConflictException", 400, "StopServer", "An import runs"))
    assert type(unavailable) is PutOffError
    assert (unavailable.maybe_done, unavailable.throttled) == (False, False)
    assert str(unavailable) == "transfer:StopServer: ConflictException: An import runs"


@pytest.mark.parametrize(
    ("code", "status"),
    [*[(code, 400) for code in sorted(TRANSIENT)], *[("Odd", s) for s in (408, 500, 503, 599)]],
)
def test_an_error_on_aws_s_side_may_have_had_an_effect(code: str, status: int) -> None:
    unavailable = raised(client_error(code, status, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert (unavailable.maybe_done, unavailable.throttled) == (True, False)
    assert str(unavailable) == f"transfer:StopServer: {code}"


def test_too_many_requests_are_throttled_whatever_they_are_called() -> None:
    unavailable = raised(client_error("Odd", 429, "StopServer"))
    assert type(unavailable) is UnavailableError
    assert unavailable.throttled is True


@pytest.mark.parametrize("status", [400, 403, 404, 499])
def test_any_other_error_is_a_refusal_in_aws_s_own_words(status: int) -> None:
    refused = raised(client_error("Odd", status, "StopServer", "Because\n\tit is  so."))
    assert type(refused) is RefusedError
    assert str(refused) == "transfer:StopServer: Odd: Because it is so."
    assert (refused.code, refused.outcome) == ("Odd", Outcome.REFUSED)


def test_an_error_without_a_status_is_a_refusal() -> None:
    error = client_error("Odd", 400, "StopServer")
    del error.response["ResponseMetadata"]["HTTPStatusCode"]
    assert type(raised(error)) is RefusedError


def test_a_long_explanation_keeps_its_ends() -> None:
    refused = raised(client_error("Odd", 400, "StopServer", f"begin{'w' * 500}end"))
    assert str(refused) == f"transfer:StopServer: Odd: begin{'w' * 53}...{'w' * 55}end"


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("transfer", "StopServer", "transfer:StopServer"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks"),
    ],
)
def test_a_denial_names_the_permission_and_has_aws_s_own_words(
    code: str, service: str, operation: str, action: str
) -> None:
    words = "with an explicit deny in a service control policy"
    denied = raised(client_error(code, 403, operation, words), service, operation)
    assert type(denied) is RefusedError
    assert (denied.code, denied.outcome) == (code, Outcome.DENIED)
    assert str(denied) == f"{action}: {code}: {words}"


@pytest.mark.parametrize("error", [NoCredentialsError(), ParamValidationError(report="bad  id")])
def test_what_botocore_itself_refuses_is_a_refusal(error: BotoCoreError) -> None:
    refused = raised(error)
    assert type(refused) is RefusedError
    assert str(refused) == f"transfer:StopServer: {' '.join(str(error).split())}"
    assert (refused.code, refused.outcome) == ("", Outcome.REFUSED)


def test_a_client_is_made_when_it_is_needed_and_once() -> None:
    made: list[str] = []

    def make(service: str) -> Client:
        made.append(service)
        return Client()

    aws = Aws(make)
    assert made == []
    assert aws.call("transfer", "StopServer", ServerId="x") == {"ServerId": "x"}
    aws.call("transfer", "StopServer")
    aws.call("lambda", "Invoke")
    assert made == ["transfer", "lambda"]


def test_who_has_no_loop_tries_what_had_no_effect_again_twice_within_seconds() -> None:
    clock = Clock()
    patient = Patient(Aws(lambda _: Client(EndpointConnectionError(endpoint_url=URL))), clock)
    with pytest.raises(UnavailableError):
        patient.call("cloudformation", "DescribeStacks")
    assert clock.slept_s == [1, 3]


@pytest.mark.parametrize("service", ["cloudformation", "dynamodb", "events", "lambda", "transfer"])
def test_below_the_loop_nothing_is_repeated_or_waited_for_long(service: str) -> None:
    with closing(make_client(service)) as client:
        assert client.meta.service_model.service_name == service
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (5, 10)


def test_no_client_is_made_for_a_service_that_is_not_called() -> None:
    with pytest.raises(UnknownServiceError):
        make_client("ec2")
