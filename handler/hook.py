"""Entry point: a Lambda Hook of CloudFormation's, which tells what a deployment does to servers.

It plans as plan.py does, refuses what the provider would refuse, and changes nothing.
https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks.html
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from handler import log, payload
from handler.payload import PayloadError
from transfer_server_state import plan, template
from transfer_server_state.aws import change_set
from transfer_server_state.aws.change_set import ChangeSets
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.registry import Registry
from transfer_server_state.aws.server import Server
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.clock import Clock
from transfer_server_state.intrinsics import Stack
from transfer_server_state.planned import Action, Deployment, Planned, Present, summary
from transfer_server_state.template import TemplateError

_LONGEST_MESSAGE = 4_096
# A call may take as long (client.py), and the answer has to be made.
_LAST_CALL_MS = 17_000
_UNSEEN = (RefusedError, UnavailableError)
_ACTIONS = {"CREATE": "Add", "UPDATE": "Modify", "DELETE": "Remove"}


class Hook:
    """Answers each invocation, whatever it is called with."""

    def __init__(
        self,
        *,
        aws: Aws | None = None,
        fetch: Callable[..., dict[str, Any]] = payload.fetch,
        clock: Clock | None = None,
    ) -> None:
        self._aws, self._fetch, self._clock = aws or Aws(), fetch, clock or Clock()

    def handle(self, event: Any, context: Any) -> dict[str, Any]:
        """Return a hook's answer to an event of CloudFormation's."""
        logging.getLogger("handler").setLevel(logging.INFO)
        try:
            answer = self._answer(event, _Hurried(self._aws, context))
        except (PayloadError, TemplateError, *_UNSEEN) as error:
            answer = _failure("InternalFailure", [f"What it does could not be told: {error}."])
        except Exception as error:
            logging.getLogger(__name__).exception("The hook failed")
            lines = [f"The hook failed, see its log: {type(error).__name__}."]
            answer = _failure("InternalFailure", lines)
        log.tell(context, {"status": answer["hookStatus"], "reason": answer["message"]})
        token = event.get("clientRequestToken") or event.get("clientRequesttoken")
        return {**answer, "clientRequestToken": token}

    def _answer(self, event: Mapping[str, Any], aws: Aws) -> dict[str, Any]:
        target = event["requestData"]
        body = self._fetch(target.get("payload"), self._clock.now)
        before, after = (_template(body.get(name)) for name in ("previousTemplate", "template"))
        if str(event.get("actionInvocationPoint")).startswith("DELETE"):
            before, after = after, _template(None)
        if not template.declares_any(before) and not template.declares_any(after):
            return _success(["No state of a server is declared."])
        stack_id = str(event.get("stackId") or event.get("stackID"))
        ids = ChangeSets(aws).physical_ids(stack_id)
        old, new = Stack(stack_id, before, None, ids), Stack(stack_id, after, None, ids)
        if target.get("targetType") == "CHANGE_SET":
            deployment = _of_change_set(body.get("changedResources"), new)
        else:
            deployment = template.changes(old, new)
        present = Present(
            state=lambda server_id: Server(aws, server_id).find(),
            row=Registry(aws, os.environ["REGISTRY_TABLE"]).read,
            stacks=Stacks(aws),
            raises=_UNSEEN,
            now_s=self._clock.now(),
        )
        return _verdict(plan.plan(deployment, present))


class _Hurried(Aws):
    """AWS for who has to answer soon: no call that may not be over by then."""

    def __init__(self, aws: Aws, context: Any) -> None:
        self._aws, self._context = aws, context

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call an operation, as Aws does."""
        if self._context.get_remaining_time_in_millis() < _LAST_CALL_MS:
            raise UnavailableError(f"{service}:{operation}: no time was left")
        return self._aws.call(service, operation, **arguments)


def _template(text: object) -> dict[str, Any]:
    return template.parse(text) if isinstance(text, str) else {"Resources": {}}


def _of_change_set(changed: Any, stack: Stack) -> Deployment:
    """Return what a change set changes; of what comes without values, the template tells some."""
    try:
        told = [_as_described(each, stack.physical_ids) for each in changed]
        if any("BeforeContext" in each or "AfterContext" in each for each in told):
            return change_set.by_values(stack.stack_id, told)
        names = {each["LogicalResourceId"] for each in told if each["Action"] != "Remove"}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PayloadError("payload: not as CloudFormation documents it") from error
    read = template.changes(Stack(stack.stack_id), stack)
    return Deployment([each for each in read.changes if each.owner.logical_id in names])


def _as_described(changed: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """Return a changed resource as DescribeChangeSet has it."""
    contexts = {
        "BeforeContext": changed.get("beforeContext"),
        "AfterContext": changed.get("afterContext"),
    }
    before, after = map(change_set.properties, contexts.values())
    replaced = before is None or after is None or template.replaces(before, after)
    return {
        "Action": _ACTIONS[changed["action"]],
        "LogicalResourceId": changed["logicalResourceId"],
        "PhysicalResourceId": ids.get(changed["logicalResourceId"], ""),
        "ResourceType": changed["resourceType"],
        "Replacement": str(replaced),
        **{name: value for name, value in contexts.items() if value},
    }


def _verdict(planned: list[Planned]) -> dict[str, Any]:
    """Return a hook's answer: refused is what the provider would refuse."""
    refused = [each for each in planned if each.action is Action.REFUSED]
    others = [each for each in planned if each.action is not Action.REFUSED]
    lines = [summary(planned), *(f"{p.line}. {p.told}" for p in refused + others)]
    answer = _failure("NonCompliant", lines) if refused else _success(lines)
    return {**answer, "annotations": [_annotation(each) for each in planned]}


def _annotation(planned: Planned) -> dict[str, str]:
    status = {Action.REFUSED: "FAILED", Action.UNKNOWN: "SKIPPED"}.get(planned.action, "PASSED")
    return {
        "annotationName": planned.resource.rpartition("/")[2],
        "status": status,
        "statusMessage": f"{planned.line}. {planned.told}",
        "remediationMessage": planned.reason if status == "FAILED" else "",
        "severityLevel": "HIGH" if status == "FAILED" else "INFORMATIONAL",
    }


def _success(lines: list[str]) -> dict[str, Any]:
    return {"hookStatus": "SUCCESS", "message": "\n".join(lines)[:_LONGEST_MESSAGE]}


def _failure(code: str, lines: list[str]) -> dict[str, Any]:
    return {**_success(lines), "hookStatus": "FAILED", "errorCode": code}


handler = Hook().handle
