"""What people are told, word for word."""

from dataclasses import replace
from typing import Any

import pytest

from handler.report import Answer, answer, failure, line
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State, Step
from transfer_server_state.outcome import ADVICE, STANDS, Outcome
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner, Request
from transfer_server_state.row import Row

SERVER = "s-0123456789abcdef0"
STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/{}/0"
REQUEST = Request(
    kind="Create",
    owner=Owner(STACK.format("night"), "State"),
    digest="d1",
    sent_s=1_000,
    timeout_s=3600,
    server_id=SERVER,
    desired=State.OFFLINE,
    restores=False,
    physical_id="not-created",
    identity=None,
    undoes="",
    doubted=False,
)
DELETE = replace(REQUEST, kind="Delete", desired=None, physical_id=f"{SERVER}:from-ONLINE")
STOPPING = Progress(
    first=State.ONLINE, last=State.STOPPING, command=Step.STOP, commanded_in=State.ONLINE, looks=4
)
ROW = Row(
    SERVER, Owner(STACK.format("day"), "Rival"), found=State.ONLINE, progress=STOPPING, version=1
)
STAND = f"{SERVER} is STOPPING, wanted OFFLINE, after StopServer, 12 s"


def told(outcome: Outcome, row: Row = ROW, request: Request = REQUEST, problem: str = "") -> str:
    return answer(request, outcome, row, now_s=1_012.4, problem=problem).reason


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (
            Outcome.FAILED,
            f"{STAND}. Look at it in the Transfer Family console, ask AWS Support, then deploy "
            "again.",
        ),
        (Outcome.TIMED_OUT, f"{STAND}. Deploy again once it has settled."),
        (Outcome.UNANSWERED, f"{STAND}. Deploy again when AWS answers."),
        (Outcome.REFUSED, f"{STAND}. Mend what AWS names, then deploy again."),
        (
            Outcome.DENIED,
            f"{STAND}: denied. Allow it in the provider's role, or where AWS says, then deploy "
            "again.",
        ),
        (
            Outcome.NOT_CONTINUED,
            f"{STAND}. The provider could not invoke itself. Mend that, then deploy again.",
        ),
        (
            Outcome.GONE,
            f"{SERVER} does not exist. Check ServerId: it must be in this region and account.",
        ),
        (
            Outcome.RIVAL,
            f"{SERVER} is declared by day/Rival, so night/State may not declare it too. A server "
            "has one declaration: remove one of the two.",
        ),
        (
            Outcome.SUPERSEDED,
            f"A newer request of day/Rival has {SERVER}. This one does nothing more.",
        ),
        (
            Outcome.EXPIRED,
            f"The request for {SERVER} came 12 s after it was sent, too late. Nothing was done. "
            "Deploy again if it is still wanted.",
        ),
        (Outcome.RETAINED, f"{SERVER} is left as it is."),
        (
            Outcome.UNKNOWN,
            f"{SERVER} is left as it is, and whether it should be nobody could tell. Look whether "
            "it is as you want it.",
        ),
        (Outcome.DONE, f"{SERVER} is STOPPING, after StopServer, 12 s."),
    ],
)
def test_each_ending_says_where_things_stand_and_what_to_do(outcome: Outcome, reason: str) -> None:
    assert told(outcome) == reason


def test_every_outcome_has_its_words() -> None:
    assert set(STANDS) == set(ADVICE) == set(Outcome)


def test_a_longer_time_is_advised_where_there_is_one() -> None:
    shorter = replace(REQUEST, timeout_s=3599)
    assert told(Outcome.TIMED_OUT, request=shorter).endswith(
        "Deploy again once it has settled, or raise ServiceTimeout."
    )


def test_a_deletion_that_failed_is_to_be_tried_again_or_given_up() -> None:
    owed = replace(ROW, restoring=State.ONLINE)
    assert told(Outcome.TIMED_OUT, owed, DELETE) == (
        f"{SERVER} is STOPPING, wanted ONLINE, after StopServer, 12 s. "
        "Delete again, or retain the resource once it has settled."
    )
    assert told(Outcome.FAILED, owed, DELETE).endswith("then delete again, or retain the resource.")


def test_a_server_that_was_never_seen_is_told_as_that() -> None:
    unseen = replace(ROW, progress=Progress())
    problem = "transfer:DescribeServer: AccessDenied: with an explicit deny in a boundary"
    assert told(Outcome.DENIED, unseen, problem=problem) == (
        f"{SERVER} was not seen, wanted OFFLINE, 12 s: denied: {problem}. "
        "Allow it in the provider's role, or where AWS says, then deploy again."
    )


def test_a_refusal_is_told_before_a_later_problem() -> None:
    refused = replace(ROW, progress=replace(STOPPING, refusal="AWS said no"))
    assert "12 s: AWS said no. Mend" in told(Outcome.REFUSED, refused, problem="no answer")
    assert "12 s: no answer. Mend" in told(Outcome.REFUSED, problem="no answer")


def test_a_long_problem_is_cut_and_the_advice_is_kept() -> None:
    reason = told(Outcome.REFUSED, problem="p" * 300)
    assert len(reason) <= 256
    assert reason.startswith(f"{STAND}: ppp")
    assert reason.endswith("ppp. Mend what AWS names, then deploy again.")


def test_of_long_names_both_ends_are_told_and_the_sentence_stays_short() -> None:
    owners = [Owner(STACK.format(f"first{'x' * 118}last"), f"State{'y' * 245}End")] * 2
    row, request = replace(ROW, owner=owners[0]), replace(REQUEST, owner=owners[1])
    reason = told(Outcome.RIVAL, row, request)
    assert len(reason) <= 256
    assert reason.count("firstxxx") == reason.count("yyyEnd") == 2
    assert reason.endswith("remove one of the two.")


def test_no_control_character_is_told() -> None:
    assert told(Outcome.REFUSED, problem="a\x00b\x1b[0m\n").isprintable()


SUCCESSES = {Outcome.DONE, Outcome.RETAINED, Outcome.UNKNOWN}


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in (Outcome.INVALID, Outcome.CRASHED)]
)
def test_what_succeeds(outcome: Outcome) -> None:
    declared = answer(REQUEST, outcome, ROW, now_s=1_012)
    released = answer(DELETE, outcome, ROW, now_s=1_012)
    moot = {Outcome.GONE, Outcome.SUPERSEDED, Outcome.EXPIRED}
    assert declared.succeeded is (outcome in SUCCESSES)
    assert released.succeeded is (outcome in SUCCESSES | moot)


@pytest.mark.parametrize(
    ("request_", "row", "physical_id"),
    [
        (REQUEST, ROW, f"{SERVER}:from-ONLINE"),
        (REQUEST, replace(ROW, progress=Progress()), "not-created"),
        (REQUEST, replace(ROW, found=None), "not-created"),
        (DELETE, replace(ROW, found=State.OFFLINE), f"{SERVER}:from-ONLINE"),
        (
            replace(
                REQUEST,
                physical_id=f"{SERVER}:from-OFFLINE",
                identity=Identity(SERVER, State.OFFLINE),
            ),
            ROW,
            f"{SERVER}:from-OFFLINE",
        ),
    ],
)
def test_the_id_is_of_what_was_found_and_stays_what_it_was(
    request_: Request, row: Row, physical_id: str
) -> None:
    assert answer(request_, Outcome.FAILED, row, now_s=1_012).physical_id == physical_id


def test_what_get_att_finds() -> None:
    assert answer(REQUEST, Outcome.DONE, ROW, now_s=1_012, arn="arn:x").data == {
        "ServerId": SERVER,
        "Arn": "arn:x",
        "State": "STOPPING",
        "PreviousState": "ONLINE",
    }
    unseen = replace(ROW, progress=Progress())
    assert answer(REQUEST, Outcome.DENIED, unseen, now_s=1_012).data == {}


def test_a_recorded_answer_is_the_same_again() -> None:
    given = answer(REQUEST, Outcome.DONE, ROW, now_s=1_012)
    assert Answer(**given.record()) == given


@pytest.mark.parametrize(
    ("outcome", "problem", "reason"),
    [
        (Outcome.INVALID, "DesiredState: missing", "DesiredState: missing"),
        (
            Outcome.CRASHED,
            "KeyError: \x00'x'",
            "The provider failed: KeyError: 'x'. See its log, then deploy or delete again.",
        ),
    ],
)
def test_what_never_came_to_be_carried_out(outcome: Outcome, problem: str, reason: str) -> None:
    assert failure(outcome, problem, "id") == Answer("FAILED", "id", reason, outcome)


EVENT = {
    "RequestType": "Create",
    "StackId": "stack",
    "LogicalResourceId": "State",
    "RequestId": "request",
    "ResponseURL": "https://secret.example.com/",
}
FIELDS: dict[str, Any] = {
    "request": "Create",
    "stack": "stack",
    "resource": "State",
    "request_id": "request",
    "status": "FAILED",
    "outcome": "invalid",
    "reason": "because",
}


def test_a_request_that_never_saw_a_server_has_a_short_log_line() -> None:
    assert line(EVENT, failure(Outcome.INVALID, "because", "id")) == FIELDS


def test_a_log_line_tells_the_whole_request() -> None:
    assert line(EVENT, answer(REQUEST, Outcome.DONE, ROW, now_s=1_012.46)) == FIELDS | {
        "server": SERVER,
        "status": "SUCCESS",
        "outcome": "done",
        "reason": f"{SERVER} is STOPPING, after StopServer, 12 s.",
        "desired": "OFFLINE",
        "previous": "ONLINE",
        "final": "STOPPING",
        "command": "StopServer",
        "waited_s": 12.5,
        "polls": 4,
    }
