"""Who may claim a row, and as what: each rule on the row as read, with stacks to ask."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.cloudformation import CloudFormation, Stack
from transfer_server_state.aws.client import Aws
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.claim import decide
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State
from transfer_server_state.outcome import Outcome
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner, Request
from transfer_server_state.row import Row

ON, OFF = State.ONLINE, State.OFFLINE
SERVER = "s-0123456789abcdef0"
STACK, OTHER_STACK, ROOT = (f"arn:aws:cloudformation:r:a:stack/{name}/1" for name in "sor")
OWNER, RIVAL = Owner(STACK, "State"), Owner(OTHER_STACK, "State")
FROM_ONLINE = Identity(SERVER, ON)
CREATE = Request(
    kind="Create",
    owner=OWNER,
    digest="new",
    sent_s=2_000,
    timeout_s=3_600,
    server_id=SERVER,
    desired=OFF,
    restores=False,
    reasserts=False,
    physical_id="not-created",
    identity=None,
    abandoned="",
    doubted=False,
)
UPDATE = replace(CREATE, kind="Update", identity=FROM_ONLINE)
DELETE = replace(UPDATE, kind="Delete", desired=None)
NONE = Row(SERVER)
OWN = Row(
    SERVER, OWNER, ON, ON, "old", sent_at=1_000, declared_at=1_000, held=True, version=1
)  # fmt: skip
RIVALS = replace(OWN, owner=RIVAL)
TOMB = OWN.buried()


def claimed(request: Request, row: Row, stack: str = "UPDATE_IN_PROGRESS", **other: Any) -> Any:
    """Decide with the request's stack in a status, and the rival's as told."""
    cloudformation = CloudFormation(Stack(STACK, stack, root_id=ROOT))
    cloudformation.stacks[OTHER_STACK] = Stack(
        OTHER_STACK,
        **{"status": "UPDATE_COMPLETE", "resources": {"State": str(FROM_ONLINE)}} | other,
    )
    for at_s, status in ((500, "CREATE_IN_PROGRESS"), (600, "CREATE_COMPLETE"), (1_900, stack)):
        cloudformation.stacks[STACK].become(status, at_s)
    clients = {"cloudformation": cloudformation}
    return decide(request, row, Stacks(Aws(clients.__getitem__)))


def new(row: Row, **changes: Any) -> Row:
    """A row with the new request at work."""
    past = ("old",) if row.request else ()
    fresh: dict[str, Any] = {"request": "new", "sent_at": 2_000, "past": past, "released": False}
    return replace(row, **fresh | {"expires_at": 0, "owner": OWNER} | changes)


# Declaring


@pytest.mark.parametrize("row", [NONE, TOMB], ids=["none", "tombstone"])
def test_a_server_that_nobody_has_is_taken(row: Row) -> None:
    assert claimed(CREATE, row) == new(row, desired=OFF, declared_at=2_000)


def test_what_was_found_comes_from_the_id_if_the_row_was_lost() -> None:
    assert claimed(UPDATE, NONE) == new(NONE, desired=OFF, declared_at=2_000, found=ON, held=True)
    of_another = replace(UPDATE, identity=Identity("s-ffffffffffffffff0", ON))
    assert claimed(of_another, NONE).found is None


@pytest.mark.parametrize(("request_", "held"), [(CREATE, False), (UPDATE, True)])
def test_an_own_row_is_claimed_with_what_was_found_and_held(
    request_: Request, *, held: bool
) -> None:
    own = replace(OWN, held=held)
    owed = replace(own, restoring=ON, answer={}, progress=Progress(first=ON, last=ON))
    assert claimed(request_, owed) == new(own, desired=OFF)


def test_what_is_made_again_after_its_stack_was_complete_is_declared_anew() -> None:
    before = replace(OWN, declared_at=500)
    anew = new(before, desired=OFF, declared_at=2_000, found=None, held=False)
    assert claimed(CREATE, before) == anew
    assert claimed(CREATE, replace(before, restoring=ON)) == replace(anew, found=ON)
    # What is tried again, because it failed or its answer was lost, goes on.
    assert claimed(CREATE, replace(before, held=False)).found is ON
    assert claimed(CREATE, before, "CREATE_IN_PROGRESS").found is ON
    assert claimed(UPDATE, before).found is ON


def test_a_living_rival_s_server_is_refused() -> None:
    assert claimed(UPDATE, RIVALS) is Outcome.RIVAL
    assert claimed(replace(CREATE, sent_s=999), RIVALS) is Outcome.RIVAL
    assert claimed(CREATE, RIVALS, "CREATE_IN_PROGRESS") is Outcome.RIVAL


def test_a_rival_whose_stack_is_at_work_is_no_gone_one() -> None:
    at_work = claimed(UPDATE, RIVALS, status="DELETE_IN_PROGRESS", resources={})
    assert at_work is Outcome.RIVAL


# An update that brings the server in, whose id is of another.
NEW_THERE = replace(UPDATE, identity=None)


def test_no_rivalry_blocks_a_rollback() -> None:
    assert claimed(UPDATE, RIVALS, "UPDATE_ROLLBACK_IN_PROGRESS") is Outcome.RETAINED


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (RIVALS, None),
        (replace(RIVALS, held=False), ON),
        (replace(RIVALS, restoring=OFF), OFF),
    ],
    ids=["held", "never held", "owed"],
)
def test_a_gone_owner_s_server_is_taken_with_what_that_still_owed(
    row: Row, found: State | None
) -> None:
    taken = new(row, desired=OFF, declared_at=2_000, found=found, held=False, restoring=None)
    assert claimed(NEW_THERE, row, resources={}) == taken


RENAMED = replace(OWN, owner=Owner(STACK, "Old"), desired=OFF)


@pytest.mark.parametrize("row", [RIVALS, RENAMED], ids=["moved", "renamed"])
def test_a_resource_of_the_same_root_takes_over_until_it_is_undone(row: Row) -> None:
    taken = new(row, desired=OFF, declared_at=2_000, held=False, before=row)
    assert claimed(NEW_THERE, row, root_id=ROOT) == taken
    owed = replace(row, restoring=ON)
    assert claimed(NEW_THERE, owed, root_id=ROOT).before is None


def test_what_is_undone_is_owed_to_who_had_it_before_and_what_is_deleted_is_not() -> None:
    row = replace(OWN, before=RENAMED)
    undone = claimed(DELETE, row, "UPDATE_ROLLBACK_IN_PROGRESS")
    assert undone == new(row, restoring=OFF)
    assert undone.buried().owner == RENAMED.owner
    assert claimed(DELETE, replace(row, held=False)).before == RENAMED
    assert claimed(replace(DELETE, restores=True), row) == new(row, restoring=ON, before=None)
    assert claimed(DELETE, row) == new(OWN).buried()


@pytest.mark.parametrize("more", [{"resources": {}}, {"root_id": ROOT}], ids=["gone", "moved"])
def test_who_had_the_server_before_knows_from_the_id_what_was_found(more: dict[str, Any]) -> None:
    taken = new(RIVALS, desired=OFF, declared_at=2_000, found=ON, held=True)
    assert claimed(UPDATE, replace(RIVALS, found=OFF), **more) == taken


# Releasing


def test_what_was_held_and_is_just_deleted_is_buried() -> None:
    assert claimed(DELETE, OWN) == new(OWN).buried()


@pytest.mark.parametrize(
    ("request_", "row", "stack"),
    [
        (replace(DELETE, restores=True), OWN, "UPDATE_IN_PROGRESS"),
        (replace(DELETE, identity=None), OWN, "UPDATE_IN_PROGRESS"),
        (DELETE, replace(OWN, held=False), "UPDATE_IN_PROGRESS"),
        (DELETE, replace(OWN, restoring=ON, found=OFF), "UPDATE_IN_PROGRESS"),
        (DELETE, OWN, "UPDATE_ROLLBACK_IN_PROGRESS"),
    ],
    ids=["RESTORE", "an id made up", "never held", "still owed", "rolling back"],
)
def test_what_a_deletion_owes_is_claimed_with_it(request_: Request, row: Row, stack: str) -> None:
    assert claimed(request_, row, stack) == new(row, restoring=ON)


@pytest.mark.parametrize(
    ("request_", "stack", "owed"),
    [
        (DELETE, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", OFF),
        (replace(DELETE, restores=True), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ON),
        (DELETE, "ROLLBACK_IN_PROGRESS", ON),
    ],
)
def test_what_the_old_one_owes_the_new_one_owes_if_it_is_undone(
    request_: Request, stack: str, owed: State
) -> None:
    old = replace(OWN, desired=OFF, found=ON)
    row = replace(OWN, owner=Owner(STACK, "New"), before=old, found=None)
    left = replace(row, given_up={str(OWNER): 2_000}, before=None, found=owed)
    assert claimed(request_, row, stack) == left
    # Its undoing may be under way.
    undone = replace(row, restoring=OFF)
    assert claimed(request_, undone, stack) == replace(left, restoring=owed)


def test_where_nobody_looked_nothing_is_owed() -> None:
    unseen = replace(OWN, found=None, held=False)
    assert claimed(DELETE, unseen, "ROLLBACK_IN_PROGRESS") == new(unseen).buried()


@pytest.mark.parametrize(
    ("request_", "stack", "owed"),
    [
        (DELETE, "UPDATE_IN_PROGRESS", None),
        (DELETE, "ROLLBACK_IN_PROGRESS", ON),
        (replace(DELETE, restores=True), "UPDATE_IN_PROGRESS", ON),
        (replace(DELETE, identity=None, restores=True), "ROLLBACK_IN_PROGRESS", None),
    ],
)
def test_without_a_row_a_deletion_goes_by_its_id(
    request_: Request, stack: str, owed: State | None
) -> None:
    released = claimed(request_, NONE, stack)
    assert (released.restoring, released.released) == (owed, owed is None)
    assert (released.owner, released.request) == (OWNER, "new")


def test_what_was_released_before_is_not_restored_again() -> None:
    assert claimed(replace(DELETE, restores=True), TOMB).released


def test_the_row_of_another_is_left_to_it() -> None:
    """But its version goes up, so that a claim which is under way fails."""
    left = claimed(replace(DELETE, identity=None, restores=True), RIVALS, "ROLLBACK_IN_PROGRESS")
    assert left == replace(RIVALS, given_up={str(OWNER): 2_000})


@pytest.mark.parametrize(("sent_s", "late"), [(1_999, True), (2_000, True), (2_001, False)])
def test_what_was_given_up_no_earlier_request_of_its_owner_claims(
    sent_s: float, *, late: bool
) -> None:
    tomb = claimed(DELETE, RIVALS).buried()
    decided = claimed(replace(CREATE, sent_s=sent_s), tomb)
    assert (decided is Outcome.SUPERSEDED) is late
    assert claimed(replace(CREATE, owner=RIVAL, sent_s=1_500), tomb).request == "new"


def test_of_those_who_gave_up_the_last_eight_are_remembered() -> None:
    row = RIVALS
    for number in range(10):
        row = claimed(replace(DELETE, owner=Owner(STACK, str(number))), row)
    assert [Owner.parse(owner).logical_id for owner in row.given_up] == list("23456789")


# Too late


@pytest.mark.parametrize(
    ("request_", "row"),
    [
        (replace(CREATE, sent_s=999), OWN),
        (replace(CREATE, sent_s=999), RIVALS.buried()),
        (replace(DELETE, sent_s=999), OWN),
        (CREATE, replace(OWN, past=("new",))),
        (replace(CREATE, sent_s=1_000), TOMB),
        (replace(UPDATE, sent_s=1_000), replace(OWN, restoring=ON)),
    ],
    ids=["older", "than a tombstone", "a deletion", "past", "tie: released", "tie: being restored"],
)
def test_who_comes_too_late_is_superseded(request_: Request, row: Row) -> None:
    assert claimed(request_, row) is Outcome.SUPERSEDED


@pytest.mark.parametrize(
    ("request_", "row"),
    [
        (replace(DELETE, sent_s=1_000), OWN),
        (replace(UPDATE, sent_s=1_000), OWN),
        (replace(CREATE, sent_s=1_000), RIVALS.buried()),
        (replace(DELETE, sent_s=1_000), replace(OWN, restoring=ON)),
    ],
    ids=["deletion last", "updates", "of others", "deletions"],
)
def test_of_the_same_second_nothing_but_a_release_supersedes(request_: Request, row: Row) -> None:
    assert claimed(request_, row).request == "new"
