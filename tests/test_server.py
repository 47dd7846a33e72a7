"""A server behind the Transfer API: what is asked, and what is understood."""

from typing import Any

import pytest

from handler.aws import Aws
from handler.machine import State, Step
from handler.reconcile import UnavailableError
from handler.server import TransferServer

SERVER = "s-0123456789abcdef0"


class Api:
    """The Transfer API with one answer."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, str]]] = []

    def describe_server(self, **asked: str) -> Any:
        self.calls.append(("DescribeServer", asked))
        return self.answer

    def start_server(self, **asked: str) -> None:
        self.calls.append(("StartServer", asked))

    def stop_server(self, **asked: str) -> None:
        self.calls.append(("StopServer", asked))


def server(api: Api) -> TransferServer:
    clients = {"transfer": api}
    return TransferServer(Aws(clients.__getitem__), SERVER)


@pytest.mark.parametrize("state", State)
def test_it_reads_a_state_and_keeps_the_arn(state: State) -> None:
    api = Api({"Server": {"State": str(state), "Arn": "arn:x"}})
    seen = server(api)
    assert (seen.server_id, seen.arn) == (SERVER, "")
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
        ({"Server": {"Arn": "", "State": "x" * 200}}, f"ValueError(\"'{'x' * 200}' is not…"),
    ],
)
def test_what_it_does_not_understand_is_no_state(answer: object, error: str) -> None:
    with pytest.raises(UnavailableError) as told:
        server(Api(answer)).observe()
    text = f"transfer:DescribeServer: an answer that is not understood: {error}"
    assert str(told.value) == text[:120]
    assert told.value.maybe_done is True


@pytest.mark.parametrize("step", [Step.START, Step.STOP])
def test_a_command_is_the_api_s(step: Step) -> None:
    api = Api()
    server(api).command(step)
    assert api.calls == [(str(step), {"ServerId": SERVER})]
