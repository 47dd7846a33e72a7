"""How a request can end: each ending means one thing, and has its words and its advice.

Knows no server and no AWS.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """The ending of a request, as the log names it."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    DENIED = "denied"
    GONE = "gone"
    INVALID = "invalid"
    RIVAL = "declared elsewhere"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    RETAINED = "retained"
    UNKNOWN = "unknown"
    NOT_CONTINUED = "not continued"
    CRASHED = "crashed"


_STATE = "{server} {is_so}{wanted}{after}, {waited}"
# Of what ends with a call that failed: the last look may be old.
_WAS = "{server} {was_so}{wanted}{after}, {waited}"
# Where things stand, in the Reason.
STANDS = dict.fromkeys(Outcome, _STATE) | {
    Outcome.DONE: "{server} {is_so}{after}, {waited}",
    Outcome.UNANSWERED: _WAS,
    Outcome.DENIED: f"{_WAS}: denied",
    Outcome.NOT_CONTINUED: _WAS,
    Outcome.GONE: "{server} does not exist",
    Outcome.INVALID: "{problem}",
    Outcome.RIVAL: "{server} is declared by {owner}, so {mine} may not declare it too",
    Outcome.SUPERSEDED: "A newer request of {owner} came for {server}",
    Outcome.EXPIRED: "The request for {server} came {waited} after it was sent, too late",
    Outcome.RETAINED: "{server} is left as it is",
    Outcome.UNKNOWN: "{server} is left as it is, and whether it should be nobody could tell",
    Outcome.CRASHED: "The provider failed: {problem}",
}
# What to do, for whoever reads it. {again}: deploy or delete again.
ADVICE = dict.fromkeys(Outcome, "") | {
    Outcome.FAILED: "Look at it in the Transfer Family console, ask AWS Support, then {again}.",
    Outcome.TIMED_OUT: "Once it has settled, {again}{longer}.",
    Outcome.UNANSWERED: "When AWS answers, {again}.",
    Outcome.REFUSED: "Mend what AWS names, then {again}.",
    Outcome.DENIED: "Allow it in the provider's role, or where AWS says, then {again}.",
    Outcome.GONE: "Check ServerId: it must be in this region and account.",
    Outcome.RIVAL: "A server has one declaration: remove one of the two.",
    Outcome.SUPERSEDED: "This one does nothing more.",
    Outcome.EXPIRED: "This delivery did nothing. If it is still wanted, {again}.",
    Outcome.UNKNOWN: "Look whether it is as you want it.",
    Outcome.NOT_CONTINUED: "The provider could not invoke itself. Mend that, then {again}.",
    Outcome.CRASHED: "See its log, then deploy or delete again.",
}
