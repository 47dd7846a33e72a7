"""Virtual time, the Transfer API on it, and what AWS charges for what happens there.

Must not know who waits.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Lock, Thread
from typing import Any

from botocore.exceptions import ClientError

from local.emulator.faults import Bucket
from local.emulator.lifecycle import STOP, State, Timeline, has_effect
from local.emulator.settings import Throttle
from transfer_server_state import clock

# List prices, us-east-1: https://aws.amazon.com/lambda/pricing/, /step-functions/pricing/ and
# /dynamodb/pricing/on-demand/ (a read of up to 4 KiB, a write of each KiB).
USD_PER_GB_S = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
USD_PER_INVOCATION = 0.20 / 1e6
USD_PER_STATE_TRANSITION = 0.025 / 1e3
USD_PER_READ_UNIT, USD_PER_WRITE_UNIT = 0.125 / 1e6, 0.625 / 1e6


class Clock(clock.Clock):
    """A clock that moves while everybody sleeps; each task has a thread, of which one runs.

    Who wakes first goes on, so the order is the same in every run.
    """

    def __init__(self) -> None:
        self._now_s = 1_700_000_000.0
        self._wakings: list[tuple[float, int, Lock]] = []
        self._count = 0
        self._over = Lock()

    def now(self) -> float:
        """Tell the time."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass, and others run meanwhile."""
        mine = self._enter(seconds)
        self._wake_next()
        mine.acquire()

    def run(self, tasks: list[Callable[[], None]]) -> None:
        """Run tasks that begin now, until all have ended."""
        self._over.acquire()
        threads = [Thread(target=self._follow, args=(task, self._enter(0))) for task in tasks]
        for thread in threads:
            thread.start()
        self._wake_next()
        self._over.acquire()
        self._over.release()
        for thread in threads:
            thread.join()

    def _follow(self, task: Callable[[], None], mine: Lock) -> None:
        mine.acquire()
        try:
            task()
        finally:
            self._wake_next()

    def _enter(self, seconds: float) -> Lock:
        mine = Lock()
        mine.acquire()
        self._count += 1
        heapq.heappush(self._wakings, (self._now_s + seconds, self._count, mine))
        return mine

    def _wake_next(self) -> None:
        if self._wakings:
            self._now_s, _, lock = heapq.heappop(self._wakings)
            lock.release()
        else:
            self._over.release()


@dataclass
class Bill:
    """What a request took."""

    calls: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    invocations: int = 0
    gb_s: float = 0
    usd: float = 0

    @property
    def looks(self) -> int:
        """Return the number of DescribeServer calls, refused ones included."""
        return self.calls["DescribeServer"]

    @property
    def transfer_calls(self) -> int:
        """Return the number of calls to the Transfer API, refused ones included."""
        return self.looks + self.calls["StopServer"]

    @property
    def table_calls(self) -> int:
        """Return the number of calls to DynamoDB."""
        return self.calls["GetItem"] + self.calls["PutItem"]


class Api:
    """The Transfer API: every server is ONLINE at first, and takes `stop_s` to stop."""

    def __init__(self, clock: Clock, stop_s: float, throttle: Throttle | None = None) -> None:
        self._clock, self._stop_s = clock, stop_s
        self._bucket = Bucket(throttle, clock.now()) if throttle else None
        self._servers: dict[str, Timeline] = {}

    def describe_server(self, server_id: str) -> dict[str, Any]:
        """Read a server's state."""
        self._throttle("DescribeServer")
        state = str(self._timeline(server_id).at(self._clock.now()))
        arn = f"arn:aws:transfer:eu-west-1:000000000000:server/{server_id}"
        return {"Server": {"Arn": arn, "ServerId": server_id, "State": state}}

    def stop_server(self, server_id: str) -> dict[str, Any]:
        """Begin to stop it."""
        self._throttle("StopServer")
        now_s, timeline = self._clock.now(), self._timeline(server_id)
        if has_effect(STOP, timeline.at(now_s)):
            timeline.begin(STOP, now_s, self._stop_s, fails=False)
        return {}

    def stopped_at_s(self, server_id: str) -> float:
        """Tell when a server reached, or will reach, OFFLINE."""
        return self._timeline(server_id).until(math.inf)[-1][0]

    def _timeline(self, server_id: str) -> Timeline:
        return self._servers.setdefault(server_id, Timeline(State.ONLINE))

    def _throttle(self, operation: str) -> None:
        wait_s = self._bucket.wait_s(self._clock.now()) if self._bucket else 0
        if wait_s:
            error = {"Code": "ThrottlingException", "Message": ""}
            metadata = {"HTTPStatusCode": 400}
            answer: Any = {"Error": error, "ResponseMetadata": metadata}
            answer["RetryAfterSeconds"] = str(math.ceil(wait_s))
            raise ClientError(answer, operation)


@dataclass
class Run:
    """One server that somebody stops and waits for; `call_s` is how long each call takes."""

    clock: Clock
    api: Api
    random: Random
    server_id: str = "s-00000000000000001"
    call_s: float = 0
    bill: Bill = field(default_factory=Bill)

    def describe_server(self, ServerId: str = "") -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Call DescribeServer, as boto3's client does."""
        return dict(self._called("DescribeServer", self.api.describe_server, ServerId))

    def stop_server(self, ServerId: str = "") -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Call StopServer, as boto3's client does."""
        return dict(self._called("StopServer", self.api.stop_server, ServerId))

    def other_call(self, operation: str, answer: Any = None) -> Any:
        """Make a call to another API, which answers this."""
        return self._called(operation, lambda _: answer, "")

    @contextmanager
    def function(self, memory_mb: int = 256, processor: str = "arm64") -> Iterator[None]:
        """Be an invocation of a function, billed for its time."""
        began_s = self.clock.now()
        try:
            yield
        finally:
            gb_s = (self.clock.now() - began_s) * memory_mb / 1024
            self.bill.invocations += 1
            self.bill.gb_s += gb_s
            self.bill.usd += USD_PER_INVOCATION + gb_s * USD_PER_GB_S[processor]

    def _called(self, operation: str, call: Callable[[str], Any], server_id: str) -> Any:
        self.bill.calls[operation] += 1
        self._pass(self.call_s / 2)
        try:
            return call(server_id or self.server_id)
        except ClientError:
            self.bill.throttled += 1
            raise
        finally:
            self._pass(self.call_s / 2)

    def _pass(self, seconds: float) -> None:
        if seconds:
            self.clock.sleep(seconds)
