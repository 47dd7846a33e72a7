"""The stacks behind the requests: what is asked of CloudFormation, and what is concluded."""

from typing import Any

import pytest

from tests.fakes.cloudformation import CloudFormation, Stack
from tests.fakes.errors import client_error
from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.aws.stack import Stacks
from transfer_server_state.request import Owner

SERVER, OTHER = "s-0123456789abcdef0", "s-ffffffffffffffff0"
NESTED, PARENT, ROOT = (f"arn:aws:cloudformation:r:a:stack/{name}/1" for name in "npr")
OWNER = Owner(NESTED, "State")


def api(*past: str, **fields: Any) -> CloudFormation:
    """One stack that went through these statuses, a minute each from the thousandth second on."""
    stack = Stack(NESTED, **fields)
    for minute, status in enumerate(past):
        stack.become(status, 1_000 + 60 * minute)
    return CloudFormation(stack)


def stacks(cloudformation: CloudFormation) -> Stacks:
    clients = {"cloudformation": cloudformation}
    return Stacks(Aws(clients.__getitem__))


# What a stack undoes


@pytest.mark.parametrize(
    ("status", "rolls_back"),
    [
        ("ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("CREATE_IN_PROGRESS", False),
        ("UPDATE_IN_PROGRESS", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("ROLLBACK_COMPLETE", False),
        ("UPDATE_ROLLBACK_FAILED", False),
    ],
)
def test_a_stack_undoes_what_was_declared_while_it_rolls_back(
    status: str, *, rolls_back: bool
) -> None:
    assert stacks(api(status)).rolls_back(OWNER) is rolls_back


@pytest.mark.parametrize(
    ("past", "rolls_back"),
    [
        (["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], False),
        (["CREATE_IN_PROGRESS"], True),
        (["CREATE_IN_PROGRESS", "CREATE_FAILED"], True),
        (["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"], True),
        (["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_FAILED"], True),
        (["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"], False),
        (["CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED"], False),
        ([], False),
    ],
)
def test_the_deletion_of_a_stack_undoes_what_never_was_complete(
    past: list[str], *, rolls_back: bool
) -> None:
    deleted = stacks(api(*past, "DELETE_IN_PROGRESS"))
    assert deleted.rolls_back(OWNER, declared_at=1_030) is rolls_back


@pytest.mark.parametrize(
    ("declared_at", "rolls_back"), [(1_118, False), (1_119, True), (1_200, True)]
)
def test_the_deletion_of_a_stack_leaves_what_an_earlier_operation_declared(
    declared_at: float, *, rolls_back: bool
) -> None:
    """Of the declaration only the second is known."""
    update = ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"]
    deleted = stacks(api("CREATE_IN_PROGRESS", "CREATE_COMPLETE", *update, "DELETE_IN_PROGRESS"))
    assert deleted.rolls_back(OWNER, declared_at) is rolls_back


class WithResources(CloudFormation):
    """Its resources are at work in events of the same statuses."""

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        page = super().describe_stack_events(StackName, NextToken)
        event = {"PhysicalResourceId": "x", "ResourceStatus": "CREATE_COMPLETE"}
        return page | {"StackEvents": [event, *page["StackEvents"], event]}


def test_only_the_stack_s_own_events_count() -> None:
    stack = api("CREATE_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_IN_PROGRESS").stacks[NESTED]
    assert stacks(WithResources(stack)).rolls_back(OWNER, declared_at=1_030)


def test_a_deletion_looks_back_ten_pages_and_no_further() -> None:
    failed = ["DELETE_IN_PROGRESS", "DELETE_FAILED"] * 20
    cloudformation = api("CREATE_IN_PROGRESS", *failed, "DELETE_IN_PROGRESS")
    assert not stacks(cloudformation).rolls_back(OWNER, declared_at=1_030)
    assert cloudformation.calls.count("DescribeStackEvents") == 10


@pytest.mark.parametrize(
    ("root", "rolls_back"),
    [("ROLLBACK_IN_PROGRESS", True), ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False)],
)
def test_a_nested_stack_that_is_deleted_undoes_what_its_root_undoes(
    root: str, *, rolls_back: bool
) -> None:
    cloudformation = api("DELETE_IN_PROGRESS", parent_id=PARENT)
    cloudformation.stacks[PARENT] = Stack(PARENT, "DELETE_IN_PROGRESS", parent_id=ROOT)
    cloudformation.stacks[ROOT] = Stack(ROOT, root)
    assert stacks(cloudformation).rolls_back(OWNER) is rolls_back
    assert cloudformation.calls == ["DescribeStacks"] * 3


def test_the_deletion_of_a_root_asks_for_the_root_s_own_past() -> None:
    cloudformation = api("DELETE_IN_PROGRESS", parent_id=ROOT)
    cloudformation.stacks[ROOT] = Stack(ROOT)
    for at_s, status in ((1_000, "CREATE_IN_PROGRESS"), (1_060, "DELETE_IN_PROGRESS")):
        cloudformation.stacks[ROOT].become(status, at_s)
    assert stacks(cloudformation).rolls_back(OWNER, declared_at=1_030)


def test_a_nested_stack_that_is_updated_is_not_asked_after_its_parent() -> None:
    cloudformation = api("UPDATE_IN_PROGRESS", parent_id=PARENT)
    cloudformation.stacks[PARENT] = Stack(PARENT, "ROLLBACK_IN_PROGRESS")
    assert not stacks(cloudformation).rolls_back(OWNER)


# Who has a server


def listed(physical_id: str, status: str = "UPDATE_COMPLETE") -> CloudFormation:
    return api(status, resources={"State": physical_id})


@pytest.mark.parametrize("found", ["ONLINE", "OFFLINE"])
def test_an_owner_has_the_server_that_its_id_names(found: str) -> None:
    has = stacks(listed(f"{SERVER}:from-{found}")).has
    assert has(OWNER, SERVER)
    assert not has(OWNER, OTHER)
    assert not has(Owner(NESTED, "Renamed"), SERVER)


@pytest.mark.parametrize(
    "status", ["CREATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"]
)
def test_nobody_is_gone_while_its_stack_is_at_work_or_stuck(status: str) -> None:
    assert stacks(api(status)).has(OWNER, SERVER)
    assert stacks(listed("made-up-1H2J", status)).has(OWNER, SERVER)


@pytest.mark.parametrize(
    "status",
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"],
)
def test_an_owner_that_a_stack_at_rest_does_not_list_is_gone(status: str) -> None:
    assert not stacks(api(status)).has(OWNER, SERVER)
    assert not stacks(listed("made-up-1H2J", status)).has(OWNER, SERVER)


def test_an_owner_whose_stack_was_deleted_is_gone() -> None:
    assert not stacks(listed(f"{SERVER}:from-ONLINE", "DELETE_COMPLETE")).has(OWNER, SERVER)
    assert not stacks(CloudFormation()).has(OWNER, SERVER)


class Retaining(CloudFormation):
    """What it lists was left out of its stack by a DeletionPolicy."""

    def describe_stack_resource(self, StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        found = super().describe_stack_resource(StackName, LogicalResourceId)
        detail = found["StackResourceDetail"] | {"ResourceStatus": "DELETE_SKIPPED"}
        return {"StackResourceDetail": detail}


def test_an_owner_that_its_stack_left_behind_is_gone() -> None:
    stack = listed(f"{SERVER}:from-ONLINE").stacks[NESTED]
    assert not stacks(Retaining(stack)).has(OWNER, SERVER)


# Who belongs together


def test_what_is_terraform_s_belongs_to_no_stack_and_nobody_is_asked() -> None:
    cloudformation = CloudFormation()
    terraform = Owner.in_terraform("files")
    for one, other in ((OWNER, terraform), (terraform, OWNER)):
        assert not stacks(cloudformation).belong_together(one, other)
    assert cloudformation.calls == []


def test_resources_of_one_stack_belong_together_without_a_call() -> None:
    cloudformation = CloudFormation()
    assert stacks(cloudformation).belong_together(OWNER, Owner(NESTED, "Renamed"))
    assert cloudformation.calls == []


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [(ROOT, ROOT, True), (ROOT, "", False), (ROOT, PARENT, False), ("", "", False)],
)
def test_stacks_nested_in_one_root_belong_together(one: str, other: str, *, together: bool) -> None:
    cloudformation = CloudFormation(
        Stack(NESTED, root_id=one), Stack(OTHER, root_id=other), Stack(ROOT)
    )
    assert stacks(cloudformation).belong_together(OWNER, Owner(OTHER, "State")) is together


def test_a_nested_stack_belongs_together_with_its_root() -> None:
    cloudformation = CloudFormation(Stack(NESTED, root_id=ROOT), Stack(ROOT))
    assert stacks(cloudformation).belong_together(OWNER, Owner(ROOT, "State"))


# What cannot be read


@pytest.mark.parametrize("operation", ["DescribeStackResource", "DescribeStacks"])
def test_a_denial_is_no_absence(operation: str) -> None:
    cloudformation = api("UPDATE_COMPLETE")
    cloudformation.denied = {operation}
    with pytest.raises(RefusedError, match=f"cloudformation:{operation}: AccessDenied"):
        stacks(cloudformation).has(OWNER, SERVER)


def test_another_validation_error_is_no_absence() -> None:
    cloudformation = api("UPDATE_COMPLETE")
    cloudformation.failures.append(client_error("ValidationError", 400, "x", "1 error detected"))
    with pytest.raises(RefusedError, match="1 error detected"):
        stacks(cloudformation).has(OWNER, SERVER)


def test_throttling_is_passed_on() -> None:
    cloudformation = api("ROLLBACK_IN_PROGRESS")
    cloudformation.failures.append(client_error("Throttling", 400, "DescribeStacks"))
    with pytest.raises(UnavailableError, match="cloudformation:DescribeStacks: Throttling"):
        stacks(cloudformation).rolls_back(OWNER)
