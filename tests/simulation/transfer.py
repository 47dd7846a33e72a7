"""Transfer Family servers, and the three calls of the Transfer API that the handler makes.

As facts and unknowns of the real service have it: six states, transitions of any length, reads
that lag, failures, and other people who give commands too.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from tests.simulation.network import error
from transfer_server_state.machine import State, Step

if TYPE_CHECKING:
    from tests.simulation.function import Invocation
    from tests.simulation.guard import Pass
    from tests.simulation.world import World

REGION, ACCOUNT = "eu-west-1", "000000000000"
_MOVES = {
    Step.START: (State.STARTING, State.ONLINE, State.START_FAILED),
    Step.STOP: (State.STOPPING, State.OFFLINE, State.STOP_FAILED),
}
_UNDER_WAY = (State.STARTING, State.STOPPING)


@dataclass(frozen=True)
class Command:
    """A command as it reached AWS. `observed`: what the invocation had read last."""

    at_s: float
    step: Step
    server: "Server"
    observed: State | None
    read_s: float
    found: State
    found_since_s: float
    accepted: bool


@dataclass(eq=False)
class Server:
    """A server; `disturbed`: when anybody but the provider, or a failure, touched it."""

    server_id: str
    history: list[tuple[float, State]]
    gone_s: float = float("inf")
    disturbed: list[float] = field(default_factory=list)
    commands: list[tuple["Invocation", Command]] = field(default_factory=list)
    guarded: list[tuple["Pass", Command]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return f"arn:aws:transfer:{REGION}:{ACCOUNT}:server/{self.server_id}"

    @property
    def disturbed_s(self) -> float:
        """Return when it was last disturbed."""
        return self.disturbed[-1] if self.disturbed else 0

    @property
    def state(self) -> State:
        """Return the state it is in."""
        return self.history[-1][1]

    def state_at(self, time_s: float) -> State:
        """Return the state it was in."""
        for since_s, state in reversed(self.history):
            if since_s <= time_s:
                return state
        return self.history[0][1]

    def __str__(self) -> str:
        return self.server_id


class Transfer:
    """The Transfer API, as a boto3 client shows it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.servers: dict[str, Server] = {}
        for n in range(world.knobs.servers):
            state = world.rng.choice((State.ONLINE, State.OFFLINE, *State))
            server = Server(f"s-{n:017x}", [(world.clock.now() - 3600, state)])
            self.servers[server.server_id] = server
            if state in _UNDER_WAY:
                self._move(server, Step.START if state is State.STARTING else Step.STOP)
        for _ in range(world.knobs.outsiders):
            at_s = world.clock.now() + world.rng.uniform(0, 6000)
            world.clock.at(at_s, self._disturb)

    def describe_server(self, ServerId: str) -> dict[str, Any]:
        world, invocation = self._world, getcurrent().owner
        server, state = world.network.call(
            "transfer", "DescribeServer", lambda: self._read(ServerId)
        )
        invocation.reads.append((world.clock.now(), server, state))
        world.count_branch(invocation, server, state)
        world.note(invocation, "reads %s: %s", server, state)
        return {"Server": {"Arn": server.arn, "ServerId": ServerId, "State": str(state)}}

    def list_servers(self, MaxResults: int) -> dict[str, Any]:
        """List them, each as it was a moment ago."""
        assert MaxResults == 1000

        def read() -> list[tuple[Server, State]]:
            world = self._world
            of_s = world.clock.now() - world.rng.uniform(0, world.knobs.lag_s)
            there = (s for s in self.servers.values() if s.gone_s > of_s)
            return [(server, server.state_at(of_s)) for server in there]

        listed = self._world.network.call("transfer", "ListServers", read)
        self._world.note(getcurrent().owner, "lists %s", [str(state) for _, state in listed])
        return {"Servers": [{"ServerId": s.server_id, "State": str(state)} for s, state in listed]}

    def start_server(self, ServerId: str) -> None:
        self._give(ServerId, Step.START)

    def stop_server(self, ServerId: str) -> None:
        self._give(ServerId, Step.STOP)

    def start_by_handler(self, server: Server) -> None:
        """Do what AWS's handler of AWS::Transfer::Server does with one that is OFFLINE."""
        self._world.fault("started by AWS's handler")
        self._move(server, Step.START, "by AWS's handler")

    def _give(self, server_id: str, step: Step) -> None:
        given = (self._world.clock.now(), self.servers[server_id], step)
        getcurrent().owner.given.append(given)
        self._world.network.call("transfer", step, lambda: self._command(server_id, step))

    def _server(self, server_id: str, operation: str, *, at_s: float) -> Server:
        server = self.servers.get(server_id)
        if server is None or server.gone_s <= at_s:
            raise error("transfer", operation, "ResourceNotFoundException")
        return server

    def _read(self, server_id: str) -> tuple[Server, State]:
        world = self._world
        of_s = world.clock.now() - world.rng.uniform(0, world.knobs.lag_s)
        server = self._server(server_id, "DescribeServer", at_s=of_s)
        return server, server.state_at(of_s)

    def _command(self, server_id: str, step: Step) -> None:
        world, invocation = self._world, getcurrent().owner
        server = self._server(server_id, step, at_s=world.clock.now())
        (during, settled, _), knobs = _MOVES[step], world.knobs
        refused = knobs.under_way == "refuse" and server.state in _UNDER_WAY
        refused |= knobs.strict and step is Step.STOP and server.state is settled
        reads = [read for read in invocation.reads if read[1] is server]
        read_s, _, observed = reads[-1] if reads else (0, server, None)
        since_s, found = server.history[-1]
        command = Command(
            world.clock.now(), step, server, observed, read_s, found, since_s, not refused
        )
        invocation.commands.append(command)
        (server.commands if invocation.request else server.guarded).append((invocation, command))
        world.note(invocation, "%s reaches %s, %s%s", step, server, found, ": refused" * refused)
        if refused:
            raise error("transfer", step, "InvalidRequestException")
        if found in (during, settled) or (found in _UNDER_WAY and knobs.under_way == "ignore"):
            return
        self._move(server, step)

    def _become(self, server: Server, state: State, why: str = "") -> None:
        server.history.append((self._world.clock.now(), state))
        if why:
            server.disturbed.append(self._world.clock.now())
        self._world.note(server, "becomes %s%s", state, why and f", {why}")

    def _move(self, server: Server, step: Step, why: str = "") -> None:
        world = self._world
        during, after, failure = _MOVES[step]
        self._become(server, during, why)
        fails = world.rng.random() < world.knobs.transition_fails
        if fails:
            world.fault(f"server {failure}")
        entered = len(server.history)

        def settle() -> None:
            if len(server.history) == entered and server.gone_s > world.clock.now():
                self._become(server, failure if fails else after, "a failure" if fails else why)

        world.clock.at(world.clock.now() + world.duration_s(), settle)

    def _disturb(self) -> None:
        world = self._world
        server = world.rng.choice([*self.servers.values()])
        if server.gone_s <= world.clock.now():
            return
        kind = world.rng.choice(("start", "stop", "start", "stop", "start", "fail", "delete"))
        world.fault(f"others {kind}")
        if kind == "delete":
            server.gone_s = world.clock.now()
            server.disturbed.append(server.gone_s)
            world.note("somebody", "deletes %s", server)
        elif kind == "fail":
            failure = world.rng.choice((State.START_FAILED, State.STOP_FAILED))
            self._become(server, failure, "by itself")
        elif (step := Step.START if kind == "start" else Step.STOP) and server.state not in (
            _MOVES[step][:2]
        ):
            self._move(server, step, "by somebody")
