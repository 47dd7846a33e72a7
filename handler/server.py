"""A Transfer Family server: the only file that knows the Transfer API's shapes."""

from typing import Any

from handler.aws import Aws
from handler.machine import State, Step
from handler.reconcile import UnavailableError


class TransferServer:
    """One server, and its ARN once it was observed."""

    def __init__(self, aws: Aws, server_id: str) -> None:
        self._aws = aws
        self.server_id = server_id
        self.arn = ""

    def observe(self) -> State:
        """Read its state.

        https://docs.aws.amazon.com/transfer/latest/APIReference/API_DescribeServer.html
        """
        answer: Any = self._aws.call("transfer", "DescribeServer", ServerId=self.server_id)
        try:
            self.arn = answer["Server"]["Arn"]
            return State(answer["Server"]["State"])
        except (KeyError, TypeError, ValueError) as error:
            text = f"transfer:DescribeServer: an answer that is not understood: {error!r}"
            raise UnavailableError(text[:120], maybe_done=True) from error

    def command(self, step: Step) -> None:
        """Give one of the two commands; AWS answers nothing to either."""
        if step is Step.STOP:
            self._aws.call("transfer", "StopServer", ServerId=self.server_id)
        else:
            self._aws.call("transfer", "StartServer", ServerId=self.server_id)
