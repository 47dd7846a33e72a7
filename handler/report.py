"""What people are told of a request: the answer with its Reason and attributes, the log line.

This module decides nothing and calls nobody.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from transfer_server_state.declaration import LONGEST_TIMEOUT_S
from transfer_server_state.identity import Identity
from transfer_server_state.outcome import ADVICE, Outcome
from transfer_server_state.progress import Progress
from transfer_server_state.request import Request
from transfer_server_state.row import Row
from transfer_server_state.words import printable, shorten

# A sentence for a person; only a declaration with many violations takes more.
LONGEST_REASON = 256
_LONGEST_NAME = 60
# Where the server's state does not matter.
_TOLD = {
    Outcome.GONE: "{server_id} does not exist",
    Outcome.RIVAL: "{server_id} is declared by {owner}, so {mine} may not declare it too",
    Outcome.SUPERSEDED: "A newer request for {server_id} came, of {owner}",
    Outcome.EXPIRED: "The request for {server_id} came {waited} after it was sent, too late",
    Outcome.RETAINED: "{server_id} is left as it is",
    Outcome.UNKNOWN: "{server_id} may have to be restored, which nobody can tell",
}
_SUCCEEDS = {Outcome.DONE, Outcome.RETAINED, Outcome.UNKNOWN}
# A deletion that nobody waits for, or of a server that is gone, owes nothing.
_RELEASED = {Outcome.GONE, Outcome.SUPERSEDED, Outcome.EXPIRED, Outcome.INVALID}


@dataclass(frozen=True)
class Answer:
    """What CloudFormation is told, and what the log tells besides."""

    succeeded: bool
    physical_id: str
    reason: str
    outcome: Outcome
    data: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Return CloudFormation's word for it."""
        return "SUCCESS" if self.succeeded else "FAILED"

    @classmethod
    def recorded(cls, answer: Mapping[str, Any]) -> "Answer":
        """Read one back from the registry."""
        return cls(**{**answer, "outcome": Outcome(answer["outcome"])})

    def record(self) -> dict[str, Any]:
        """Return it as the registry keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Course:
    """How a request went: what it saw and did, what AWS said last, and where it stands."""

    progress: Progress = field(default_factory=Progress)
    row: Row = field(default_factory=Row)
    arn: str = ""
    problem: str = ""
    now_s: float = 0


def answer(request: Request, outcome: Outcome, course: Course) -> Answer:
    """Return what to answer to a request that ended so."""
    progress, row = course.progress, course.row
    physical_id = request.physical_id
    if row.found and progress.first and not (request.releases or request.knows):
        physical_id = str(Identity(request.server_id, row.found))
    return Answer(
        succeeded=outcome in _SUCCEEDS or (request.releases and outcome in _RELEASED),
        physical_id=physical_id,
        reason=_reason(request, outcome, course),
        outcome=outcome,
        data=_attributes(request, course) if progress.last else {},
        told={
            "server": request.server_id,
            "desired": request.desired or row.restoring,
            "previous": progress.first,
            "final": progress.last,
            "command": progress.command,
            "waited_s": round(course.now_s - request.sent_s, 1),
            "polls": progress.looks,
        },
    )


def line(event: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """Return the fields of the log line that ends a request."""
    return {
        "request": event["RequestType"],
        "stack": event["StackId"],
        "resource": event["LogicalResourceId"],
        "request_id": event["RequestId"],
        "status": answer.status,
        "outcome": answer.outcome,
        "reason": answer.reason,
        **answer.told,
    }


def _reason(request: Request, outcome: Outcome, course: Course) -> str:
    """Say in a sentence where things stand and why, in another what to do."""
    stand = _stand(request, outcome, course)
    if problem := course.progress.refusal or course.problem:
        stand += f": {problem}"
    again = "delete again, or retain the resource" if request.releases else "deploy again"
    advice = ADVICE[outcome].format(
        again=again,
        Again=again.capitalize(),
        longer=", or raise ServiceTimeout" if request.timeout_s < LONGEST_TIMEOUT_S else "",
    )
    return f"{stand[: LONGEST_REASON - len(advice) - 2]}. {advice}".rstrip()


def _stand(request: Request, outcome: Outcome, course: Course) -> str:
    server_id, progress = request.server_id, course.progress
    waited = f"{course.now_s - request.sent_s:.0f} s"
    if outcome in _TOLD:
        return _TOLD[outcome].format(
            server_id=server_id,
            owner=shorten(course.row.owner.name, _LONGEST_NAME),
            mine=shorten(request.owner.name, _LONGEST_NAME),
            waited=waited,
        )
    stand = f"{server_id} {f'is {progress.last}' if progress.last else 'was not seen'}"
    wanted = request.desired or course.row.restoring
    if outcome is not Outcome.DONE and wanted:
        stand += f", wanted {wanted}"
    if progress.command:
        stand += f", after {progress.command}"
    return f"{stand}, {waited}"


def _attributes(request: Request, course: Course) -> dict[str, str]:
    """Return what Fn::GetAtt finds."""
    return {
        "ServerId": request.server_id,
        "Arn": course.arn,
        "State": str(course.progress.last),
        "PreviousState": str(course.progress.first),
    }


def failure(outcome: Outcome, text: str, physical_id: str) -> Answer:
    """Return the answer to a request that never came to be carried out, or crashed."""
    told = text if outcome is Outcome.INVALID else f"The provider failed: {printable(text, 160)}."
    advice = ADVICE[outcome].format(again="deploy again")
    return Answer(
        succeeded=False,
        physical_id=physical_id,
        reason=f"{told} {advice}".rstrip(),
        outcome=outcome,
    )
