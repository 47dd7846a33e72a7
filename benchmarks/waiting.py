"""How late each contender notices that a server is OFFLINE, and what that takes; in virtual time.

One server at a time, and many at once against an API that throttles. Must not know what is shown.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import mean, median

from benchmarks.contenders import Contender, Outcome
from benchmarks.virtual import Api, Clock, Run
from local.emulator.settings import Throttle

# How long a call takes where calls take time. AWS states no figure.
CALL_S = 0.1
THROTTLE = Throttle(rate_per_s=10, burst=20)


def _log_uniform(random: Random) -> float:
    return math.exp(random.uniform(math.log(5), math.log(1200)))


def _about(seconds: float) -> Callable[[Random], float]:
    # Of exactly 300 s, it would be luck who looks at 301.
    return lambda random: seconds * random.uniform(0.9, 1.1)


# What is drawn -> how a transition's length is drawn.
LENGTHS = {
    "5 s to 20 min, log-uniformly": _log_uniform,
    "30 s ± 10%": _about(30),
    "120 s ± 10%": _about(120),
    "300 s ± 10%": _about(300),
}


@dataclass(frozen=True)
class Wait:
    """What a contender needed for many transitions, one at a time; sums are means of each."""

    count: int
    lag_s: float
    late: float  # the 99th percentile of lag / transition
    looks: float
    invocations: float
    gb_s: float
    table_calls: float
    usd: float  # for each SUCCESS
    failed: int


def wait(contender: Contender, lengths: str, count: int, call_s: float) -> Wait:
    """Let a contender stop servers whose transitions are drawn, the same for every contender."""
    random = Random(lengths)
    lengths_s = [LENGTHS[lengths](random) for _ in range(count)]
    runs, lags_s, late = [], [], []
    for i, stop_s in enumerate(lengths_s):
        clock = Clock()
        run = Run(clock, Api(clock, stop_s), Random(f"{lengths} {i}"), call_s=call_s)
        (outcome,) = _outcomes(contender, [run])
        runs.append(run)
        if outcome.succeeded:
            lags_s.append(outcome.at_s - run.api.stopped_at_s(run.server_id))
            late.append(lags_s[-1] / stop_s)
    return Wait(
        count=count,
        lag_s=median(lags_s),
        late=percentile(late, 0.99),
        looks=mean(run.bill.looks for run in runs),
        invocations=mean(run.bill.invocations for run in runs),
        gb_s=mean(run.bill.gb_s for run in runs),
        table_calls=mean(run.bill.table_calls for run in runs),
        usd=sum(run.bill.usd for run in runs) / len(lags_s),
        failed=count - len(lags_s),
    )


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that so large a share of them does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


@dataclass(frozen=True)
class Crowd:
    """What a contender needed for many servers at once."""

    last_s: float  # until the last SUCCESS
    calls: int
    refused: int
    failed: int


def crowd(contender: Contender, servers: int, stop_s: float) -> Crowd:
    """Let a contender stop many servers that share one throttle."""
    clock = Clock()
    began_s, api = clock.now(), Api(clock, stop_s, THROTTLE)
    runs = [Run(clock, api, Random(i), f"s-{i:017x}") for i in range(servers)]
    outcomes = _outcomes(contender, runs)
    succeeded_s = [outcome.at_s for outcome in outcomes if outcome.succeeded]
    return Crowd(
        last_s=max(succeeded_s, default=math.inf) - began_s,
        calls=sum(run.bill.transfer_calls for run in runs),
        refused=sum(run.bill.throttled for run in runs),
        failed=servers - len(succeeded_s),
    )


def _outcomes(contender: Contender, runs: list[Run]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    waiting = iter(runs)

    def work() -> None:
        for run in waiting:
            outcomes.append(contender.stop(run))

    runs[0].clock.run([work] * min(len(runs), contender.at_once))
    return outcomes


def bound_s(servers: int, stop_s: float) -> float:
    """Return when the last SUCCESS can be at the earliest, whatever anybody does.

    Each server takes a look, a command and a look that finds it OFFLINE. So the last transition
    begins no sooner than the throttle lets two calls for each server pass, and nobody is done
    before it lets three pass.
    """

    def passed_s(calls: int) -> float:
        return max(0.0, (calls - THROTTLE.burst) / THROTTLE.rate_per_s)

    return max(passed_s(2 * servers) + stop_s, passed_s(3 * servers))
