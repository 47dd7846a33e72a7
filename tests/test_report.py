"""What people are told, word for word."""

from dataclasses import replace

import pytest

from handler.report import Answer, answer, failure
from transfer_server_state.identity import Identity
from transfer_server_state.machine import State, Step
from transfer_server_state.outcome import Outcome
from transfer_server_state.progress import Progress
from transfer_server_state.request import Owner, Request
from transfer_server_state.row import Row

SERVER = "s-0123456789abcdef0"
STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/demo/7f"
CREATE = Request(
    kind="Create",
    owner=Owner(STACK, "State"),
    digest="1",
    sent_s=1_000,
    timeout_s=1_800,
    server_id=SERVER,
    desired=State.OFFLINE,
    restores=False,
    reasserts=False,
    physical_id="not-created",
    identity=None,
    abandoned="",
    doubted=False,
)
DELETE = replace(
    CREATE,
    kind="Delete",
    desired=None,
    physical_id=f"{SERVER}:from-ONLINE",
    identity=Identity(SERVER, State.ONLINE),
)
SEEN = Progress(
    first=State.ONLINE, last=State.STOPPING, command=Step.STOP, commanded_in=State.ONLINE, looks=4
)
ROW = Row(SERVER, CREATE.owner, State.OFFLINE, State.ONLINE, "1", progress=SEEN, version=1)
OWED = replace(ROW, restoring=State.ONLINE)
STANDS = f"{SERVER} is STOPPING, wanted OFFLINE, after StopServer, 12 s"
STOOD = STANDS.replace("is STOPPING", "was last seen STOPPING")


def told(
    outcome: Outcome, request: Request = CREATE, row: Row = ROW, *, problem: str = ""
) -> Answer:
    return answer(request, outcome, row, now_s=1_012.4, arn="arn:x", problem=problem)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (
            Outcome.FAILED,
            f"{STANDS}. Look at it in the Transfer Family console, ask AWS Support, then deploy "
            "again.",
        ),
        (
            Outcome.TIMED_OUT,
            f"{STANDS}. Once it has settled, deploy again, or raise ServiceTimeout.",
        ),
        (Outcome.UNANSWERED, f"{STOOD}. When AWS answers, deploy again."),
        (Outcome.REFUSED, f"{STANDS}. Mend what AWS names, then deploy again."),
        (
            Outcome.DENIED,
            f"{STOOD}: denied. Allow it in the provider's role, or where AWS says, then deploy "
            "again.",
        ),
        (
            Outcome.GONE,
            f"{SERVER} does not exist. Check ServerId: it must be in this region and account.",
        ),
        (
            Outcome.RIVAL,
            f"{SERVER} is declared by demo/State, so demo/State may not declare it too. "
            "A server has one declaration: remove one of the two.",
        ),
        (
            Outcome.SUPERSEDED,
            f"A newer request of demo/State came for {SERVER}. This one does nothing more.",
        ),
        (
            Outcome.EXPIRED,
            f"The request for {SERVER} came 12 s after it was sent, too late. "
            "This delivery did nothing. If it is still wanted, deploy again.",
        ),
        (
            Outcome.NOT_CONTINUED,
            f"{STOOD}. The provider could not invoke itself. Mend that, then deploy again.",
        ),
    ],
)
def test_a_failure_says_where_things_stand_and_what_to_do(outcome: Outcome, reason: str) -> None:
    failed = told(outcome)
    assert (failed.status, failed.outcome, failed.reason) == ("FAILED", outcome, reason)
    assert not failed.succeeded


def test_a_success_says_where_the_server_stands() -> None:
    done = replace(SEEN, last=State.OFFLINE)
    succeeded = told(Outcome.DONE, row=replace(ROW, progress=done))
    assert succeeded.succeeded
    assert succeeded.reason == f"{SERVER} is OFFLINE, after StopServer, 12 s."
    uncommanded = replace(done, command=None)
    assert told(Outcome.DONE, row=replace(ROW, progress=uncommanded)).reason == (
        f"{SERVER} is OFFLINE, 12 s."
    )


def test_a_server_that_was_not_seen_has_no_state_and_no_attributes() -> None:
    denied = told(Outcome.UNANSWERED, row=replace(ROW, progress=Progress()))
    assert denied.reason.startswith(f"{SERVER} was not seen, wanted OFFLINE, 12 s. ")
    assert denied.data == {}


def test_more_time_is_not_advised_where_there_is_no_more() -> None:
    longest = replace(CREATE, timeout_s=3_600)
    assert told(Outcome.TIMED_OUT, longest).reason == (
        f"{STANDS}. Once it has settled, deploy again."
    )


@pytest.mark.parametrize(
    ("outcome", "advice"),
    [
        (Outcome.FAILED, "ask AWS Support, then delete again, or retain the resource."),
        (Outcome.TIMED_OUT, ". Once it has settled, delete again, or retain the resource, or "),
        (Outcome.UNANSWERED, ". When AWS answers, delete again, or retain the resource."),
        (Outcome.REFUSED, "Mend what AWS names, then delete again, or retain the resource."),
        (Outcome.DENIED, "or where AWS says, then delete again, or retain the resource."),
        (Outcome.NOT_CONTINUED, "Mend that, then delete again, or retain the resource."),
    ],
)
def test_of_a_failed_deletion_it_says_to_delete_again_or_retain(
    outcome: Outcome, advice: str
) -> None:
    failed = told(outcome, DELETE, OWED)
    assert failed.status == "FAILED"
    assert failed.reason.replace("was last seen", "is").startswith(
        f"{SERVER} is STOPPING, wanted ONLINE, after StopServer, 12 s"
    )
    assert advice in failed.reason
    assert "deploy" not in failed.reason


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.SUPERSEDED, Outcome.EXPIRED])
def test_a_deletion_that_owes_nothing_any_more_succeeds(outcome: Outcome) -> None:
    assert told(outcome, DELETE).succeeded
    assert not told(outcome, CREATE).succeeded


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.RETAINED, f"{SERVER} is left as it is."),
        (
            Outcome.UNKNOWN,
            f"{SERVER} is left as it is, and whether it should be nobody could tell. "
            "Look whether it is as you want it.",
        ),
    ],
)
def test_what_a_deletion_leaves_is_told(outcome: Outcome, reason: str) -> None:
    left = told(outcome, DELETE)
    assert (left.status, left.reason) == ("SUCCESS", reason)


def test_what_aws_said_stands_between() -> None:
    assert f"{STANDS}: no answer. Mend" in told(Outcome.REFUSED, problem="no answer").reason


def test_what_aws_said_is_told_without_control_characters() -> None:
    reason = told(Outcome.REFUSED, problem="a\x1b[31mb\x00\r\nc\u2028d").reason
    assert f"{STANDS}: a [31mb c d. Mend" in reason


def test_who_denied_it_is_seen_whatever_its_length() -> None:
    """A role, a boundary, a policy of the organization: AWS names it at the end."""
    denial = (
        "transfer:StopServer: AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/"
        f"{'r' * 64}/{'f' * 64} is not authorized to perform: transfer:StopServer on resource: "
        f"arn:aws:transfer:eu-west-1:000000000000:server/{SERVER} with an explicit deny in a "
        "service control policy"
    )
    unseen = replace(ROW, progress=Progress())
    reason = told(Outcome.DENIED, row=unseen, problem=denial).reason
    assert len(reason) <= 245
    assert "denied: transfer:StopServer: AccessDenied" in reason
    assert "explicit deny in a service control policy. Allow it" in reason


@pytest.mark.parametrize("request_", [CREATE, DELETE], ids=["Create", "Delete"])
@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in {Outcome.INVALID, Outcome.CRASHED}]
)
def test_a_reason_has_at_most_256_characters_and_keeps_its_advice(
    outcome: Outcome, request_: Request
) -> None:
    long = replace(request_, owner=Owner(STACK.replace("demo", "d" * 128), "S" * 255))
    row = replace(OWED, owner=long.owner, progress=replace(SEEN, last=State.STOP_FAILED))
    short = told(outcome, long, row)
    full = told(outcome, long, row, problem="p" * 500)
    advice = short.reason.partition(". ")[2]
    assert len(full.reason) <= 245
    assert full.reason.endswith(advice)


def test_both_names_of_a_rivalry_are_told_in_short() -> None:
    rival = replace(ROW, owner=Owner(STACK.replace("demo", "other" * 20), "Rival"))
    assert told(Outcome.RIVAL, row=rival).reason == (
        f"{SERVER} is declared by otherotherotherotherotheroth...erotherotherotherother/Rival"
        ", so demo/State may not declare it too. "
        "A server has one declaration: remove one of the two."
    )


def test_what_get_att_finds() -> None:
    assert told(Outcome.DONE).data == {
        "ServerId": SERVER,
        "Arn": "arn:x",
        "State": "STOPPING",
        "PreviousState": "ONLINE",
    }


def test_the_id_is_made_of_what_was_found_and_never_changes_for_its_server() -> None:
    assert told(Outcome.DONE).physical_id == f"{SERVER}:from-ONLINE"
    update = replace(DELETE, kind="Update", desired=State.OFFLINE)
    assert told(Outcome.DONE, update, replace(ROW, found=State.OFFLINE)).physical_id == (
        f"{SERVER}:from-ONLINE"
    )
    assert told(Outcome.DONE, replace(DELETE, identity=None, physical_id="x")).physical_id == "x"


def test_of_a_server_that_was_not_seen_the_id_stays() -> None:
    unseen = replace(ROW, progress=Progress())
    assert told(Outcome.DENIED, row=unseen).physical_id == "not-created"


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.INVALID, "ServerId: missing"),
        (
            Outcome.CRASHED,
            "The provider failed: ServerId: missing. See its log, then deploy or delete again.",
        ),
    ],
)
def test_a_request_that_got_nowhere_keeps_its_id(outcome: Outcome, reason: str) -> None:
    assert failure(outcome, "ServerId: missing", "an-id") == Answer(
        "FAILED", "an-id", reason, outcome
    )


def test_every_violation_of_a_declaration_is_told_and_a_crash_in_short() -> None:
    assert failure(Outcome.INVALID, "v" * 1_000, "x").reason == "v" * 1_000
    assert len(failure(Outcome.CRASHED, "c\n" * 1_000, "x").reason) < 256


def test_an_answer_is_the_same_after_it_was_kept() -> None:
    assert Answer.of(told(Outcome.DONE).record()) == told(Outcome.DONE)


def test_a_request_that_got_nowhere_has_a_short_log_line() -> None:
    assert failure(Outcome.INVALID, "because", "x").line == {
        "status": "FAILED",
        "outcome": "invalid",
        "reason": "because",
    }


def test_a_log_line_tells_the_whole_request() -> None:
    assert told(Outcome.FAILED).line == {
        "status": "FAILED",
        "outcome": "failed",
        "reason": told(Outcome.FAILED).reason,
        "server": SERVER,
        "desired": "OFFLINE",
        "previous": "ONLINE",
        "final": "STOPPING",
        "command": "StopServer",
        "waited_s": 12.4,
        "polls": 4,
    }


def test_of_a_release_the_log_names_the_state_that_is_owed() -> None:
    assert told(Outcome.DONE, DELETE, OWED).line["desired"] == "ONLINE"
