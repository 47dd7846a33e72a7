"""A Transfer Family server: the only file that knows the Transfer API's shapes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.machine import State, Step
from transfer_server_state.outcome import Outcome
from transfer_server_state.words import printable

_STATES = frozenset(State)


def states(aws: Aws) -> dict[str, State]:
    """Return the state of every server, by its id; a page holds a thousand.

    A server in a state that is not known here is left out.
    https://docs.aws.amazon.com/transfer/latest/APIReference/API_ListServers.html
    """
    found: dict[str, State] = {}
    token: dict[str, str] | None = {}
    while token is not None:
        page = aws.call("transfer", "ListServers", MaxResults=1000, **token)
        with _understood("ListServers"):
            listed = {each["ServerId"]: each.get("State") for each in page["Servers"]}
        found |= {name: State(state) for name, state in listed.items() if state in _STATES}
        token = {"NextToken": page["NextToken"]} if page.get("NextToken") else None
    return found


@contextmanager
def _understood(operation: str) -> Iterator[None]:
    """Raise UnavailableError where an answer is not as AWS's model has it."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        text = f"transfer:{operation}: an answer that is not understood: {error!r}"
        raise UnavailableError(printable(text)) from error


class Server:
    """One server, and its ARN once it was observed."""

    def __init__(self, aws: Aws, server_id: str) -> None:
        self._aws = aws
        self._server_id = server_id
        self.arn = ""

    def observe(self) -> State:
        """Read its state.

        https://docs.aws.amazon.com/transfer/latest/APIReference/API_DescribeServer.html
        """
        answer = self._call("DescribeServer")
        with _understood("DescribeServer"):
            self.arn = answer["Server"]["Arn"]
            return State(answer["Server"]["State"])

    def find(self) -> State | None:
        """Read its state; None if there is no such server."""
        try:
            return self.observe()
        except RefusedError as error:
            if error.outcome is Outcome.GONE:
                return None
            raise

    def command(self, step: Step) -> None:
        """Give one of the two commands; AWS answers nothing to either."""
        self._call(step)

    def _call(self, operation: str) -> Any:
        try:
            return self._aws.call("transfer", operation, ServerId=self._server_id)
        except RefusedError as error:
            if error.code == "ResourceNotFoundException":
                raise RefusedError(str(error), error.code, Outcome.GONE) from error
            raise
