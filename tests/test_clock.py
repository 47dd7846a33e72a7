"""The machine's own time."""

import time

from transfer_server_state.clock import Clock


def test_it_is_the_machine_s_and_sleeping_lets_it_pass() -> None:
    clock = Clock()
    before_s, began_s = time.time(), clock.now()
    clock.sleep(0.01)
    assert before_s <= began_s <= time.time()
    assert clock.now() >= began_s + 0.01
