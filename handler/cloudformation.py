"""Entry point: custom-resource requests of CloudFormation.

crhelper carries the protocol; loop.py says what to answer, delivery.py brings it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import gc

# Starting up makes many objects and little garbage; looking for it takes a twentieth of the time.
gc.set_threshold(100_000)

import logging
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from handler import continuation, delivery, log, report
from handler.loop import carry_out
from handler.metrics import embedded
from handler.reconcile import Means
from handler.report import Answer
from transfer_server_state.aws.client import Aws
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.declaration import Home, InvalidDeclarationError
from transfer_server_state.identity import NOT_CREATED
from transfer_server_state.outcome import Outcome
from transfer_server_state.request import Request, request_digest

# crhelper's own switch for a function without polling: it makes no AWS clients then.
os.environ.setdefault("AWS_SAM_LOCAL", "true")
from crhelper import CfnResource

_LOG = logging.getLogger(__name__)
_KINDS = ("Create", "Update", "Delete")
_IDS = ("StackId", "RequestId", "LogicalResourceId")
# Kept back of each invocation, for another to go on.
_HAND_OVER_S = 75
# And of that, to answer if no other can.
_ANSWER_S = 10


class NotARequestError(ValueError):
    """The event is no custom-resource request, so nobody waits for an answer."""


class Provider(CfnResource):
    """Answers each request once, or raises so that Lambda tries it again."""

    def __init__(
        self,
        *,
        aws: Aws | None = None,
        put: Callable[[str, bytes], int] = delivery.put,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(log_level="INFO", boto_level="ERROR", sleep_on_delete=0)
        self._aws, self._put, self._clock = aws or Aws(), put, clock or Clock()
        for register in (self.create, self.update, self.delete):
            register(self._carry_out)

    def handle(self, event: Any, context: Any) -> None:
        """Handle an event of Lambda's.

        Raises NotARequestError, and DeliveryError where the answer did not arrive.
        """
        _check(event if isinstance(event, dict) else {})
        # On DEBUG it logs the ResponseURL.
        logging.getLogger("crhelper.resource_helper").setLevel(logging.INFO)
        self._turn = threading.Lock()
        self._answer: Answer | None = None
        # Until an answer arrives: what keeps crhelper from sending one, it only logs.
        self._undelivered: delivery.DeliveryError | None = delivery.DeliveryError(
            "No answer was sent"
        )
        # Such a key would turn crhelper's polling on, which answers SUCCESS without a poller.
        self({n: value for n, value in event.items() if not n.startswith("CrHelper")}, context)
        if self._undelivered:
            raise self._undelivered

    def _carry_out(self, event: dict[str, Any], context: Any) -> str:
        given = event.get("PhysicalResourceId")
        self.PhysicalResourceId = given if given and isinstance(given, str) else NOT_CREATED
        try:
            home = Home.of(context.invoked_function_arn)
            request = Request.parse(event, home, self._clock.now())
            remaining_s = context.get_remaining_time_in_millis() / 1000
            ends_s = self._clock.now() + remaining_s
            self._answer = carry_out(
                request,
                self._means(),
                until_s=ends_s - min(_HAND_OVER_S, remaining_s / 4),
                go_on=partial(
                    continuation.invoke,
                    self._aws,
                    self._clock,
                    context.invoked_function_arn,
                    event,
                    ends_s - _ANSWER_S,
                ),
            )
        except InvalidDeclarationError as error:
            self._answer = self._failure(Outcome.INVALID, str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an answer is owed all the same
            _LOG.exception("The provider failed")
            self._answer = self._failure(Outcome.CRASHED, f"{type(error).__name__}: {error}")
        if self._answer is None:
            # Another invocation answers, so nobody may in this one.
            self._turn.acquire(blocking=False)
            self._undelivered = None
        else:
            self.PhysicalResourceId = self._answer.physical_id
            self.Data = self._answer.data
        return str(self.PhysicalResourceId)

    def _means(self) -> Means:
        return Means(
            server=partial(Server, self._aws),
            registry=Registry(self._aws, os.environ["REGISTRY_TABLE"]),
            stacks=Stacks(self._aws),
            clock=self._clock,
        )

    def _send(self, status: str | None = None, reason: str = "", **_: Any) -> None:
        """Answer, unless that was done: the one override of what crhelper keeps private.

        It sends from its timer's thread too, twice where the first fails, never looks at the HTTP
        status and has no time-out.
        """
        if not self._turn.acquire(blocking=False):
            return
        answer = (not status and self._answer) or self._failure(Outcome.CRASHED, reason)

        log_id = request_digest(self._event["ResponseURL"], self._event["RequestId"])[:8]
        # By this the line in the log is found from the stack's event.
        reason = answer.reason if answer.succeeded else f"{answer.reason} [{log_id}]"

        def send_response(url: str, body: dict[str, Any], _ssl_verify: object) -> None:
            try:
                whole = {**body, "Status": answer.status, "Reason": reason}
                delivery.deliver(url, whole, put=self._put, sleep=self._clock.sleep)
                self._undelivered = None
            except delivery.DeliveryError as error:
                self._undelivered = error
            self._log(answer, log_id)

        super()._send(status, reason, send_response=send_response)

    def _log(self, answer: Answer, log_id: str) -> None:
        measured = {
            "Requests": 1,
            "Failed": int(not answer.succeeded),
            "WaitedSeconds": answer.told.get("waited_s", 0),
        }
        line = {
            "id": log_id,
            "request": self._event["RequestType"],
            "stack": self._event["StackId"],
            "resource": self._event["LogicalResourceId"],
            "request_id": self._event["RequestId"],
            **answer.line,
            "delivered": self._undelivered is None,
            **embedded(self._clock.now(), measured, ("outcome",)),
        }
        log.tell(self._context, line)

    def _failure(self, outcome: Outcome, text: str) -> Answer:
        return report.failure(outcome, text, str(self.PhysicalResourceId))


def _check(event: Mapping[str, Any]) -> None:
    """Find out whether an event can be answered. Raises NotARequestError, which says why not."""
    missing = [name for name in _IDS if not (isinstance(event.get(name), str) and event[name])]
    problem = delivery.flaw(event.get("ResponseURL"))
    if missing:
        problem = f"{', '.join(missing)}: missing"
    if event.get("RequestType") not in _KINDS:
        problem = f"RequestType: expected one of {', '.join(_KINDS)}"
    if problem:
        raise NotARequestError(f"This is no custom-resource request of CloudFormation: {problem}.")


handler = Provider().handle
