"""The stack behind a request: what is asked, and what is concluded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.aws import Aws
from handler.identity import Identity
from handler.machine import State
from handler.stack import Stack
from tests.lab import STACK, Clock, client_error

SENT_S = 1_700_000_000.0
SENT = datetime.fromtimestamp(SENT_S, UTC)
SERVER, OTHER = "s-0123456789abcdef0", "s-ffffffffffffffff0"
OWN = Identity(SERVER, State.ONLINE)
CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


class Api:
    """CloudFormation with stacks by id, and pages of resources."""

    def __init__(self, stacks: dict[str, dict[str, Any]], *pages: list[dict[str, str]]) -> None:
        self.stacks, self.pages = stacks, pages
        self.unreadable_from = len(pages)
        self.asked: list[tuple[str, ...]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        self.asked.append((StackName,))
        if StackName not in self.stacks:
            raise client_error("ValidationError", 400, "DescribeStacks")
        return {"Stacks": [self.stacks[StackName]] if self.stacks[StackName] else []}

    def list_stack_resources(self, StackName: str, NextToken: str = "page 0") -> dict[str, Any]:
        self.asked.append((StackName, NextToken))
        number = int(NextToken.removeprefix("page "))
        if number >= self.unreadable_from:
            raise client_error("AccessDenied", 403, "ListStackResources")
        more = {"NextToken": f"page {number + 1}"} if number + 1 < len(self.pages) else {}
        return {"StackResourceSummaries": self.pages[number], **more}

    @property
    def stack(self) -> Stack:
        return Stack(Aws(lambda _: self), STACK, Clock().sleep)


def stack(status: str, **more: Any) -> Stack:
    return Api({STACK: {"StackStatus": status, **more}}).stack


UNREAD = Api({}).stack
NO_LONGER_LISTED = Api({STACK: {}}).stack


def test_a_phase_changes_with_the_status_and_with_each_update() -> None:
    assert stack("CREATE_IN_PROGRESS").phase() == "CREATE_IN_PROGRESS"
    updated = stack("UPDATE_IN_PROGRESS", LastUpdatedTime=SENT)
    assert updated.phase() == f"UPDATE_IN_PROGRESS {SENT}"
    assert UNREAD.phase() == NO_LONGER_LISTED.phase() == ""


def test_a_stack_is_still_in_a_phase_as_far_as_it_can_be_read() -> None:
    assert stack("UPDATE_IN_PROGRESS").is_still_in("UPDATE_IN_PROGRESS")
    assert not stack("UPDATE_IN_PROGRESS", LastUpdatedTime=SENT).is_still_in("UPDATE_IN_PROGRESS")
    assert UNREAD.is_still_in("UPDATE_IN_PROGRESS")
    assert stack("UPDATE_IN_PROGRESS").is_still_in("")


@pytest.mark.parametrize(
    ("status", "creating", "deleting"),
    [
        ("CREATE_IN_PROGRESS", True, True),
        ("UPDATE_IN_PROGRESS", True, True),
        ("ROLLBACK_IN_PROGRESS", False, True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", False, True),
        (CLEANUP, False, True),
        ("DELETE_IN_PROGRESS", False, True),
        ("CREATE_COMPLETE", False, False),
        ("ROLLBACK_COMPLETE", False, False),
        ("UPDATE_ROLLBACK_FAILED", False, False),
    ],
)
def test_a_stack_awaits_a_request_in_the_operations_that_send_such_a_one(
    status: str, *, creating: bool, deleting: bool
) -> None:
    assert stack(status).awaits(SENT_S, creates=True) is creating
    assert stack(status).awaits(SENT_S, creates=False) is deleting


@pytest.mark.parametrize(
    ("updated_after_s", "awaits"), [(-3_600, True), (2, True), (2.1, False), (3_600, False)]
)
def test_a_stack_that_was_updated_since_awaits_what_it_sent_then(
    updated_after_s: float, *, awaits: bool
) -> None:
    updated = SENT + timedelta(seconds=updated_after_s)
    asked = stack("UPDATE_IN_PROGRESS", LastUpdatedTime=updated)
    assert asked.awaits(SENT_S, creates=True) is awaits
    assert asked.awaits(SENT_S, creates=False) is awaits


def test_a_stack_that_cannot_be_read_may_await_anything() -> None:
    assert UNREAD.awaits(SENT_S, creates=True) is True
    assert NO_LONGER_LISTED.awaits(SENT_S, creates=False) is True


@pytest.mark.parametrize(
    ("phase", "now", "given_up"),
    [
        ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", True),
        ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE", True),
        ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", False),
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", False),
        ("CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", False),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", True),
        ("UPDATE_IN_PROGRESS", CLEANUP, False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", False),
    ],
)
@pytest.mark.parametrize("commanded", [True, False])
def test_a_stack_has_given_up_what_it_rolls_back(
    phase: str, now: str, *, given_up: bool, commanded: bool
) -> None:
    assert stack(now).has_given_up(phase, commanded=commanded) is given_up


@pytest.mark.parametrize("now", ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"])
def test_a_deleted_stack_has_given_up_our_own_command(now: str) -> None:
    assert stack(now).has_given_up("CREATE_IN_PROGRESS", commanded=True) is True
    assert stack(now).has_given_up("CREATE_IN_PROGRESS", commanded=False) is False


def test_a_stack_that_cannot_be_read_has_not_given_up() -> None:
    assert UNREAD.has_given_up("CREATE_IN_PROGRESS", commanded=True) is False


@pytest.mark.parametrize(
    ("status", "rolls_back"),
    [
        ("ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("DELETE_IN_PROGRESS", False),
        ("UPDATE_IN_PROGRESS", False),
        (CLEANUP, False),
    ],
)
def test_a_stack_rolls_back_if_its_status_says_so(status: str, *, rolls_back: bool) -> None:
    assert stack(status).is_rolling_back() is rolls_back


def test_of_a_stack_that_cannot_be_read_nobody_can_say_whether_it_rolls_back() -> None:
    assert UNREAD.is_rolling_back() is None
    assert NO_LONGER_LISTED.is_rolling_back() is None


@pytest.mark.parametrize(
    ("root", "rolls_back"),
    [("ROLLBACK_IN_PROGRESS", True), ("DELETE_IN_PROGRESS", False), (None, None)],
)
def test_a_nested_stack_that_is_deleted_rolls_back_with_its_root(
    root: str | None, *, rolls_back: bool | None
) -> None:
    api = Api(
        {
            STACK: {"StackStatus": "DELETE_IN_PROGRESS", "ParentId": "parent"},
            "parent": {"StackStatus": "DELETE_IN_PROGRESS", "ParentId": "root"},
        }
    )
    if root:
        api.stacks["root"] = {"StackStatus": root}
    assert api.stack.is_rolling_back() is rolls_back
    assert api.asked == [(STACK,), ("parent",), ("root",)]


def test_a_nested_stack_that_is_updated_is_not_asked_after_its_parent() -> None:
    nested = {"StackStatus": "UPDATE_IN_PROGRESS", "ParentId": "parent"}
    api = Api({STACK: nested, "parent": {"StackStatus": "ROLLBACK_IN_PROGRESS"}})
    assert api.stack.is_rolling_back() is False


def resource(**changes: str) -> dict[str, str]:
    return {
        "LogicalResourceId": "Renamed",
        "PhysicalResourceId": f"{SERVER}:from-ONLINE",
        "ResourceStatus": "UPDATE_COMPLETE",
        **changes,
    }


TOPIC = {"LogicalResourceId": "Topic", "ResourceStatus": "CREATE_COMPLETE"}


def elsewhere(*pages: list[dict[str, str]], status: str = CLEANUP) -> bool | None:
    return Api({STACK: {"StackStatus": status}}, *pages).stack.declares_elsewhere(OWN, "State")


@pytest.mark.parametrize(
    "successor",
    [
        resource(),
        resource(ResourceStatus="CREATE_IN_PROGRESS"),
        resource(PhysicalResourceId=f"{SERVER}:from-OFFLINE"),
        resource(PhysicalResourceId=f"{SERVER}:from-OFFLINE", LogicalResourceId="State"),
    ],
)
def test_another_resource_of_the_same_server_is_a_successor(successor: dict[str, str]) -> None:
    assert elsewhere([TOPIC, successor]) is True
    assert elsewhere([TOPIC], [TOPIC], [successor], [TOPIC]) is True


@pytest.mark.parametrize(
    "other",
    [
        TOPIC,
        resource(LogicalResourceId="State"),
        resource(PhysicalResourceId=f"{OTHER}:from-ONLINE"),
        resource(PhysicalResourceId="not-created"),
        resource(ResourceStatus="DELETE_IN_PROGRESS"),
        resource(ResourceStatus="DELETE_COMPLETE"),
    ],
)
def test_any_other_resource_is_none(other: dict[str, str]) -> None:
    assert elsewhere([other], [other]) is False


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "DELETE_COMPLETE"])
def test_a_resource_holds_the_server_that_its_id_names(found: str, status: str) -> None:
    own = resource(PhysicalResourceId=f"{SERVER}:from-{found}", ResourceStatus=status)
    api = Api({}, [TOPIC], [own])
    assert api.stack.holds(SERVER, "Renamed") is True
    assert api.stack.holds(SERVER, "State") is False
    assert api.stack.holds(OTHER, "Renamed") is False
    api.unreadable_from = 1
    assert api.stack.holds(SERVER, "Renamed") is None


def test_a_resource_without_an_id_of_ours_holds_nothing() -> None:
    made_up = resource(PhysicalResourceId="stack-Renamed-1H2J3K4L")
    assert Api({}, [made_up], [TOPIC]).stack.holds(SERVER, "Renamed") is False


def test_every_page_is_asked_for_once() -> None:
    api = Api({STACK: {"StackStatus": CLEANUP}}, [TOPIC], [TOPIC], [TOPIC])
    assert api.stack.declares_elsewhere(OWN, "State") is False
    assert api.asked == [(STACK,), *[(STACK, f"page {number}") for number in range(3)]]


def test_a_page_that_cannot_be_read_may_have_the_successor() -> None:
    api = Api({STACK: {"StackStatus": CLEANUP}}, [TOPIC], [TOPIC])
    for api.unreadable_from in (0, 1):
        assert api.stack.declares_elsewhere(OWN, "State") is None


def test_only_clean_up_deletes_a_predecessor() -> None:
    assert elsewhere([resource()], status="DELETE_IN_PROGRESS") is False
    assert UNREAD.declares_elsewhere(OWN, "State") is None
