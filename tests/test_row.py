"""What is remembered of a server: who supersedes whom, and what a claim and a release keep."""

from dataclasses import replace

import pytest

from transfer_server_state.machine import State, Step
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner, Request
from transfer_server_state.row import Row

SERVER = "s-0123456789abcdef0"
OWNER, OTHER = Owner("arn:stack", "State"), Owner("arn:stack", "Other")
REQUEST = Request(
    kind="Create",
    owner=OWNER,
    digest="d1",
    sent_s=100,
    timeout_s=3600,
    server_id=SERVER,
    desired=State.OFFLINE,
    restores=False,
    physical_id="not-created",
    identity=None,
    undoes="",
    doubted=False,
)
RELEASE = replace(REQUEST, kind="Delete", desired=None, digest="d2")
COMMANDED = Progress().seen(State.ONLINE, 101).intended(Step.STOP, 101)


def claimed() -> Row:
    return Row(SERVER).taken(REQUEST, None)


def test_a_taken_row_is_the_request_s_and_its_owner_s() -> None:
    assert claimed() == Row(
        SERVER, OWNER, State.OFFLINE, request="d1", sent_at=100, declared_at=100
    )


def test_the_first_look_is_what_was_found_and_stays_so() -> None:
    row = claimed().with_progress(COMMANDED)
    assert (row.found, row.progress) == (State.ONLINE, COMMANDED)
    later = row.with_progress(Progress().seen(State.STOP_FAILED, 102))
    assert later.found is State.ONLINE
    assert claimed().with_progress(Progress()).found is None


def test_a_claim_keeps_what_was_found_and_what_is_under_way_and_forgets_the_answer() -> None:
    row = replace(claimed().with_progress(COMMANDED), held=True, answer={"status": "SUCCESS"})
    again = row.claimed(replace(REQUEST, digest="d3", sent_s=200), desired=State.ONLINE)
    assert again == replace(
        row,
        request="d3",
        sent_at=200,
        desired=State.ONLINE,
        past=("d1",),
        progress=Progress(earlier_at_s=101, earlier_unseen=True),
        answer=None,
    )


def test_the_last_eight_requests_are_remembered() -> None:
    row = claimed()
    for n in range(9):
        row = row.claimed(replace(REQUEST, digest=f"n{n}", sent_s=200 + n))
    assert row.past == tuple(f"n{n}" for n in range(8))
    assert row.supersedes(replace(REQUEST, digest="n0", sent_s=999))


def test_a_tombstone_keeps_its_owner_and_what_is_under_way_for_a_month() -> None:
    row = replace(claimed().with_progress(COMMANDED), held=True, version=3)
    buried = row.claimed(RELEASE, restoring=State.ONLINE).buried()
    assert buried.is_free
    assert (buried.owner, buried.request, buried.version) == (OWNER, "d2", 3)
    assert (buried.desired, buried.found, buried.restoring, buried.held) == (None,) * 3 + (False,)
    assert buried.progress.earlier_at_s == 101
    assert buried.expires_at == 100 + 30 * 24 * 3600


def test_a_row_that_is_not_written_is_free_and_one_that_is_claimed_is_not() -> None:
    assert Row(SERVER).is_free
    assert not replace(claimed(), version=1).is_free
    assert not replace(claimed(), version=1, released=True).claimed(REQUEST).released


def test_what_is_owed_comes_before_what_is_declared() -> None:
    assert claimed().target is State.OFFLINE
    assert replace(claimed(), restoring=State.ONLINE).target is State.ONLINE


@pytest.mark.parametrize(
    ("request_", "row", "late"),
    [
        (replace(REQUEST, sent_s=99), claimed(), True),
        (REQUEST, claimed(), False),
        (replace(REQUEST, sent_s=101), claimed(), False),
        (RELEASE, claimed(), False),
        (REQUEST, claimed().claimed(RELEASE).buried(), True),
        (REQUEST, claimed().claimed(RELEASE, restoring=State.ONLINE), True),
        (RELEASE, claimed().claimed(replace(RELEASE, digest="d4")).buried(), False),
        (replace(REQUEST, owner=OTHER), claimed().claimed(RELEASE).buried(), False),
        (replace(REQUEST, owner=OTHER, sent_s=99), claimed(), True),
    ],
)
def test_a_request_comes_too_late_after_a_newer_one_and_after_its_own_release(
    request_: Request, row: Row, *, late: bool
) -> None:
    assert row.supersedes(replace(request_, digest="new")) is late


def test_an_answer_is_kept_for_the_request_that_has_the_row() -> None:
    assert claimed().answered(REQUEST, {"status": "FAILED"}).answer == {"status": "FAILED"}
    assert claimed().answered(RELEASE, {"status": "FAILED"}).answer is None
