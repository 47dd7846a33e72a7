"""The decision, against the whole table written out by hand."""

from itertools import product

import pytest

from transfer_server_state.machine import STABLE, State, next_step

# desired, observed, before our command, after it, after it when it was given in this state
TABLE = """
OFFLINE  OFFLINE       done        done    done
OFFLINE  STOPPING      wait        wait    wait
OFFLINE  STARTING      wait        wait    wait
OFFLINE  ONLINE        StopServer  wait    wait
OFFLINE  STOP_FAILED   StopServer  failed  wait, then failed
OFFLINE  START_FAILED  StopServer  failed  wait, then failed
ONLINE   ONLINE        done        done    done
ONLINE   STARTING      wait        wait    wait
ONLINE   STOPPING      wait        wait    wait
ONLINE   OFFLINE       StartServer wait    wait
ONLINE   START_FAILED  StartServer failed  wait, then failed
ONLINE   STOP_FAILED   StartServer failed  wait, then failed
"""
ROWS = {(row[0], row[1]): row[2:] for row in (r.split(None, 4) for r in TABLE.split("\n") if r)}
CASES = list(product(("OFFLINE", "ONLINE"), State, (None, *State)))


def expected(desired: str, observed: State, commanded_in: State | None) -> str:
    before, after, doubtful = ROWS[desired, observed]
    if commanded_in is None:
        return before
    return doubtful if commanded_in is observed else after


@pytest.mark.parametrize(("desired", "observed", "commanded_in"), CASES)
def test_every_desired_state_and_command_has_its_step(
    desired: str, observed: State, commanded_in: State | None
) -> None:
    step = next_step(State(desired), observed, commanded_in)
    assert step == expected(desired, observed, commanded_in)


def test_what_is_found_is_what_the_server_was_or_was_going_to_be() -> None:
    assert {str(state): str(stable) for state, stable in STABLE.items()} == {
        "ONLINE": "ONLINE",
        "STARTING": "ONLINE",
        "STOP_FAILED": "ONLINE",
        "OFFLINE": "OFFLINE",
        "STOPPING": "OFFLINE",
        "START_FAILED": "OFFLINE",
    }
