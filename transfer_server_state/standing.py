"""How a declared server stands, for the guard and for people.

Pure: a row, what was seen of its server, and the time.
"""

from enum import StrEnum

from transfer_server_state.machine import MOVING, State
from transfer_server_state.row import Row


class Standing(StrEnum):
    """What a look at a declared server means."""

    AS_DECLARED = "as declared"
    AT_WORK = "at work"
    # Its last request failed, or never answered; what that declared does not stand.
    FAILED = "failed"
    MOVING = "moving"
    DRIFTED = "drifted"
    GONE = "gone"


def standing(row: Row, actual: State | None, now_s: float) -> Standing:
    """Tell how a declared server stands that is `actual` now, None where there is no such one."""
    if not row.is_settled(now_s):
        return Standing.AT_WORK if row.is_at_work(now_s) else Standing.FAILED
    if actual is None:
        return Standing.GONE
    if actual is row.target:
        return Standing.AS_DECLARED
    return Standing.MOVING if actual in MOVING else Standing.DRIFTED
