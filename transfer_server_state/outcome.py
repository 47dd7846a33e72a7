"""How a request can end: each ending means one thing, and has its advice.

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


# What to do, for whoever reads the Reason. {again}: deploy or delete again.
ADVICE = {
    Outcome.DONE: "",
    Outcome.FAILED: "Look at it in the Transfer Family console, ask AWS Support, then {again}.",
    Outcome.TIMED_OUT: "{Again} once it has settled{longer}.",
    Outcome.UNANSWERED: "{Again} when AWS answers.",
    Outcome.REFUSED: "Mend what AWS names, then {again}.",
    Outcome.DENIED: "Allow it in the provider's role, or where AWS says, then {again}.",
    Outcome.GONE: "Check ServerId: there is no such server in this region and account.",
    Outcome.INVALID: "",
    Outcome.RIVAL: "A server has one declaration: remove one of the two.",
    Outcome.SUPERSEDED: "Nothing was commanded since.",
    Outcome.EXPIRED: "Nothing was commanded. {Again} if it is still wanted.",
    Outcome.RETAINED: "",
    Outcome.UNKNOWN: "It is left as it is: look whether that is what you want.",
    Outcome.NOT_CONTINUED: "The provider could not invoke itself. Mend that, then {again}.",
    Outcome.CRASHED: "See the provider's log, then {again}.",
}
