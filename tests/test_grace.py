"""What passes fails no request: a bad answer of any API, a new permission, a table that is away."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from handler.report import Answer
from local.emulator import State
from tests.fakes.account import MADE_UP, OTHER_STACK, TABLE, Account
from tests.fakes.errors import client_error
from transfer_server_state.aws.registry import Registry

# What AWS says when another try may help: the codes of botocore's own lists, and the statuses.
PASSING = [
    ("Throttling", 400),
    ("ThrottlingException", 400),
    ("ThrottledException", 400),
    ("RequestThrottled", 400),
    ("RequestThrottledException", 400),
    ("RequestLimitExceeded", 503),
    ("TooManyRequestsException", 429),
    ("ProvisionedThroughputExceededException", 400),
    ("BandwidthLimitExceeded", 509),
    ("SlowDown", 503),
    ("PriorRequestNotComplete", 400),
    ("TransactionInProgressException", 400),
    ("EC2ThrottledException", 503),
    ("RequestTimeout", 400),
    ("RequestTimeoutException", 400),
    ("InternalError", 500),
    ("InternalServiceError", 500),
    ("ServiceUnavailableException", 500),
    ("ConflictException", 409),
    ("SomethingNew", 408),
    ("SomethingNew", 429),
    ("SomethingNew", 503),
]
NEW_TO_IT = [("AccessDenied", 403), ("AccessDeniedException", 403)]


def create(account: Account) -> State:
    account.emulator.set(stop_s=2)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    return State.OFFLINE


def create_in_short_invocations(account: Account) -> State:
    account.timeout_s = 120
    account.emulator.set(stop_s=200)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    return State.OFFLINE


def roll_back(account: Account) -> State:
    account.become("ROLLBACK_IN_PROGRESS")
    return delete(account)


def delete_after_a_failed_rollback(account: Account) -> State:
    for status in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_IN_PROGRESS"):
        account.become(status)
    return delete(account)


def delete(account: Account) -> State:
    create(account)
    given = f"{account.server_id}:from-ONLINE"
    answer = account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=given)
    assert answer["Status"] == "SUCCESS"
    return State.ONLINE


def take_over(account: Account) -> State:
    create(account)
    account.stack.resources.clear()
    account.become("CREATE_COMPLETE")
    account.new_stack(OTHER_STACK)
    answer = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert answer["Status"] == "SUCCESS"
    return State.ONLINE


MEETS: dict[str, Callable[[Account], State]] = {
    "DescribeServer": create,
    "StopServer": create,
    "GetItem": create,
    "PutItem": create,
    "Invoke": create_in_short_invocations,
    "DescribeStacks": roll_back,
    "DescribeStackEvents": delete_after_a_failed_rollback,
    "DescribeStackResource": take_over,
}
EACH_CALL = pytest.mark.parametrize("operation", MEETS)
# They are told apart in one place for all calls: all of them of one call, and of each call three.
ERRORS_OF_CALLS = [
    *(("DescribeServer", *error) for error in PASSING),
    *(
        (operation, *error)
        for operation in MEETS
        if operation != "DescribeServer"
        for error in (PASSING[0], ("ConflictException", 409), ("SomethingNew", 503))
    ),
]


def error(operation: str, code: str, status: int) -> ClientError:
    return client_error(code, status, operation)


@pytest.mark.parametrize(("operation", "code", "status"), ERRORS_OF_CALLS, ids=str)
def test_one_passing_error_of_any_call_fails_no_request(
    account: Account, operation: str, code: str, status: int
) -> None:
    account.border.before(operation, error(operation, code, status))
    assert MEETS[operation](account) is account.state
    assert account.border.calls.count(operation) > 1
    assert len(account.commands) <= 2


@pytest.mark.parametrize(
    "failure",
    [ConnectTimeoutError(endpoint_url="https://aws"), ReadTimeoutError(endpoint_url="https://aws")],
    ids=["to connect", "to read"],
)
@EACH_CALL
def test_one_time_out_of_any_call_fails_no_request(
    account: Account, operation: str, failure: Exception
) -> None:
    account.border.before(operation, failure)
    assert MEETS[operation](account) is account.state


@pytest.mark.parametrize("number", range(6))
def test_a_write_whose_answer_is_lost_was_written_all_the_same(
    account: Account, number: int
) -> None:
    """Claim, intention or answer, of a creation or of its deletion."""
    lost = ReadTimeoutError(endpoint_url="https://aws")
    account.border.after("PutItem", *[None] * number, lost)
    assert roll_back(account) is account.state
    assert account.border.calls.count("PutItem") > number
    assert account.commands == ["StopServer", "StartServer"]
    assert account.row.released


def test_a_command_whose_answer_is_lost_is_not_given_again(account: Account) -> None:
    account.border.after("StopServer", ReadTimeoutError(endpoint_url="https://aws"))
    assert create(account) is account.state
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize(("code", "status"), NEW_TO_IT)
@pytest.mark.parametrize("operation", [call for call in MEETS if call != "Invoke"])
def test_a_permission_that_takes_two_seconds_to_hold_fails_no_request(
    account: Account, operation: str, code: str, status: int
) -> None:
    """That to invoke itself has held for as long as an invocation, when it is needed."""
    account.border.before(operation, *[error(operation, code, status)] * 2)
    assert MEETS[operation](account) is account.state


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("DescribeServer", "ResourceNotFoundException"),
        ("StopServer", "ResourceNotFoundException"),
        ("GetItem", "ResourceNotFoundException"),
        ("PutItem", "ResourceNotFoundException"),
    ],
)
def test_what_is_not_found_once_fails_no_request(
    account: Account, operation: str, code: str
) -> None:
    account.border.before(operation, error(operation, code, 400))
    assert MEETS[operation](account) is account.state


def test_a_refusal_is_believed_only_if_aws_says_nothing_else_meanwhile(account: Account) -> None:
    broken = account.border.broken
    denied = error("DescribeServer", "AccessDeniedException", 400)
    silent = error("DescribeServer", "ServiceUnavailableException", 503)
    broken["DescribeServer"] = denied
    account.clock.after(15, lambda: broken.update(DescribeServer=silent))
    account.clock.after(25, lambda: broken.update(DescribeServer=denied))
    account.clock.after(45, broken.clear)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"


def test_what_aws_puts_off_is_looked_at_now_and_then_for_it_may_be_done_already(
    account: Account,
) -> None:
    conflict = error("StopServer", "ConflictException", 400)
    account.border.broken["StopServer"] = conflict

    def stop() -> None:
        account.state = State.OFFLINE

    account.clock.after(100, stop)
    answer = account.send("Create", DesiredState="OFFLINE")
    assert (answer["Status"], account.commands) == ("SUCCESS", [])
    assert account.clock.now() < float(account.row.sent_at) + 100 + 90


def test_what_aws_puts_off_throughout_is_told_in_its_words(account: Account) -> None:
    conflict = client_error("ConflictException", 400, "StopServer", "An import is under way.")
    account.border.broken["StopServer"] = conflict
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="300")
    assert re.fullmatch(
        rf"{account.server_id} is ONLINE, wanted OFFLINE, 2\d\d s: transfer:StopServer: "
        r"ConflictException: An import is under way\. Once it has settled, deploy again, or raise "
        r"ServiceTimeout\. \[\w+\]",
        answer["Reason"],
    )


@pytest.mark.parametrize(
    ("operation", "code", "told"),
    [
        ("DescribeServer", "AccessDeniedException", "denied"),
        ("StopServer", "AccessDeniedException", "denied"),
        ("DescribeServer", "ResourceNotFoundException", "does not exist"),
    ],
)
def test_a_refusal_that_lasts_is_believed_after_half_a_minute_in_aws_s_words(
    account: Account, operation: str, code: str, told: str
) -> None:
    words = "explicit deny in a service control policy"
    account.border.broken[operation] = client_error(code, 400, operation, words)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "FAILED"
    assert told in answer["Reason"]
    assert f"transfer:{operation}: {code}: {words}" in answer["Reason"]
    assert 30 <= account.clock.now() - began_s < 75
    assert account.commands == []


def test_a_stack_that_is_throttled_in_a_rollback_is_asked_until_it_answers(
    account: Account,
) -> None:
    """Or its deletion would leave the server as it is."""
    resource = {"DesiredState": "OFFLINE", "PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    create(account)
    account.become("ROLLBACK_IN_PROGRESS")
    throttled = client_error("RequestLimitExceeded", 503, "DescribeStacks")
    account.border.broken["DescribeStacks"] = throttled
    account.clock.after(600, account.border.broken.clear)
    assert account.send("Delete", **resource)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE


# A table that cannot be read


def away(account: Account) -> None:
    """Let the table be away: some calls are not answered, others are refused."""
    account.border.broken |= {
        "GetItem": ConnectTimeoutError(endpoint_url="https://aws"),
        "PutItem": client_error("ResourceNotFoundException", 400, "PutItem"),
    }


def test_a_creation_without_the_table_waits_until_its_deadline_and_moves_nothing(
    account: Account,
) -> None:
    away(account)
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "not-created")
    assert "dynamodb:GetItem: ConnectTimeoutError" in answer["Reason"]
    assert account.clock.now() - began_s == pytest.approx(540, abs=1)
    assert account.operations == []


def test_a_creation_without_the_table_waits_on_in_another_invocation(account: Account) -> None:
    away(account)
    account.timeout_s = 120
    account.clock.after(300, account.border.broken.clear)
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    assert len(account.lambda_.invocations) >= 2


def test_an_answer_that_cannot_be_written_down_is_sent_at_the_deadline(account: Account) -> None:
    account.border.before("StopServer", lambda: away(account))
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="300")
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == f"{account.server_id}:from-ONLINE"
    assert "dynamodb:" in answer["Reason"]
    assert account.commands == ["StopServer"]


@pytest.mark.parametrize("request_type", ["Create", "Delete"])
def test_what_came_in_time_is_a_success_though_its_first_record_fails_at_the_deadline(
    account: Account, request_type: str
) -> None:
    fields = {}
    if request_type == "Delete":
        create(account)
        account.become("ROLLBACK_IN_PROGRESS")
        fields = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    account.timeout_s = 5_000

    def too_late() -> None:
        account.clock.now_s += 3_600
        raise client_error("InternalServerError", 500, "PutItem")

    # Its claim, its command, its end.
    account.border.before("PutItem", None, None, too_late)
    answer = account.send(request_type, DesiredState="OFFLINE", **fields)
    assert answer["Status"] == "SUCCESS"
    assert (account.row.answer or {})["status"] == "SUCCESS"


def test_however_often_somebody_else_writes_its_row_it_is_answered_in_time(
    account: Account,
) -> None:
    conflict = client_error("ConditionalCheckFailedException", 400, "PutItem")
    account.border.before("StopServer", lambda: account.border.broken.update(PutItem=conflict))
    began_s = account.clock.now()
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="300")
    assert answer["Status"] == "FAILED"
    assert account.clock.now() - began_s == pytest.approx(240, abs=1)
    assert account.commands == ["StopServer"]


def test_what_another_delivery_answered_meanwhile_is_repeated_at_the_deadline(
    account: Account,
) -> None:
    throttled = client_error("Throttling", 400, "DescribeServer")
    account.border.after(
        "StopServer", lambda: account.border.broken.update(DescribeServer=throttled)
    )
    registry, told = Registry(account.aws, TABLE), Answer("SUCCESS", "an id", "It is so.", "done")
    account.clock.after(539, lambda: registry.write(replace(account.row, answer=told.record())))
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "an id")
    assert answer["Reason"].startswith("It is so.")


def test_so_it_is_where_that_wrote_its_command_first(account: Account) -> None:
    throttled = client_error("Throttling", 400, "DescribeServer")
    account.border.broken["DescribeServer"] = throttled
    registry, told = Registry(account.aws, TABLE), Answer("SUCCESS", "an id", "It is so.", "done")

    def command() -> None:
        registry.write(account.row)
        account.border.before("PutItem", answer)

    def answer() -> None:
        registry.write(replace(account.row, answer=told.record()))

    account.clock.after(539, lambda: account.border.before("PutItem", command))
    given = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="600")
    assert given["Reason"].startswith("It is so.")


def test_so_is_what_another_delivery_answered_when_a_refusal_is_believed(account: Account) -> None:
    account.send("Create", DesiredState="OFFLINE")
    account.become("UPDATE_IN_PROGRESS")
    account.clock.sleep(100)
    creation = account.request("Create", DesiredState="OFFLINE", LogicalResourceId="Renamed")
    began_s = account.clock.now()

    def refuse() -> None:
        if account.clock.now() - began_s < 30:
            account.border.before("DescribeStacks", refuse)
        else:
            account.invoke(creation)
        raise error("DescribeStacks", "AccessDenied", 403)

    account.border.before("DescribeStacks", refuse)
    account.invoke(creation)
    first, second = account.store.answers[1:]
    assert (first["Status"], first) == ("SUCCESS", second)


@pytest.mark.parametrize("at_s", [0, 5])
def test_a_creation_goes_on_when_the_table_comes_back(account: Account, at_s: float) -> None:
    """Whether it was away from the start, or only when the command had been given."""
    account.emulator.set(stop_s=60)
    account.clock.after(at_s, lambda: away(account))
    account.clock.after(at_s + 300, account.border.broken.clear)
    account.clock.sleep(0)
    answer = account.send("Create", DesiredState="OFFLINE")
    assert answer["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]
    assert account.row.answer


@pytest.mark.parametrize(
    ("status", "on_delete", "restored"),
    [
        ("ROLLBACK_IN_PROGRESS", "RETAIN", True),
        ("DELETE_IN_PROGRESS", "RESTORE", True),
        ("DELETE_IN_PROGRESS", "RETAIN", False),
    ],
)
def test_a_deletion_without_the_table_goes_by_its_id_after_two_minutes(
    account: Account, status: str, on_delete: str, *, restored: bool
) -> None:
    create(account)
    account.become("CREATE_COMPLETE" if status.startswith("DELETE") else status)
    account.become(status)
    away(account)
    began_s = account.clock.now()
    answer = account.send(
        "Delete",
        DesiredState="OFFLINE",
        OnDelete=on_delete,
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
    )
    assert answer["Status"] == "SUCCESS"
    assert (account.state is State.ONLINE) is restored
    # Then half a minute at most between two tries, and a transition.
    assert 120 <= account.clock.now() - began_s < 200


def test_a_deletion_with_an_id_that_says_nothing_owns_up_to_it_without_the_table(
    account: Account,
) -> None:
    account.become("ROLLBACK_IN_PROGRESS")
    away(account)
    answer = account.send("Delete", DesiredState="OFFLINE", PhysicalResourceId=MADE_UP)
    assert answer["Status"] == "SUCCESS"
    assert "whether it should be nobody could tell: dynamodb:" in answer["Reason"]
    assert account.operations == []


def test_a_deletion_that_read_its_row_knows_what_it_owes_though_it_cannot_write(
    account: Account,
) -> None:
    create(account)
    account.become("CREATE_COMPLETE")
    account.become("DELETE_IN_PROGRESS")
    throttled = client_error("ThrottlingException", 400, "PutItem")
    account.border.broken["PutItem"] = throttled
    answer = account.send(
        "Delete", DesiredState="OFFLINE", PhysicalResourceId=f"{account.server_id}:from-ONLINE"
    )
    assert answer["Status"] == "SUCCESS"
    assert "nobody could tell" not in answer["Reason"]
    assert "dynamodb" not in answer["Reason"]


# A row that is lost


def lose(account: Account) -> None:
    account.dynamodb.delete_item(TableName=TABLE, Key={"ServerId": {"S": account.server_id}})
    assert account.row.version == 0


@pytest.mark.parametrize(
    ("status", "on_delete", "restored"),
    [
        ("ROLLBACK_IN_PROGRESS", "RETAIN", True),
        ("DELETE_IN_PROGRESS", "RESTORE", True),
        ("DELETE_IN_PROGRESS", "RETAIN", False),
    ],
)
def test_a_deletion_of_a_lost_row_goes_by_its_id(
    account: Account, status: str, on_delete: str, *, restored: bool
) -> None:
    create(account)
    account.become("CREATE_COMPLETE" if status.startswith("DELETE") else status)
    account.become(status)
    lose(account)
    answer = account.send(
        "Delete",
        DesiredState="OFFLINE",
        OnDelete=on_delete,
        PhysicalResourceId=f"{account.server_id}:from-ONLINE",
    )
    assert answer["Status"] == "SUCCESS"
    assert (account.state is State.ONLINE) is restored
    assert account.row.released


def test_an_update_makes_a_lost_row_anew_with_what_the_id_says_was_found(account: Account) -> None:
    create(account)
    lose(account)
    given = {"PhysicalResourceId": f"{account.server_id}:from-ONLINE"}
    answer: dict[str, Any] = account.send("Update", DesiredState="OFFLINE", **given)
    assert answer["Status"] == "SUCCESS"
    assert account.row.held
    assert account.row.found == "ONLINE"


def test_a_row_that_is_lost_while_its_request_is_at_work_is_claimed_anew(account: Account) -> None:
    """The server is on its way, so no second command is given."""
    account.emulator.set(stop_s=100)
    account.clock.after(20, lambda: lose(account))
    assert account.send("Create", DesiredState="OFFLINE")["Status"] == "SUCCESS"
    assert account.commands == ["StopServer"]
    assert account.row.desired == "OFFLINE"


# What passed, and what lasts


def test_a_failure_that_passed_is_not_told(account: Account) -> None:
    """Whatever the request ends in, an error of minutes ago is not its reason."""
    throttled = client_error("ThrottlingException", 400, "DescribeServer")
    account.emulator.set(stop_s=2)
    account.border.before("DescribeServer", throttled)
    account.border.before("GetItem", client_error("InternalServerError", 500, "GetItem"))
    done = account.send("Create", DesiredState="OFFLINE")
    assert (done["Status"], done["Reason"]) == ("SUCCESS", reason_of(account, "OFFLINE"))
    account.new_stack(OTHER_STACK)
    account.border.before("DescribeStacks", client_error("Throttling", 400, "DescribeStacks"))
    rival = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert "may not declare it too. A server" in rival["Reason"]


def test_a_failure_before_the_last_look_is_not_the_reason_of_a_failed_stop(
    account: Account,
) -> None:
    account.emulator.set(stop_s=30, stop_failures=1)
    throttled = client_error("ThrottlingException", 400, "DescribeServer")
    account.clock.after(29, lambda: account.border.before("DescribeServer", *[throttled] * 3))
    failed = account.send("Create", DesiredState="OFFLINE")
    assert f"{account.server_id} is STOP_FAILED, wanted OFFLINE" in failed["Reason"]
    assert "Throttling" not in failed["Reason"]


def reason_of(account: Account, state: str) -> str:
    """The Reason of a request that stopped the server and found it so."""
    waited_s = round(account.clock.now() - account.row.sent_at)
    return f"{account.server_id} is {state}, after StopServer, {waited_s} s."


@pytest.mark.parametrize(
    ("code", "outcome", "told"),
    [
        ("AccessDeniedException", "denied", "Allow it in the provider's role"),
        ("ResourceNotFoundException", "refused", "Mend what AWS names"),
        ("ThrottlingException", "unanswered", "When AWS answers"),
    ],
)
def test_a_table_that_refuses_until_the_deadline_is_told_for_what_it_is(
    account: Account, caplog: pytest.LogCaptureFixture, code: str, outcome: str, told: str
) -> None:
    account.border.broken["GetItem"] = client_error(code, 400, "GetItem", "in AWS's words")
    answer = account.send("Create", DesiredState="OFFLINE", ServiceTimeout="120")
    assert answer["Status"] == "FAILED"
    assert f"dynamodb:GetItem: {code}" in answer["Reason"]
    assert told in answer["Reason"]
    assert json.loads(caplog.messages[-1])["outcome"] == outcome


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredTokenException",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "NotAuthorized",
        "OptInRequired",
    ],
)
def test_credentials_that_do_not_hold_for_a_moment_fail_no_request(
    account: Account, code: str
) -> None:
    account.border.before("DescribeServer", *[error("DescribeServer", code, 400)] * 2)
    assert create(account) is account.state


def test_a_deletion_does_not_leave_the_registry_for_another_service_s_silence(
    account: Account,
) -> None:
    """Transfer throttles for minutes, the table fails twice: what is owed is known all the same."""
    resource = {"DesiredState": "OFFLINE", "OnDelete": "RESTORE"}
    created = account.send("Create", **resource)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    account.become("DELETE_IN_PROGRESS")
    account.border.broken["DescribeServer"] = client_error("Throttling", 400, "DescribeServer")
    once = client_error("InternalServerError", 500, "GetItem")
    for at_s in (200, 350):
        account.clock.after(at_s, lambda: account.border.before("GetItem", once))
    account.clock.after(400, account.border.broken.clear)
    given = {"PhysicalResourceId": created["PhysicalResourceId"]}
    assert account.send("Delete", **resource, **given)["Status"] == "SUCCESS"
    assert account.state is State.ONLINE
    # It was written down, too.
    assert account.row.released
