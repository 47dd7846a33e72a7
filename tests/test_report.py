"""What people are told, word for word."""

from dataclasses import replace
from typing import Any

import pytest

from handler.machine import State, Step
from handler.reconcile import Ending, Progress
from handler.report import Answer, attributes, line, reason

SERVER = "s-0123456789abcdef0"
ASKED = Progress(State.OFFLINE, began_s=1_000, deadline_s=2_000)
COMMANDED = replace(
    ASKED, first=State.ONLINE, last=State.STOPPING, command=Step.STOP, commanded_in=State.ONLINE
)


def told(ending: Ending, progress: Progress = COMMANDED, *, taken_back: bool = False) -> str:
    return reason(SERVER, ending, progress, now_s=1_012.4, taken_back=taken_back)


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        (
            Ending.FAILED,
            "Look at the server in the Transfer Family console, then deploy again.",
        ),
        (Ending.TIMED_OUT, "Deploy again once it has settled, or raise ServiceTimeout."),
        (Ending.REFUSED, "Mend what AWS names, then deploy again."),
        (Ending.DENIED, "Allow it in the provider's role (parameter ServerArnPattern)."),
        (Ending.GONE, "Check ServerId: it must be in this region and account."),
        (Ending.PAUSED, "Its stack went on to another operation, so nothing was changed."),
        (
            Ending.OUT_OF_TIME,
            "The provider could not invoke itself to go on. Mend that, deploy again.",
        ),
    ],
)
def test_a_failure_says_where_the_server_stands_and_what_to_do(ending: Ending, advice: str) -> None:
    assert told(ending) == f"{SERVER} is STOPPING, wanted OFFLINE, after StopServer, 12 s. {advice}"


def test_a_success_says_where_the_server_stands() -> None:
    done = replace(COMMANDED, last=State.OFFLINE)
    assert told(Ending.DONE, done) == f"{SERVER} is OFFLINE, after StopServer, 12 s."
    assert told(Ending.DONE, replace(done, command=None)) == f"{SERVER} is OFFLINE, 12 s."


def test_a_server_that_was_never_seen_is_in_an_unknown_state() -> None:
    assert told(Ending.DENIED, replace(ASKED, problem="transfer:DescribeServer")) == (
        f"{SERVER} is in an unknown state, wanted OFFLINE, 12 s: transfer:DescribeServer. "
        "Allow it in the provider's role (parameter ServerArnPattern)."
    )


def test_a_refusal_is_told_before_a_later_problem() -> None:
    refused = replace(COMMANDED, refusal="AWS said no", problem="no answer")
    assert "12 s: AWS said no. Mend" in told(Ending.REFUSED, refused)
    assert "12 s: no answer. Mend" in told(Ending.REFUSED, replace(refused, refusal=""))


def test_what_was_taken_back_is_told() -> None:
    done = replace(COMMANDED, desired=State.ONLINE, last=State.ONLINE, command=Step.START)
    assert told(Ending.DONE, done, taken_back=True) == (
        f"{SERVER} is ONLINE, after StartServer, 12 s. "
        "Its stack rolled back meanwhile, so this request took its own command back."
    )


def test_a_long_problem_is_cut_and_the_advice_is_kept() -> None:
    long = told(Ending.REFUSED, replace(COMMANDED, problem="p" * 300))
    assert len(long) == 256
    assert long.startswith(f"{SERVER} is STOPPING, wanted OFFLINE, after StopServer, 12 s: ppp")
    assert long.endswith("ppp. Mend what AWS names, then deploy again.")


def test_what_get_att_finds() -> None:
    assert attributes(SERVER, "arn:x", COMMANDED) == {
        "ServerId": SERVER,
        "Arn": "arn:x",
        "State": "STOPPING",
        "PreviousState": "ONLINE",
    }


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
    "server": "",
    "status": "FAILED",
    "outcome": "invalid",
    "reason": "because",
}


def test_a_request_that_never_saw_a_server_has_a_short_log_line() -> None:
    answer = Answer(succeeded=False, reason="because", outcome="invalid")
    assert line(EVENT, answer, 1_012.46) == FIELDS


def test_a_log_line_tells_the_whole_request() -> None:
    progress = replace(COMMANDED, polls=4)
    answer = Answer(
        succeeded=True, reason="because", outcome="done", server_id=SERVER, progress=progress
    )
    assert line(EVENT, answer, 1_012.46) == FIELDS | {
        "server": SERVER,
        "status": "SUCCESS",
        "outcome": "done",
        "desired": "OFFLINE",
        "previous": "ONLINE",
        "final": "STOPPING",
        "command": "StopServer",
        "waited_s": 12.5,
        "polls": 4,
    }
