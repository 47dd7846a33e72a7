"""A server behind the Transfer API: what is asked, and what is understood."""

from typing import Any

import pytest

from tests.fakes.errors import client_error
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.server import Server, states
from transfer_server_state.machine import State, Step
from transfer_server_state.outcome import Outcome

SERVER = "s-0123456789abcdef0"


class Api:
    """The Transfer API with one answer."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer  # or the error to every call
        self.calls: list[tuple[str, dict[str, str]]] = []

    def describe_server(self, **asked: str) -> Any:
        return self._answer("DescribeServer", asked)

    def start_server(self, **asked: str) -> None:
        self._answer("StartServer", asked)

    def stop_server(self, **asked: str) -> None:
        self._answer("StopServer", asked)

    def _answer(self, operation: str, asked: dict[str, str]) -> Any:
        self.calls.append((operation, asked))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def server(api: Api) -> Server:
    clients = {"transfer": api}
    return Server(Aws(clients.__getitem__), SERVER)


@pytest.mark.parametrize("state", State)
def test_it_reads_a_state_and_keeps_the_arn(state: State) -> None:
    api = Api({"Server": {"State": str(state), "Arn": "arn:x"}})
    seen = server(api)
    assert seen.arn == ""
    assert seen.observe() is state
    assert seen.arn == "arn:x"
    assert api.calls == [("DescribeServer", {"ServerId": SERVER})]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({}, "KeyError('Server')"),
        ({"Server": {"State": "ONLINE"}}, "KeyError('Arn')"),
        ({"Server": {"Arn": ""}}, "KeyError('State')"),
        (
            {"Server": {"Arn": "", "State": "PAUSED"}},
            "ValueError(\"'PAUSED' is not a valid State\")",
        ),
        ({"Server": None}, "TypeError(\"'NoneType' object is not subscriptable\")"),
        (None, "TypeError(\"'NoneType' object is not subscriptable\")"),
    ],
)
def test_what_it_does_not_understand_is_no_state(answer: object, error: str) -> None:
    with pytest.raises(UnavailableError) as told:
        server(Api(answer)).observe()
    assert str(told.value) == f"transfer:DescribeServer: an answer that is not understood: {error}"


def test_what_it_does_not_understand_is_told_in_short() -> None:
    with pytest.raises(UnavailableError) as told:
        server(Api({"Server": {"Arn": "", "State": "x" * 2_000}})).observe()
    assert len(str(told.value)) <= 120


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ResourceNotFoundException", Outcome.GONE),
        ("AccessDeniedException", Outcome.DENIED),
        ("InvalidRequestException", Outcome.REFUSED),
    ],
)
def test_a_server_that_aws_does_not_know_is_gone(code: str, outcome: Outcome) -> None:
    refusing = server(Api(client_error(code, 400, "DescribeServer", "Unknown server")))
    for ask in (refusing.observe, lambda: refusing.command(Step.STOP)):
        with pytest.raises(RefusedError, match=f"{code}: Unknown server") as told:
            ask()
        assert (told.value.code, told.value.outcome) == (code, outcome)


@pytest.mark.parametrize("step", [Step.START, Step.STOP])
def test_a_command_is_the_api_s(step: Step) -> None:
    api = Api()
    server(api).command(step)
    assert api.calls == [(str(step), {"ServerId": SERVER})]


class Pages:
    """ListServers, a server a page."""

    def __init__(self, *listed: dict[str, str]) -> None:
        self._listed = listed
        self.asked: list[dict[str, Any]] = []

    def list_servers(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        place = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(place + 1)} if place + 1 < len(self._listed) else {}
        return {"Servers": [self._listed[place]], **more}


def test_the_states_of_all_servers_are_read_page_by_page() -> None:
    pages = Pages(
        {"ServerId": "s-1", "State": "ONLINE"},
        {"ServerId": "s-2", "State": "STOP_FAILED"},
        {"ServerId": "s-3", "State": "OFFLINE"},
    )
    clients = {"transfer": pages}
    found = states(Aws(clients.__getitem__))
    assert found == {"s-1": State.ONLINE, "s-2": State.STOP_FAILED, "s-3": State.OFFLINE}
    assert [asked.pop("MaxResults") for asked in pages.asked] == [1000] * 3
    assert pages.asked == [{}, {"NextToken": "1"}, {"NextToken": "2"}]


def test_a_server_in_an_unknown_state_is_left_out_of_the_list() -> None:
    pages = Pages(
        {"ServerId": "s-1", "State": "DREAMING"},
        {"ServerId": "s-2"},
        {"ServerId": "s-3", "State": "OFFLINE"},
    )
    clients = {"transfer": pages}
    assert states(Aws(clients.__getitem__)) == {"s-3": State.OFFLINE}


def test_a_list_that_is_not_understood_is_no_answer() -> None:
    clients = {"transfer": Pages({"State": "ONLINE"})}
    with pytest.raises(UnavailableError, match="ListServers: an answer that is not understood"):
        states(Aws(clients.__getitem__))
