"""What people are told of a request: the answer with its Reason and attributes, the log line.

This module decides nothing and calls nobody.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from transfer_server_state.declaration import LONGEST_TIMEOUT_S
from transfer_server_state.identity import Identity
from transfer_server_state.outcome import ADVICE, STANDS, Outcome
from transfer_server_state.request import Request
from transfer_server_state.row import Row
from transfer_server_state.schema import ATTRIBUTES
from transfer_server_state.words import printable, shorten

# A sentence for a person, and the id of a log line; only a declaration with many violations takes
# more than 256 characters.
LONGEST_REASON = 245
_LONGEST_NAME = 60
_SHORTEST_PROBLEM = 20
# Terraform keeps what it sent in vain of an update, so the next plan is empty.
_AGAIN = {"Delete": "delete again, or retain the resource"}
_AGAIN_IN_TERRAFORM = {
    "Create": "apply again",
    "Update": "apply again, with other Triggers if the plan is empty",
    "Delete": "destroy again",
    "Read": "plan again",
}
_SUCCEEDS = {Outcome.DONE, Outcome.RETAINED, Outcome.UNKNOWN}
# What is released and gone, or that nobody waits for, owes nothing; nor does a late deletion.
_RELEASES = _SUCCEEDS | {Outcome.GONE, Outcome.EXPIRED}
_DELETES = _RELEASES | {Outcome.SUPERSEDED}


@dataclass(frozen=True)
class Answer:
    """What CloudFormation is told, and what the log tells besides."""

    status: str
    physical_id: str
    reason: str
    outcome: str
    data: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Tell whether the request did."""
        return self.status == "SUCCESS"

    @property
    def line(self) -> dict[str, Any]:
        """Return what the log tells of it."""
        told = {"status": self.status, "outcome": self.outcome, "reason": self.reason}
        return {**told, **self.told}

    def record(self) -> dict[str, Any]:
        """Return it as the registry keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Answer":
        """Make it again; what another version of the provider wrote besides is left out."""
        return cls(**{f.name: record[f.name] for f in fields(cls) if f.name in record})


def answer(
    request: Request, outcome: Outcome, row: Row, *, now_s: float, arn: str = "", problem: str = ""
) -> Answer:
    """Return what to answer to a request that ended so; `problem` is what AWS said."""
    seen, physical_id = row.progress, request.physical_id
    if seen.first and row.found and not (request.releases or request.knows):
        physical_id = str(Identity(request.server_id, row.found))
    deletes = request.kind == "Delete"
    succeeding = _DELETES if deletes else _RELEASES if request.releases else _SUCCEEDS
    waited_s = max(0, now_s - request.sent_s)
    values = (request.server_id, arn, str(seen.last), str(seen.first))
    attributes = dict(zip(ATTRIBUTES, values, strict=True))
    told = {
        "server": request.server_id,
        "desired": request.desired or row.restoring,
        "previous": seen.first,
        "final": seen.last,
        "command": seen.command,
        "waited_s": round(waited_s, 1),
        "polls": seen.looks,
    }
    return Answer(
        "SUCCESS" if outcome in succeeding else "FAILED",
        physical_id,
        _reason(request, outcome, row, problem, waited_s),
        outcome,
        attributes if seen.last else {},
        told,
    )


def failure(outcome: Outcome, problem: str, physical_id: str) -> Answer:
    """Return the answer to a request that is not valid, or on which the provider failed."""
    told = problem if outcome is Outcome.INVALID else printable(problem)
    sentences = (STANDS[outcome].format(problem=told), ADVICE[outcome])
    return Answer("FAILED", physical_id, ". ".join(filter(None, sentences)), outcome)


def _reason(request: Request, outcome: Outcome, row: Row, problem: str, waited_s: float) -> str:
    """Say in a sentence where things stand and why, in another what to do."""
    seen, wanted = row.progress, request.desired or row.restoring
    stand = STANDS[outcome].format(
        server=request.server_id or "The server",
        is_so=f"is {seen.last}" if seen.last else "was not seen",
        was_so=f"was last seen {seen.last}" if seen.last else "was not seen",
        wanted=f", wanted {wanted}" if wanted else "",
        after=f", after {seen.command}" if seen.command and not seen.uncertain else "",
        waited=f"{waited_s:.0f} s",
        owner=shorten(row.owner.name, _LONGEST_NAME),
        mine=shorten(request.owner.name, _LONGEST_NAME),
    )
    advice = ADVICE[outcome].format(
        again=_again(request),
        longer=_longer(request),
    )
    longest = LONGEST_REASON - len(advice) - 2
    if problem:
        left = max(longest - len(stand) - 2, _SHORTEST_PROBLEM)
        stand = f"{stand}: {printable(problem, left).rstrip('.')}"
    return f"{stand[:longest]}. {advice}".rstrip()


def _longer(request: Request) -> str:
    # How long Terraform may wait, its entry point says.
    raisable = request.timeout_s < LONGEST_TIMEOUT_S and not request.owner.is_terraform
    return ", or raise ServiceTimeout" if raisable else ""


def _again(request: Request) -> str:
    if request.owner.is_terraform:
        return _AGAIN_IN_TERRAFORM[request.kind]
    return _AGAIN.get(request.kind, "deploy again")
