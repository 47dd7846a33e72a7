"""Who has a server: how a request claims its row in the registry, or why it may not.

It decides on the row as read and on what the stacks tell, as they are passed in; it writes nothing
and moves no server. Why each rule stands is told in docs/registry.md.
"""

from dataclasses import replace
from typing import Protocol

from transfer_server_state.machine import State
from transfer_server_state.outcome import Outcome
from transfer_server_state.request import Owner, Request
from transfer_server_state.row import Row


class Stacks(Protocol):
    """What is asked of whoever knows the stacks: see aws/stack.py."""

    def rolls_back(self, owner: Owner, declared_at: float = 0) -> bool:
        """Tell whether its stack undoes what the owner declared."""

    def was_complete(self, stack_id: str, since_s: float) -> bool:
        """Tell whether a stack was complete since the operation that was under way then."""

    def has(self, owner: Owner, server_id: str) -> bool:
        """Tell whether an owner has a server, or may."""

    def lists(self, owner: Owner, server_id: str) -> bool:
        """Tell whether CloudFormation knows an owner to have a server."""

    def belong_together(self, one: Owner, other: Owner) -> bool:
        """Tell whether a server may go from one owner to the other."""


def decide(request: Request, row: Row, stacks: Stacks) -> Row | Outcome:
    """Return the row to write for a request that is not yet the row's, or why there is none.

    A row that comes out released, or still with another request, leaves nothing more to do.
    Raises what the stacks' calls raise.
    """
    if not row.supersedes(request):
        return (_release if request.releases else _declare)(request, row, stacks)
    if row.owner == request.owner or request.digest in row.past:
        return Outcome.SUPERSEDED
    if _must_succeed(request, stacks):
        return Outcome.RETAINED
    free = row.is_free or stacks.belong_together(row.owner, request.owner)
    return Outcome.SUPERSEDED if free else Outcome.RIVAL


def _must_succeed(request: Request, stacks: Stacks) -> bool:
    """Tell whether it is a release, or a rollback's Update: nothing may block it."""
    return request.releases or (request.kind == "Update" and stacks.rolls_back(request.owner))


def _declare(request: Request, row: Row, stacks: Stacks) -> Row | Outcome:
    if row.is_free:
        return _taken(request, row, None)
    if request.owner.continues(row.owner):
        if not _declares_anew(request, row, stacks):
            return row.claimed(
                request,
                owner=request.owner,
                desired=request.desired,
                reasserts=request.reasserts,
                restoring=None,
            )
    elif stacks.has(row.owner, row.server_id):
        return _take_over(request, row, stacks)
    elif row.before:
        return _declare(request, row.buried(), stacks)
    # What a lost owner never held, or still owed, is owed by whoever has the server now.
    return _taken(request, row, row.restoring or (None if row.held else row.found))


def _taken(request: Request, row: Row, owed: State | None) -> Row:
    # Who had the server before knows from the id what was found.
    known = request.identity.found if request.identity and request.knows else None
    return row.taken(request, known or owed, held=known is not None)


def _take_over(request: Request, row: Row, stacks: Stacks) -> Row | Outcome:
    """Claim it as the same resource under another name, or in another place; else as a rival."""
    if not stacks.belong_together(row.owner, request.owner):
        return Outcome.RETAINED if _must_succeed(request, stacks) else Outcome.RIVAL
    if request.knows:
        return _taken(request, row, None)
    return row.taken(request, row.found, stands=not row.restoring)


def _declares_anew(request: Request, row: Row, stacks: Stacks) -> bool:
    """Tell whether it is made again whose last deletion failed, or never came: it was retained.

    A creation after one that failed, or never answered, goes on from there.
    """
    if request.kind != "Create" or request.owner.is_terraform or not row.held:
        return False
    return stacks.was_complete(request.owner.stack_id, row.declared_at)


def _release(request: Request, row: Row, stacks: Stacks) -> Row | Outcome:
    before = None
    if row.is_free:
        target = _owed_by_id(request, row, stacks)
    elif row.before and row.before.owner == request.owner:
        return _give_up(request, row, row.before, stacks)
    elif not _is_its_own(request, row):
        return row.given_up_by(request)
    elif _clears_up(request, row, stacks):
        return Outcome.RETAINED
    elif row.restoring:
        before, target = row.before, row.restoring
    elif _is_undone(request, row, stacks):
        before, target = row.before, row.undone
    else:
        target = row.found if request.restores else None
    claimed = row.claimed(request, owner=request.owner, restoring=target, before=before)
    return claimed if target else claimed.buried()


def _give_up(request: Request, row: Row, before: Row, stacks: Stacks) -> Row | Outcome:
    """Release what another has by now: what is owed, is owed by that one if it is undone."""
    released = _release(request, before, stacks)
    if isinstance(released, Outcome):
        return released
    found = released.restoring or before.desired
    return replace(row.given_up_by(request), found=found, restoring=row.restoring and found)


def _is_its_own(request: Request, row: Row) -> bool:
    """Tell whether a release is of who has the row.

    A replacement of Terraform's has it from its success on; what it replaced is released then.
    """
    succeeded = (row.answer or {}).get("status") == "SUCCESS"
    replaced = succeeded and row.owner.instance > request.owner.instance
    return row.owner.continues(request.owner) and not replaced


def _clears_up(request: Request, row: Row, stacks: Stacks) -> bool:
    """Tell whether it is for an attempt that failed, where another has the server since.

    Its id, made up or not-created, is then not the one that CloudFormation lists.
    """
    strange = request.kind == "Delete" and not request.is_of_holder
    return strange and stacks.lists(row.owner, row.server_id)


def _is_undone(request: Request, row: Row, stacks: Stacks) -> bool:
    """Tell whether the server goes back to what it was before it was declared so."""
    if not row.held or not request.is_of_holder:
        return True
    # What is restored anyway need not be asked for.
    asks = row.before or (row.found and not request.restores)
    return bool(asks) and stacks.rolls_back(request.owner, row.declared_at)


def _owed_by_id(request: Request, row: Row, stacks: Stacks) -> State | None:
    """Of a row that was lost, the id tells what was found; what its owner released is settled."""
    if request.identity is None or row.owner == request.owner:
        return None
    owed = request.restores or stacks.rolls_back(request.owner)
    return request.identity.found if owed else None
