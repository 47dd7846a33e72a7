"""Entry point: `aws_lambda_invocation` of Terraform, which waits for the result or the error.

It carries out what CloudFormation's requests ask, by the same loop; but within the one invocation,
since nobody waits for another. An error alone fails an apply, so what failed is raised.
"""

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from handler import log, report
from handler.loop import carry_out
from handler.metrics import embedded
from handler.reconcile import Means
from handler.report import Answer
from transfer_server_state import terraform
from transfer_server_state.aws.client import Aws, Patient, RefusedError, UnavailableError
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.declaration import Home, InvalidDeclarationError
from transfer_server_state.identity import NOT_CREATED
from transfer_server_state.outcome import Outcome
from transfer_server_state.request import Request
from transfer_server_state.row import Row
from transfer_server_state.terraform import Asked, Invocation

_LOG = logging.getLogger(__name__)
# How a request ends that would have gone on, had there been time.
_OUT_OF_TIME = {Outcome.TIMED_OUT, Outcome.UNANSWERED}


class TransferServerStateError(Exception):
    """The server is not as declared; the text is the Reason, and all that Terraform has to show."""


class Applier:
    """Does what Terraform asks while it waits."""

    def __init__(self, *, aws: Aws | None = None, clock: Clock | None = None) -> None:
        self._aws, self._clock = aws or Aws(), clock or Clock()

    def handle(self, payload: Any, context: Any) -> dict[str, str]:
        """Return the server's attributes, or what a read shows. Raises TransferServerStateError."""
        logging.getLogger("handler").setLevel(logging.INFO)
        told = {}
        try:
            asked = terraform.parse(payload, self._invocation(context))
            told = {"request": asked.request.kind, "owner": asked.request.owner.name}
            answer = self._answer(asked)
        except InvalidDeclarationError as error:
            answer = report.failure(Outcome.INVALID, str(error), NOT_CREATED)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - who waits is told in a sentence
            _LOG.exception("The provider failed")
            problem = f"{type(error).__name__}: {error}"
            answer = report.failure(Outcome.CRASHED, problem, NOT_CREATED)
        log.tell(context, {**told, **answer.line, **self._metrics(told, answer)})
        if not answer.succeeded:
            raise TransferServerStateError(answer.reason)
        return dict(answer.data)

    def _invocation(self, context: Any) -> Invocation:
        return Invocation(
            context.aws_request_id,
            Home.of(context.invoked_function_arn),
            began_s=self._clock.now(),
            left_s=context.get_remaining_time_in_millis() / 1000,
        )

    def _answer(self, asked: Asked) -> Answer:
        if asked.reads:
            return self._read(asked.request)
        if asked.before:
            released = self._carry_out(asked.before)
            if not released.succeeded:
                return released
        return self._carry_out(asked.request)

    def _read(self, request: Request) -> Answer:
        """Show how the server is, and how it is declared; nothing is changed."""
        patient = Patient(self._aws, self._clock)
        try:
            row = self._registry(patient).read(request.server_id)
            actual = Server(patient, request.server_id).find()
        except (RefusedError, UnavailableError) as error:
            row, now_s = Row(request.server_id), self._clock.now()
            return report.answer(request, error.outcome, row, now_s=now_s, problem=str(error))
        shown = terraform.shown(request, row, actual, self._clock.now())
        return Answer("SUCCESS", NOT_CREATED, shown["Problem"], shown["Standing"], shown)

    def _carry_out(self, request: Request) -> Answer:
        means = Means(
            server=partial(Server, self._aws),
            registry=self._registry(self._aws),
            stacks=Stacks(self._aws),
            clock=self._clock,
        )
        # It ends by its deadline, so there is nothing to go on with in another invocation.
        answer = cast("Answer", carry_out(request, means, until_s=math.inf, go_on=lambda: None))
        if answer.outcome not in _OUT_OF_TIME:
            return answer
        limit = f"It may take {request.timeout_s} s: ServiceTimeout, or what the function has."
        return replace(answer, reason=f"{answer.reason} {limit}")

    def _metrics(self, told: Mapping[str, str], answer: Answer) -> dict[str, Any]:
        if told.get("request") == "Read":
            return {}
        measured = {
            "Requests": 1,
            "Failed": int(not answer.succeeded),
            "WaitedSeconds": answer.told.get("waited_s", 0),
        }
        return embedded(self._clock.now(), measured, ("outcome",))

    @staticmethod
    def _registry(aws: Aws) -> Registry:
        return Registry(aws, os.environ["REGISTRY_TABLE"])


handler = Applier().handle
