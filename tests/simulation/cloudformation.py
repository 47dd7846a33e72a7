"""The CloudFormation API, as a boto3 client shows it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from tests.simulation.stack import Stack

if TYPE_CHECKING:
    from tests.simulation.world import World

_EVENTS_PER_PAGE = 20


class CloudFormation:
    """The calls that tell of stacks; a deleted one is known by its id for ninety days."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        """Return one stack."""
        return self._call("DescribeStacks", StackName, lambda stack: {"Stacks": [stack.describe()]})

    def describe_stack_resource(self, StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        """Return one resource of a stack."""
        return self._call(
            "DescribeStackResource",
            StackName,
            lambda stack: {"StackResourceDetail": stack.describe_resource(LogicalResourceId)},
        )

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        """Return a page of what happened to a stack, the newest first."""
        first = int(NextToken)

        def read(stack: Stack) -> dict[str, Any]:
            events = stack.describe_events(first, _EVENTS_PER_PAGE)
            last = first + _EVENTS_PER_PAGE
            more = {"NextToken": str(last)} if len(events) == _EVENTS_PER_PAGE else {}
            return {"StackEvents": events, **more}

        return self._call("DescribeStackEvents", StackName, read)

    def _call(
        self, operation: str, stack_id: str, read: Callable[[Stack], dict[str, Any]]
    ) -> dict[str, Any]:
        world = self._world
        answer: dict[str, Any] = world.network.call(
            "cloudformation", operation, lambda: read(world.stacks[stack_id])
        )
        world.note(getcurrent().owner, "%s: %s", operation, answer)
        return answer
