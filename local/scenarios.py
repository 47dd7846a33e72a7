"""The walk: what the provider promises, step by step, each with its outcome asserted.

`make run` shows it and the end-to-end tests run it. It must not know how it is shown.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from local.cloudformation_stack import Stack
from local.engine import ROOT, Engine

TEMPLATE = (ROOT / "examples" / "existing-server.yaml").read_text()
SERVER_AND_STATE = (ROOT / "examples" / "server-and-state.yaml").read_text()
_WITH_A_TYPO = TEMPLATE.replace("DesiredState: !Ref DesiredState", "DesiredState: OFLINE")
# A signal that nobody sends: a deployment may fail for any reason after the server was stopped.
_THAT_FAILS_AFTERWARDS = TEMPLATE.replace(
    "\nOutputs:\n",
    """
  NobodySignals:
    Type: AWS::CloudFormation::WaitConditionHandle

  FailsAfterwards:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: State
    Properties:
      Handle: !Ref NobodySignals
      Timeout: "1"

Outputs:
""",
)


# The emulator tells its times on the machine's monotonic clock, CloudFormation on the wall's.
_CLOCKS_DIFFER_S = time.time() - time.monotonic()


class DiffersError(Exception):
    """What came about is not what is promised; the message names both."""


class Kind(IntEnum):
    """Where something was seen; the order in which simultaneous things are told."""

    STACK = 0
    CALL = 1
    SERVER = 2


@dataclass(frozen=True)
class Sight:
    """Something that happened: an event of a stack, a call of the Transfer API, or a new state.

    `at_s` is in seconds since the epoch; `subject` the stack and its resource, `text` a status, an
    operation or a state.
    """

    at_s: float
    kind: Kind
    subject: str
    text: str
    reason: str = ""


@dataclass
class World:
    """One server, the stacks that declare it, and how much has been seen of them."""

    engine: Engine
    audience: Callable[[Sight], None]
    server_id: str = ""
    stacks: dict[str, Stack] = field(default_factory=dict)
    _events: dict[str, int] = field(default_factory=dict)
    _calls: int = 0
    _states: int = 0

    def open(self, *, transition_s: float) -> None:
        """Make the server; it takes its time to start and to stop."""
        self.engine.control("PATCH", "settings", {"start_s": transition_s, "stop_s": transition_s})
        self.watch(self.engine.client("transfer").create_server()["ServerId"])
        self._calls = self.engine.control("GET", "calls")[-1]["number"]
        self.look()

    def watch(self, server_id: str) -> None:
        """Take this server for the one; its past is of no interest."""
        self.server_id = server_id
        self._states = len(self._history()) - 1

    def deploy(self, name: str, template: str = TEMPLATE, **declared: str) -> str:
        """Deploy a stack by change set, and return the status that it ends in."""
        stack = self.stacks.setdefault(name, Stack(self.engine.client("cloudformation"), name))
        if template != SERVER_AND_STATE:
            declared = {"ServerId": self.server_id, **declared}
        stack.change(template, declared)
        return stack.settled(self.look)

    def delete(self, name: str) -> str:
        """Delete a stack, and return the status that it ends in."""
        self.stacks[name].delete()
        return self.stacks[name].settled(self.look)

    def state(self) -> str:
        """Return the server's true state."""
        return str(self._history()[-1]["state"])

    def reasons(self, name: str) -> list[str]:
        """Return why the stack's resources failed, the latest last."""
        return [
            event.get("ResourceStatusReason", "")
            for event in self.stacks[name].events()
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def look(self) -> None:
        """Tell the audience what has happened since the last look, in its order."""
        # States before calls, so that none is told before the call that caused it.
        sights = [*self._new_events(), *self._new_states(), *self._new_calls()]
        for sight in sorted(sights, key=lambda sight: (sight.at_s, sight.kind)):
            self.audience(sight)

    def _new_calls(self) -> Iterator[Sight]:
        for call in self.engine.control("GET", f"calls?after={self._calls}"):
            self._calls = call["number"]
            yield Sight(call["at_s"] + _CLOCKS_DIFFER_S, Kind.CALL, "", call["operation"])

    def _new_states(self) -> Iterator[Sight]:
        for change in self._history()[self._states :]:
            self._states += 1
            since_s = change["since_s"]
            at_s = time.time() if since_s is None else since_s + _CLOCKS_DIFFER_S
            yield Sight(at_s, Kind.SERVER, self.server_id, change["state"])

    def _history(self) -> list[dict[str, Any]]:
        return list(self.engine.control("GET", f"servers/{self.server_id}")["history"])

    def _new_events(self) -> Iterator[Sight]:
        for name, stack in self.stacks.items():
            events = stack.events()
            for event in events[self._events.get(name, 0) :]:
                resource = event["LogicalResourceId"]
                yield Sight(
                    event["Timestamp"].timestamp(),
                    Kind.STACK,
                    name if resource == name else f"{name}/{resource}",
                    event["ResourceStatus"],
                    event.get("ResourceStatusReason", ""),
                )
            self._events[name] = len(events)


def _expect(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise DiffersError(f"{what} is {found}, and should be {wanted}.")


def _expect_reason(world: World, name: str, *parts: str) -> None:
    reasons = world.reasons(name)
    last = reasons[-1] if reasons else "missing"
    for part in parts:
        if part not in last:
            raise DiffersError(f"The reason is {last!r}, and should name {part!r}.")


def _declares_offline(world: World) -> None:
    _expect("The stack", world.deploy("night", DesiredState="OFFLINE"), "CREATE_COMPLETE")
    _expect("The server", world.state(), "OFFLINE")


def _updates_to_online(world: World) -> None:
    _expect("The stack", world.deploy("night", DesiredState="ONLINE"), "UPDATE_COMPLETE")
    _expect("The server", world.state(), "ONLINE")


def _rolls_back_when_the_stop_fails(world: World) -> None:
    world.engine.control("PATCH", f"servers/{world.server_id}/settings", {"stop_failures": 1})
    status = world.deploy("night", DesiredState="OFFLINE")
    _expect("The stack", status, "UPDATE_ROLLBACK_COMPLETE")
    _expect_reason(world, "night", world.server_id, "STOP_FAILED")
    _expect("The server", world.state(), "ONLINE")


def _leaves_the_server(world: World) -> None:
    _expect("The stack", world.delete("night"), "DELETE_COMPLETE")
    _expect("The server", world.state(), "ONLINE")


def _leaves_no_trace_when_another_resource_fails(world: World) -> None:
    status = world.deploy("cutover", _THAT_FAILS_AFTERWARDS, DesiredState="OFFLINE")
    _expect("The stack", status, "ROLLBACK_COMPLETE")
    stopped = [
        event["ResourceStatus"]
        for event in world.stacks["cutover"].events()
        if event["LogicalResourceId"] == "State"
    ]
    _expect(
        "What became of the declaration",
        " then ".join(stopped),
        " then ".join(
            ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
        ),
    )
    _expect("The server", world.state(), "ONLINE")


def _refuses_a_rival_by_name(world: World) -> None:
    status = world.deploy("rival", DesiredState="OFFLINE")
    _expect("The stack", status, "ROLLBACK_COMPLETE")
    _expect_reason(world, "rival", "night/State", "rival/State")
    _expect("The server", world.state(), "ONLINE")


def _refuses_an_invalid_declaration(world: World) -> None:
    status = world.deploy("typo", _WITH_A_TYPO, DesiredState="OFFLINE")
    _expect("The stack", status, "ROLLBACK_COMPLETE")
    _expect_reason(world, "typo", "DesiredState", "OFLINE", "OFFLINE")
    _expect("The server", world.state(), "ONLINE")


def _deletes_the_stacks(world: World) -> None:
    for name in ("rival", "cutover", "typo"):
        _expect(f"The stack {name}", world.delete(name), "DELETE_COMPLETE")
    _expect("The server", world.state(), "ONLINE")


def _declares_a_server_and_its_state(world: World) -> None:
    _expect("The stack", world.deploy("together", SERVER_AND_STATE), "CREATE_COMPLETE")
    world.watch(world.stacks["together"].outputs()["ServerId"])
    _expect("The server", world.state(), "OFFLINE")


def _asserts_offline_after_a_restart(world: World) -> None:
    policy = "TransferSecurityPolicy-2020-06"
    status = world.deploy("together", SERVER_AND_STATE, SecurityPolicy=policy)
    _expect("The stack", status, "UPDATE_COMPLETE")
    found = world.stacks["together"].outputs()["PreviousState"]
    _expect("What the update of the server left", found, "ONLINE")
    _expect("The server", world.state(), "OFFLINE")


SCENARIOS: dict[str, Callable[[World], None]] = {
    "A stack declares the server OFFLINE": _declares_offline,
    "An update declares it ONLINE": _updates_to_online,
    "A second stack that declares the same server is refused, by name": _refuses_a_rival_by_name,
    "The server answers STOP_FAILED, and the update rolls back": _rolls_back_when_the_stop_fails,
    "The first stack is deleted, and the server is left as it is": _leaves_the_server,
    "A new stack stops it, fails for another reason, and leaves no trace": (
        _leaves_no_trace_when_another_resource_fails
    ),
    "A declaration that is not valid is refused": _refuses_an_invalid_declaration,
    "The stacks are deleted": _deletes_the_stacks,
    "One stack declares a server, and that it is OFFLINE": _declares_a_server_and_its_state,
    "An update of the server starts it, and OFFLINE is asserted again": (
        _asserts_offline_after_a_restart
    ),
}
