"""The walk: what the provider promises, step by step, each with its outcome asserted.

`make run` shows it and the end-to-end tests run it. It must not know how it is shown.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local import provider_stack
from local.cloudformation_stack import LOOK_EVERY_S, Stack
from local.engine import ROOT, Engine
from local.watch import Kind, Sight, Watch

if TYPE_CHECKING:
    from local.sftp_client import SftpClient

TEMPLATE = (ROOT / "examples" / "existing-server.yaml").read_text()
SERVER_AND_STATE = (ROOT / "examples" / "server-and-state.yaml").read_text()
_PATIENCE_S = 30
FILE_NAME, FILE = "report.csv", b"day,total\n1,42\n"
_THAT_RESTORES = TEMPLATE.replace(
    "      DesiredState: !Ref", "      OnDelete: RESTORE\n      DesiredState: !Ref"
)
_WITH_A_TYPO = TEMPLATE.replace("DesiredState: !Ref DesiredState", "DesiredState: OFLINE")
# A signal that nobody sends: a deployment may fail for any reason after the server was stopped.
_THAT_FAILS_AFTERWARDS = TEMPLATE.replace(
    "\nOutputs:\n",
    """
  NobodySignals:
    Type: AWS::CloudFormation::WaitConditionHandle

  FailsLater:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: State
    Properties:
      Handle: !Ref NobodySignals
      Timeout: "1"

Outputs:
""",
)


class DiffersError(Exception):
    """What came about is not what is promised; the message names both."""


def _client(user_name: str) -> "SftpClient":
    # asyncssh asks a compiler for libraries, with files of its own, while it is imported.
    from local.sftp_client import SftpClient  # noqa: PLC0415

    return SftpClient(user_name)


@dataclass
class World:
    """One server and a user's client, the stacks that declare it, and who hears what happens."""

    engine: Engine
    audience: Callable[[Sight], None]
    server_id: str = ""
    stacks: dict[str, Stack] = field(default_factory=dict)
    client: "SftpClient" = field(default_factory=lambda: _client("alice"))
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.engine, self.audience)

    def open(self, *, transition_s: float) -> None:
        """Make the server; it takes its time to start and to stop."""
        self.engine.control("PATCH", "settings", {"start_s": transition_s, "stop_s": transition_s})
        self._watch.skip()
        self.server_id = self.engine.client("transfer").create_server()["ServerId"]

    def add_user(self) -> None:
        """Let the client in, with its key."""
        self.engine.client("transfer").create_user(
            ServerId=self.server_id,
            UserName=self.client.user_name,
            Role="arn:aws:iam::000000000000:role/files",
            HomeDirectory="/bucket/alice",
            SshPublicKeyBody=self.client.public_key,
        )

    def stack(self, name: str) -> Stack:
        """Return a stack by its name, which need not exist yet."""
        return self.stacks.setdefault(name, Stack(self.engine.client("cloudformation"), name))

    def deploy(self, name: str, template: str = TEMPLATE, **declared: str) -> str:
        """Deploy a stack by change set, and return the status that it ends in."""
        return self.execute(name, self.propose(name, template, **declared))

    def propose(self, name: str, template: str = TEMPLATE, **declared: str) -> str:
        """Make a change set of a stack, and return its name."""
        if template != SERVER_AND_STATE:
            declared = {"ServerId": self.server_id, **declared}
        return self.stack(name).propose(template, declared)

    def execute(self, name: str, change_set: str) -> str:
        """Execute a change set, and return the status that its stack ends in."""
        self.stack(name).execute(change_set)
        return self.stack(name).settled(self.look)

    def plan(self, name: str, change_set: str) -> str:
        """Have the command line show what a change set would do, and return its last line."""
        asked = ["plan", "--change-set", change_set, "--stack", name]
        told = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "transfer_server_state", *asked],
            env={**os.environ, **self.engine.exports},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        text = told.stdout + told.stderr
        for line in [f"$ transfer-server-state {' '.join(asked)}", *text.splitlines()]:
            self.audience(Sight(time.time(), Kind.PLAN, "", line))
        return text.rstrip(".\n").rpartition("Plan: ")[2]

    def delete(self, name: str) -> str:
        """Delete a stack, and return the status that it ends in."""
        self.stacks[name].delete()
        return self.stacks[name].settled(self.look)

    def start(self) -> None:
        """Start the server as a person does, past all stacks, and wait until it is ONLINE."""
        self.engine.client("transfer").start_server(ServerId=self.server_id)
        self.wait_for("ONLINE")

    def wait_for(self, state: str) -> None:
        """Look until the server is in a state. Raises DiffersError if that takes too long."""
        give_up = time.monotonic() + _PATIENCE_S
        while self.state() != state:
            if time.monotonic() > give_up:
                self.expect("The server", self.state(), state)
            self.look()
            time.sleep(LOOK_EVERY_S)
        self.look()

    def state(self) -> str:
        """Return the server's true state."""
        return str(self.engine.control("GET", f"servers/{self.server_id}")["state"])

    def upload(self, content: bytes = FILE) -> str:
        """Have the user put the file, and return what came of it."""
        port, host_key = self._endpoint()
        came, why = "accepted", ""
        try:
            self.client.put(port, host_key, FILE_NAME, content)
        except ConnectionError as error:
            came, why = "refused", str(error)
        self.look()
        did = f"put {FILE_NAME}: {came}"
        self.audience(Sight(time.time(), Kind.CLIENT, f"sftp -P {port}", did, why))
        return came

    def download(self) -> bytes:
        """Have the user get the file."""
        return self.client.get(*self._endpoint(), FILE_NAME)

    def expect(self, what: str, found: str, wanted: str) -> None:
        """Tell the audience that something is as promised. Raises DiffersError if it is not."""
        if found != wanted:
            raise DiffersError(f"{what} is {found}, and should be {wanted}.")
        self.look()
        self.audience(Sight(time.time(), Kind.CHECK, "", f"{what} is {found}."))

    def expect_reason(self, name: str, *parts: str) -> None:
        """Tell the audience what the reason of the last failure names, if it names all of these."""
        reasons = self.reasons(name)
        last = reasons[-1] if reasons else "missing"
        for part in parts:
            if part not in last:
                raise DiffersError(f"The reason is {last!r}, and should name {part!r}.")
        self.look()
        told = f"The reason names {', '.join(parts)}."
        self.audience(Sight(time.time(), Kind.CHECK, "", told))

    def reasons(self, name: str) -> list[str]:
        """Return why the stack's resources failed, the latest last."""
        return [
            event.get("ResourceStatusReason", "")
            for event in self.stacks[name].events()
            if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != name
        ]

    def look(self) -> None:
        """Tell the audience what has happened since the last look."""
        self._watch.look()

    def _endpoint(self) -> tuple[int, str]:
        listed = self.engine.control("GET", "endpoints")[self.server_id]
        return int(listed["url"].rpartition(":")[2]), listed["host_key"]


def _lets_its_users_in(world: World) -> None:
    world.add_user()
    world.expect("The upload", world.upload(), "accepted")


def _declares_offline(world: World) -> None:
    world.expect("The stack", world.deploy("night", DesiredState="OFFLINE"), "CREATE_COMPLETE")
    world.expect("The server", world.state(), "OFFLINE")
    world.expect("The same upload", world.upload(b"changed"), "refused")


def _updates_to_online(world: World) -> None:
    proposed = world.propose("night", DesiredState="ONLINE")
    planned = world.plan("night", proposed)
    world.expect("The plan", planned, "1 start")
    world.expect("The stack", world.execute("night", proposed), "UPDATE_COMPLETE")
    world.expect("The server", world.state(), "ONLINE")
    file = "as it was" if world.download() == FILE else "another"
    world.expect("The file", file, "as it was")
    world.expect("The same user's upload", world.upload(), "accepted")


def _rolls_back_when_the_stop_fails(world: World) -> None:
    world.engine.control("PATCH", f"servers/{world.server_id}/settings", {"stop_failures": 1})
    status = world.deploy("night", DesiredState="OFFLINE")
    world.expect("The stack", status, "UPDATE_ROLLBACK_COMPLETE")
    world.expect_reason("night", world.server_id, "STOP_FAILED")
    world.expect("The server", world.state(), "ONLINE")


def _leaves_the_server(world: World) -> None:
    world.expect("The stack", world.delete("night"), "DELETE_COMPLETE")
    world.expect("The server", world.state(), "ONLINE")


def _leaves_no_trace_when_another_resource_fails(world: World) -> None:
    status = world.deploy("cutover", _THAT_FAILS_AFTERWARDS, DesiredState="OFFLINE")
    world.expect("The stack", status, "ROLLBACK_COMPLETE")
    became = [
        event["ResourceStatus"]
        for event in world.stacks["cutover"].events()
        if event["LogicalResourceId"] == "State"
        and not event["ResourceStatus"].endswith("_IN_PROGRESS")
    ]
    wanted = "CREATE_COMPLETE, then DELETE_COMPLETE"
    world.expect("The declaration", ", then ".join(became), wanted)
    world.expect("The server", world.state(), "ONLINE")


def _refuses_a_rival_by_name(world: World) -> None:
    status = world.deploy("rival", DesiredState="OFFLINE")
    world.expect("The stack", status, "ROLLBACK_COMPLETE")
    world.expect_reason("rival", "night/State", "rival/State")
    world.expect("The server", world.state(), "ONLINE")


def _refuses_an_invalid_declaration(world: World) -> None:
    status = world.deploy("typo", _WITH_A_TYPO, DesiredState="OFFLINE")
    world.expect("The stack", status, "ROLLBACK_COMPLETE")
    world.expect_reason("typo", "DesiredState", "OFLINE", "OFFLINE")
    world.expect("The server", world.state(), "ONLINE")


def _deletes_the_stacks(world: World) -> None:
    for name in ("rival", "cutover", "typo"):
        world.expect(f"The stack {name}", world.delete(name), "DELETE_COMPLETE")
    world.expect("The server", world.state(), "ONLINE")


def _declares_a_server_and_its_state(world: World) -> None:
    world.expect("The stack", world.deploy("together", SERVER_AND_STATE), "CREATE_COMPLETE")
    world.server_id = world.stacks["together"].outputs()["ServerId"]
    world.expect("The server", world.state(), "OFFLINE")


def _asserts_offline_after_a_restart(world: World) -> None:
    policy = "TransferSecurityPolicy-2020-06"
    proposed = world.propose("together", SERVER_AND_STATE, SecurityPolicy=policy)
    planned = world.plan("together", proposed)
    world.expect("The plan", planned, "1 stop, 1 started by AWS")
    world.expect("The stack", world.execute("together", proposed), "UPDATE_COMPLETE")
    found = world.stacks["together"].outputs()["PreviousState"]
    world.expect("The server, as its own update left it,", found, "ONLINE")
    world.expect("The server", world.state(), "OFFLINE")


def _stops_again_what_a_person_started(world: World) -> None:
    world.start()
    world.expect("The server, as a person left it,", world.state(), "ONLINE")
    for _ in range(2):
        provider_stack.guard(world.engine)
    world.wait_for("OFFLINE")
    world.expect("The server, after two passes of the guard,", world.state(), "OFFLINE")


def _completes_a_restoration_that_failed(world: World) -> None:
    world.server_id = world.engine.client("transfer").create_server()["ServerId"]
    world.wait_for("ONLINE")
    status = world.deploy("window", _THAT_RESTORES, DesiredState="OFFLINE")
    world.expect("The stack", status, "CREATE_COMPLETE")
    world.engine.control("PATCH", f"servers/{world.server_id}/settings", {"start_failures": 1})
    world.expect("The stack, deleted,", world.delete("window"), "DELETE_FAILED")
    world.expect_reason("window", world.server_id, "START_FAILED", "wanted ONLINE")
    for _ in range(2):
        provider_stack.guard(world.engine)
    world.wait_for("ONLINE")
    world.expect("The server, after two passes of the guard,", world.state(), "ONLINE")
    provider_stack.guard(world.engine)
    world.expect("The stack, deleted again,", world.delete("window"), "DELETE_COMPLETE")
    world.expect("The server", world.state(), "ONLINE")


@dataclass(frozen=True)
class Scenario:
    """A scene: what is promised, and the play that shows it or raises DiffersError.

    A picture has those that are `pictured`; they need none of the others.
    """

    title: str
    promise: str
    play: Callable[[World], None]
    pictured: bool = False


# Of a server that is there, and of one that its own stack declares: neither needs the other's.
WITH_A_SERVER = (
    Scenario(
        "A user is added, and puts a file on the server",
        "A server that is ONLINE lets its users in.",
        _lets_its_users_in,
        pictured=True,
    ),
    Scenario(
        "A stack declares the server OFFLINE",
        "The stack is complete once the server is OFFLINE, which then lets nobody in.",
        _declares_offline,
        pictured=True,
    ),
    Scenario(
        "An update declares it ONLINE",
        "The plan of the change set says so; then the server, its user and file are as they were.",
        _updates_to_online,
        pictured=True,
    ),
    Scenario(
        "A second stack declares the same server",
        "It is refused, with the name of the first, and the server is left alone.",
        _refuses_a_rival_by_name,
    ),
    Scenario(
        "The server answers a stop with STOP_FAILED",
        "The update fails, says so and is rolled back: the server is ONLINE again.",
        _rolls_back_when_the_stop_fails,
    ),
    Scenario(
        "The first stack is deleted",
        "The server is left as it is.",
        _leaves_the_server,
    ),
    Scenario(
        "A new stack stops the server, then fails for another reason",
        "Its rollback leaves no trace: the server is ONLINE again.",
        _leaves_no_trace_when_another_resource_fails,
    ),
    Scenario(
        "A declaration has a typo",
        "It is refused before anything is called, with what was expected.",
        _refuses_an_invalid_declaration,
    ),
    Scenario(
        "The stacks that failed are deleted",
        "Nothing blocks that, and the server is left as it is.",
        _deletes_the_stacks,
    ),
)
WITH_ITS_OWN = (
    Scenario(
        "One stack declares a server, and that it is OFFLINE",
        "The server is made, and OFFLINE before the stack is complete.",
        _declares_a_server_and_its_state,
        pictured=True,
    ),
    Scenario(
        "An update changes the server, so CloudFormation starts it",
        "The plan says so before; the same update asserts OFFLINE again.",
        _asserts_offline_after_a_restart,
        pictured=True,
    ),
    Scenario(
        "A person starts that server behind the stack's back",
        "The guard sees it in two passes, and stops it again: OnDrift is REASSERT.",
        _stops_again_what_a_person_started,
        pictured=True,
    ),
    Scenario(
        "A deletion should bring back what it found, and the start fails",
        "The stack says so, and the guard completes what is owed.",
        _completes_a_restoration_that_failed,
    ),
)
SCENARIOS = (*WITH_A_SERVER, *WITH_ITS_OWN)
