"""A row of the registry, and what each step makes of it."""

from dataclasses import replace

import pytest

from tests.test_claim import CREATE, DELETE, OFF, ON, OWN, OWNER, SERVER
from transfer_server_state.machine import State, Step
from transfer_server_state.progress import Progress
from transfer_server_state.row import Row

MONTH_S = 30 * 24 * 3_600


def test_a_row_is_free_without_a_version_and_as_a_tombstone() -> None:
    assert Row(SERVER).is_free
    assert OWN.buried().is_free
    assert not OWN.is_free


def test_a_row_that_is_free_is_not_settled() -> None:
    assert not Row(SERVER).is_settled(0)
    assert not replace(OWN, answer={"status": "SUCCESS"}).buried().is_settled(0)


def test_what_is_owed_comes_before_what_is_declared() -> None:
    assert OWN.target is ON
    assert replace(OWN, restoring=OFF).target is OFF


def test_a_claim_keeps_what_was_found_and_when_the_last_command_was_given() -> None:
    progress = Progress(ON, OFF, Step.STOP, ON, 900, looks=3)
    claimed = replace(OWN, progress=progress, answer={"status": "SUCCESS"}).claimed(CREATE)
    assert claimed == replace(
        OWN, request="new", sent_at=2_000, past=("old",), progress=Progress(earlier_at_s=900)
    )


def test_a_tombstone_keeps_it_too() -> None:
    progress = Progress(ON, ON, Step.STOP, ON, 900, looks=3)
    again = replace(OWN, progress=progress).buried().claimed(CREATE)
    assert again.progress == Progress(earlier_at_s=900, earlier_in=ON)
    assert (again.released, again.expires_at) == (False, 0)


def test_the_last_eight_requests_never_claim_again() -> None:
    row = Row(SERVER)
    for number in range(10):
        row = row.claimed(replace(CREATE, digest=str(number)))
    assert row.request == "9"
    assert row.past == tuple("12345678")


@pytest.mark.parametrize("first", State)
def test_what_is_found_is_the_stable_state_of_the_first_look(first: State) -> None:
    found = replace(OWN, found=None).with_progress(Progress().seen(first, 0).seen(OFF, 1)).found
    online = {State.ONLINE, State.STARTING, State.STOP_FAILED}
    assert found is (ON if first in online else OFF)


def test_what_was_found_is_never_found_again_and_not_without_a_look() -> None:
    assert OWN.with_progress(Progress(first=OFF)).found is ON
    assert replace(OWN, found=None).with_progress(Progress()).found is None


def test_an_answer_is_kept_with_its_own_request_alone() -> None:
    assert OWN.claimed(CREATE).answered(CREATE, {"a": 1}).answer == {"a": 1}
    assert OWN.answered(DELETE, {"a": 1}).answer is None


def test_a_tombstone_says_who_released_it_when_and_for_a_month() -> None:
    assert replace(OWN, restoring=ON).buried() == Row(
        SERVER,
        OWNER,
        request="old",
        sent_at=1_000,
        declared_at=1_000,
        released=True,
        expires_at=1_000 + MONTH_S,
        version=1,
    )
