"""Entry point: custom-resource requests of CloudFormation, and their continuations.

crhelper carries the protocol; request.py says what to answer, delivery.py brings it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from handler import delivery, report
from handler.aws import Aws
from handler.identity import NOT_CREATED
from handler.pursuit import Invocation
from handler.report import Answer
from handler.request import carry_out, until_s

# crhelper's own switch for a function without polling: it makes no AWS clients then.
os.environ.setdefault("AWS_SAM_LOCAL", "true")
from crhelper import FAILED, SUCCESS, CfnResource

_LOG = logging.getLogger(__name__)
_IDS = ("StackId", "RequestId", "LogicalResourceId")


class NotARequestError(ValueError):
    """The event is no custom-resource request, so nobody waits for an answer."""


class Provider(CfnResource):
    """Answers each request once, or raises so that Lambda tries it again."""

    def __init__(
        self,
        *,
        aws: Aws | None = None,
        put: Callable[[str, bytes], int] = delivery.put,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(log_level="INFO", boto_level="ERROR", sleep_on_delete=0)
        self._aws, self._put, self._now, self._sleep = aws or Aws(), put, now, sleep
        for register in (self.create, self.update, self.delete):
            register(self._carry_out)

    def handle(self, event: Any, context: Any) -> None:
        """Handle an event of Lambda's.

        Raises NotARequestError, and DeliveryError where the answer did not arrive.
        """
        if not _is_request(event):
            raise NotARequestError("This event is no custom-resource request of CloudFormation.")
        # On DEBUG it logs the ResponseURL.
        logging.getLogger("crhelper.resource_helper").setLevel(logging.INFO)
        self._turn = threading.Lock()
        self._answer: Answer | None = None
        self._undelivered: delivery.DeliveryError | None = None
        # Such a key would turn crhelper's polling on, which answers SUCCESS without a poller.
        self({n: value for n, value in event.items() if not n.startswith("CrHelper")}, context)
        if self._undelivered:
            raise self._undelivered

    def _carry_out(self, event: dict[str, Any], context: Any) -> str:
        given = event.get("PhysicalResourceId")
        self.PhysicalResourceId = given if given and isinstance(given, str) else NOT_CREATED
        try:
            self._answer = carry_out(
                Invocation(
                    event,
                    context.invoked_function_arn,
                    until_s(context, self._now()),
                    self._aws,
                    self._now,
                    self._sleep,
                    self._fix_id,
                )
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an answer is owed all the same
            _LOG.exception("The provider failed")
            self._answer = _failure(f"{type(error).__name__}: {error}")
        if self._answer is None:
            # Another invocation answers, so nobody may in this one.
            self._turn.acquire(blocking=False)
        else:
            self.Data = self._answer.data
        return str(self.PhysicalResourceId)

    def _fix_id(self, physical_resource_id: str) -> None:
        self.PhysicalResourceId = physical_resource_id

    def _send(self, status: str | None = None, reason: str = "", **_: Any) -> None:
        """Answer, unless that was done: the one override of what crhelper keeps private.

        It sends from its timer's thread too, twice where the first fails, never looks at the HTTP
        status and has no time-out.
        """
        if not self._turn.acquire(blocking=False):
            return
        answer = _failure(reason) if status or self._answer is None else self._answer

        def send_response(url: str, body: dict[str, Any], _ssl_verify: object) -> None:
            try:
                status = SUCCESS if answer.succeeded else FAILED
                whole = {**body, "Status": status, "Reason": answer.reason}
                delivery.deliver(url, whole, put=self._put, sleep=self._sleep)
            except delivery.DeliveryError as error:
                self._undelivered = error
            line = report.line(self._event, answer, self._now())
            _LOG.info(json.dumps({**line, "delivered": self._undelivered is None}))

        super()._send(status, reason, send_response=send_response)


def _failure(text: str) -> Answer:
    reason = f"The provider failed: {' '.join(text.split())[:160]}. See its log, then deploy again."
    return Answer(succeeded=False, reason=reason, outcome="failed")


def _is_request(event: object) -> bool:
    return (
        isinstance(event, dict)
        and event.get("RequestType") in ("Create", "Update", "Delete")
        and all(isinstance(event.get(name), str) and event[name] for name in _IDS)
        and delivery.is_deliverable(event.get("ResponseURL"))
    )


handler = Provider().handle
