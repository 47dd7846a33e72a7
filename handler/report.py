"""What people are told of a request: the Reason, the attributes and the log line.

This module decides nothing and calls nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.reconcile import Ending, Progress

# A sentence for a person; only a declaration with many violations takes more.
_LONGEST_REASON = 256

ADVICE = {
    Ending.DONE: "",
    Ending.FAILED: "Look at the server in the Transfer Family console, then deploy again.",
    Ending.TIMED_OUT: "Deploy again once it has settled, or raise ServiceTimeout.",
    Ending.REFUSED: "Mend what AWS names, then deploy again.",
    Ending.DENIED: "Allow it in the provider's role (parameter ServerArnPattern).",
    Ending.GONE: "Check ServerId: it must be in this region and account.",
    Ending.PAUSED: "Its stack went on to another operation, so nothing was changed.",
    Ending.OUT_OF_TIME: "The provider could not invoke itself to go on. Mend that, deploy again.",
}
_TAKEN_BACK = "Its stack rolled back meanwhile, so this request took its own command back."


@dataclass(frozen=True)
class Answer:
    """What CloudFormation is told; `outcome` is for the log."""

    succeeded: bool
    reason: str
    outcome: str
    server_id: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None


def reason(
    server_id: str, ending: Ending, progress: Progress, *, now_s: float, taken_back: bool
) -> str:
    """Say in a sentence where the server stands and why, in another what to do."""
    stand = f"{server_id} is {progress.last or 'in an unknown state'}"
    if ending is not Ending.DONE:
        stand += f", wanted {progress.desired}"
    if progress.command:
        stand += f", after {progress.command}"
    stand += f", {now_s - progress.began_s:.0f} s"
    if problem := progress.refusal or progress.problem:
        stand += f": {problem}"
    advice = f". {_TAKEN_BACK if taken_back else ADVICE[ending]}".rstrip()
    return stand[: _LONGEST_REASON - len(advice)] + advice


def attributes(server_id: str, arn: str, progress: Progress) -> dict[str, str]:
    """Return what Fn::GetAtt finds."""
    return {
        "ServerId": server_id,
        "Arn": arn,
        "State": str(progress.last),
        "PreviousState": str(progress.first),
    }


def line(event: Mapping[str, Any], answer: Answer, now_s: float) -> dict[str, Any]:
    """Return the fields of the log line that ends a request."""
    fields = {
        "request": event["RequestType"],
        "stack": event["StackId"],
        "resource": event["LogicalResourceId"],
        "request_id": event["RequestId"],
        "server": answer.server_id,
        "status": "SUCCESS" if answer.succeeded else "FAILED",
        "outcome": answer.outcome,
        "reason": answer.reason,
    }
    if progress := answer.progress:
        fields |= {
            "desired": progress.desired,
            "previous": progress.first,
            "final": progress.last,
            "command": progress.command,
            "waited_s": round(now_s - progress.began_s, 1),
            "polls": progress.polls,
        }
    return fields
