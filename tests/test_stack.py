"""The stacks behind the requests: what is asked of CloudFormation, and what is concluded."""

import pytest

from tests.fakes.account import STACK
from tests.fakes.cloudformation import CloudFormation, Stack
from tests.fakes.errors import client_error
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.request import Owner

SERVER, OTHER = "s-0123456789abcdef0", "s-ffffffffffffffff0"
OWNER = Owner(STACK, "State")
PARENT = STACK.replace("demo", "parent")


def stacks(*known: Stack) -> Stacks:
    api = CloudFormation(*known)
    return Stacks(Aws(lambda _: api))


def in_status(status: str, **more: str) -> Stack:
    return Stack(STACK, status, **more)


@pytest.mark.parametrize(
    ("status", "undoes"),
    [
        ("ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("CREATE_IN_PROGRESS", False),
        ("UPDATE_IN_PROGRESS", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("UPDATE_COMPLETE", False),
        ("ROLLBACK_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
    ],
)
def test_a_stack_undoes_what_it_did_while_it_rolls_back(status: str, *, undoes: bool) -> None:
    assert stacks(in_status(status)).undoes(OWNER) is undoes


@pytest.mark.parametrize(
    ("status", "undoes"),
    [("ROLLBACK_IN_PROGRESS", True), ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False)],
)
def test_a_nested_stack_is_deleted_where_its_parent_rolls_back(
    status: str, *, undoes: bool
) -> None:
    child = in_status("DELETE_IN_PROGRESS", parent_id=PARENT)
    assert stacks(child, Stack(PARENT, status)).undoes(OWNER) is undoes


CREATED, ROLLED = (100.0, "CREATE_IN_PROGRESS"), (110.0, "ROLLBACK_IN_PROGRESS")
COMPLETE, UPDATED = (105.0, "CREATE_COMPLETE"), (200.0, "UPDATE_IN_PROGRESS")
UNDONE, FAILED = (210.0, "UPDATE_ROLLBACK_IN_PROGRESS"), (220.0, "UPDATE_ROLLBACK_FAILED")
DELETED, STUCK = (300.0, "DELETE_IN_PROGRESS"), (310.0, "DELETE_FAILED")


@pytest.mark.parametrize(
    ("past", "declared_at", "undoes"),
    [
        pytest.param([CREATED, COMPLETE, DELETED], 101, False, id="a plain deletion"),
        pytest.param([CREATED, DELETED], 101, True, id="OnFailure: DELETE"),
        pytest.param([CREATED, DELETED, STUCK, DELETED], 101, True, id="its second try"),
        pytest.param(
            [CREATED, ROLLED, (120, "ROLLBACK_FAILED"), DELETED], 101, True, id="a failed rollback"
        ),
        pytest.param(
            [CREATED, COMPLETE, UPDATED, UNDONE, FAILED, DELETED], 201, True, id="of an update"
        ),
        pytest.param(
            [CREATED, COMPLETE, UPDATED, UNDONE, FAILED, DELETED], 199, True, id="a second"
        ),
        pytest.param(
            [CREATED, COMPLETE, UPDATED, UNDONE, FAILED, DELETED], 101, False, id="declared before"
        ),
        pytest.param(
            [CREATED, COMPLETE, UPDATED, UNDONE, (230, "UPDATE_ROLLBACK_COMPLETE"), DELETED],
            201,
            False,
            id="a rollback that went well",
        ),
        pytest.param([], 101, False, id="no events"),
    ],
)
def test_a_deletion_undoes_what_was_never_complete(
    past: list[tuple[float, str]], declared_at: float, *, undoes: bool
) -> None:
    stack = in_status("DELETE_IN_PROGRESS")
    stack.past = past
    assert stacks(stack).undoes(OWNER, declared_at) is undoes


def test_it_looks_back_ten_pages_of_events_and_no_further() -> None:
    stack = in_status("DELETE_IN_PROGRESS")
    stack.past = [CREATED, *[DELETED] * 19]
    assert stacks(stack).undoes(OWNER, 101) is True
    stack.past = [CREATED, *[DELETED] * 20]
    assert stacks(stack).undoes(OWNER, 101) is False


@pytest.mark.parametrize(
    ("status", "listed", "has"),
    [
        ("UPDATE_COMPLETE", f"{SERVER}:from-ONLINE", True),
        ("UPDATE_COMPLETE", f"{OTHER}:from-ONLINE", False),
        ("UPDATE_IN_PROGRESS", f"{OTHER}:from-ONLINE", True),
        ("UPDATE_ROLLBACK_FAILED", f"{OTHER}:from-ONLINE", True),
        ("CREATE_IN_PROGRESS", None, True),
        ("CREATE_COMPLETE", None, False),
        ("ROLLBACK_COMPLETE", "not-created", False),
        ("DELETE_COMPLETE", f"{SERVER}:from-ONLINE", False),
        ("DELETE_FAILED", f"{SERVER}:from-ONLINE", True),
    ],
)
def test_an_owner_has_a_server_that_is_listed_or_may_come_to_be(
    status: str, listed: str | None, *, has: bool
) -> None:
    stack = in_status(status)
    stack.resources = {} if listed is None else {"State": listed}
    assert stacks(stack).has(OWNER, SERVER) is has


def test_a_stack_that_is_forgotten_has_nothing() -> None:
    assert stacks().has(OWNER, SERVER) is False


def test_what_cannot_be_read_is_no_answer() -> None:
    api = CloudFormation(in_status("CREATE_COMPLETE"))
    api.failures.append(client_error("AccessDenied", 403, "DescribeStackResource"))
    with pytest.raises(RefusedError, match="cloudformation:DescribeStackResource"):
        Stacks(Aws(lambda _: api)).has(OWNER, SERVER)
    api.failures.append(client_error("Throttling", 400, "DescribeStacks"))
    with pytest.raises(UnavailableError):
        Stacks(Aws(lambda _: api)).undoes(OWNER)


def test_stacks_belong_together_that_are_one_or_have_one_root() -> None:
    child, sibling = (STACK.replace("demo", name) for name in ("child", "sibling"))
    known = stacks(
        Stack(PARENT),
        Stack(child, root_id=PARENT),
        Stack(sibling, root_id=PARENT),
        Stack(STACK),
    )
    one = Owner(child, "State")
    assert known.belong_together(one, Owner(child, "Other"))
    assert known.belong_together(one, Owner(sibling, "State"))
    assert known.belong_together(one, Owner(PARENT, "State"))
    assert not known.belong_together(one, OWNER)
