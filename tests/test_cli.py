"""The command line shows what is declared beside what is, and changes nothing that it must not."""

import importlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import OTHER_STACK, STACK, TABLE, Account, kill
from tests.fakes.errors import client_error
from transfer_server_state.cli import main


@pytest.fixture(autouse=True)
def provider_stack(account: Account) -> None:
    account.new_stack("transfer-server-state", resources={"Registry": TABLE})


def run(account: Account, *arguments: str, ask: Callable[[str], str] | None = None) -> int:
    return main(arguments, aws=account.aws, clock=account.clock, ask=ask)


def declared(account: Account, **properties: Any) -> dict[str, Any]:
    resource = {"DesiredState": "OFFLINE", **properties}
    answer = account.send("Create", **resource)
    assert answer["Status"] == "SUCCESS"
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    return {**resource, "PhysicalResourceId": answer["PhysicalResourceId"]}


def start(account: Account) -> None:
    account.transfer.start_server(ServerId=account.server_id)
    account.clock.sleep(60)


def shown(account: Account, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    status = run(account, "drift", "--json", *arguments)
    return status, json.loads(capsys.readouterr().out)


def test_all_as_declared_is_status_0(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    declared(account)
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"]) == (0, "as declared")
    assert (only["declared"], only["actual"], only["since"]) == ("OFFLINE", "OFFLINE", None)


def test_drift_is_status_2_and_a_table_for_people(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account, OnDrift="REASSERT")
    start(account)
    account.guard()
    capsys.readouterr()
    assert run(account, "drift") == 2
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *("SERVER", "DECLARED", "ACTUAL", "STANDING", "SINCE", "ON", "DRIFT", "OWNER"),
    ]
    server, wanted, actual, standing, since, on_drift, owner = line.split()
    assert (server, wanted, actual, standing) == (
        *(account.server_id, "OFFLINE", "ONLINE", "drifted"),
    )
    assert since.startswith("2023-11-14T")
    assert (on_drift, owner) == ("REASSERT", "demo/State")


def test_a_drift_that_the_guard_has_not_seen_yet_is_shown(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account)
    start(account)
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"], only["since"]) == (2, "drifted", None)
    assert (only["onDrift"], only["stack"], only["resource"]) == ("REPORT", STACK, "State")


def test_a_server_that_is_gone_is_a_drift(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account)
    account.transfer.delete_server(ServerId=account.server_id)
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"], only["actual"]) == (2, "gone", None)
    assert run(account, "drift") == 2


def test_who_is_at_work_is_shown_and_is_no_drift(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.border.after("StopServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"], only["request"]["answered"]) == (0, "at work", False)


def test_what_a_deletion_owes_is_shown(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = declared(account, OnDelete="RESTORE")
    account.emulator.set(start_failures=1)
    account.become("DELETE_IN_PROGRESS")
    assert account.send("Delete", **resource)["Status"] == "FAILED"
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"]) == (2, "drifted")
    assert (only["declared"], only["restorationOwed"]) == ("ONLINE", "ONLINE")
    capsys.readouterr()
    run(account, "drift")
    assert " ONLINE (owed) " in capsys.readouterr().out


def test_an_update_that_failed_is_a_drift_unless_the_server_is_there(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = declared(account)
    account.emulator.set(start_failures=1)
    assert account.send("Update", **resource | {"DesiredState": "ONLINE"})["Status"] == "FAILED"
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"]) == (2, "failed")
    account.state = State.ONLINE
    assert shown(account, capsys)[0] == 0


def test_what_is_shown_can_be_narrowed(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account)
    other = account.new_server()
    account.new_stack(OTHER_STACK)
    account.send("Create", ServerId=other, DesiredState="OFFLINE", StackId=OTHER_STACK)
    every = {account.server_id, other}

    def servers(*arguments: str) -> set[str]:
        return {each["server"] for each in shown(account, capsys, *arguments)[1]}

    assert servers() == every
    assert servers("--server", other) == {other}
    assert servers("--owner", "demo") == {account.server_id}
    assert servers("--owner", "other/State") == {other}
    assert servers("--server", f"arn:aws:transfer:eu-west-1:1:server/{other}") == {other}


@pytest.mark.parametrize("narrowed", [["--owner", "other/Else"], ["--server", "s-1"]])
def test_what_nobody_declares_is_no_success(
    account: Account, capsys: pytest.CaptureFixture[str], narrowed: list[str]
) -> None:
    """It may be mistyped."""
    declared(account)
    assert run(account, "drift", *narrowed) == 1
    assert f"nothing is declared of {narrowed[1]}" in capsys.readouterr().err


def test_a_command_line_that_is_wrong_is_an_error_and_no_drift(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(account, "drift", "--sever", "s-1")
    assert ended.value.code == 1
    assert "unrecognized arguments: --sever" in capsys.readouterr().err


def test_a_deployment_that_ends_meanwhile_is_no_drift(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = declared(account)
    declared_online = resource | {"DesiredState": "ONLINE"}
    account.border.after("Scan", lambda: account.send("Update", **declared_online))
    status, (only,) = shown(account, capsys)
    assert (status, only["standing"]) == (0, "at work")


def test_a_row_that_is_not_understood_is_named_beside_the_others(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account)
    bad = {"ServerId": {"S": "s-bad"}, "Version": {"N": "1"}, "Desired": {"S": "ASLEEP"}}
    account.dynamodb.put_item(TableName=TABLE, Item=bad)
    assert run(account, "drift") == 1
    out, err = capsys.readouterr()
    assert account.server_id in out
    assert err.endswith("not understood: s-bad\n")


def test_why_the_guard_leaves_a_drift_is_shown(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account, OnDrift="REASSERT")
    account.stack.resources.clear()
    start(account)
    account.guard()
    capsys.readouterr()
    assert run(account, "drift") == 2
    assert " drifted, ownerless " in capsys.readouterr().out


def test_a_declaration_that_a_request_is_at_work_on_is_not_released(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.border.after("StopServer", kill)
    account.die(account.request("Create", DesiredState="OFFLINE"))
    assert run(account, "release", account.server_id, "--yes") == 1
    assert "a request is at work on it" in capsys.readouterr().err


def test_where_nothing_is_declared_it_says_so(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(account, "drift") == 0
    assert capsys.readouterr().out == "Nothing is declared.\n"


def test_it_reads_and_no_more(account: Account) -> None:
    """These are the permissions that it needs."""
    declared(account)
    account.border.calls.clear()
    run(account, "drift")
    assert account.border.calls == ["DescribeStackResource", "Scan", "ListServers"]
    account.border.calls.clear()
    run(account, "--registry", TABLE, "drift")
    assert account.border.calls == ["Scan", "ListServers"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--provider", "elsewhere", "drift"], "no stack elsewhere with a registry"),
        (["release", "s-00000000000000009"], "s-00000000000000009 is declared by nobody"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line_and_status_1(
    account: Account, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(account, *arguments) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"error: {told}")


@pytest.mark.parametrize("call", ["DescribeStackResource", "Scan", "ListServers"])
def test_a_call_that_is_denied_is_told_by_its_name(
    account: Account, capsys: pytest.CaptureFixture[str], call: str
) -> None:
    account.border.broken[call] = client_error("AccessDeniedException", 400, call, "not you")
    assert run(account, "drift") == 1
    assert f":{call}: AccessDeniedException: not you" in capsys.readouterr().err


# Releasing


def gone(account: Account) -> None:
    """Declare the server in a stack that is lost without its Delete."""
    declared(account)
    account.stack.resources.clear()


def test_a_declaration_whose_owner_is_gone_is_released_after_asking(
    account: Account,
) -> None:
    gone(account)
    asked: list[str] = []

    def agree(question: str) -> str:
        asked.append(question)
        return "y"

    assert run(account, "release", account.server_id, ask=agree) == 0
    assert asked == [
        f"Release {account.server_id}, declared OFFLINE by demo/State? "
        "The server stays as it is. [y/N] "
    ]
    assert account.row.released
    assert account.state is State.OFFLINE
    account.new_stack(OTHER_STACK)
    answer = account.send("Create", DesiredState="ONLINE", StackId=OTHER_STACK)
    assert answer["Status"] == "SUCCESS"


def test_who_says_no_changes_nothing(account: Account) -> None:
    gone(account)
    row = account.row
    assert run(account, "release", account.server_id, ask=lambda _: "") == 0
    assert account.row == row


def test_without_a_terminal_it_takes_a_yes(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    gone(account)
    assert run(account, "release", account.server_id) == 1
    assert "add --yes" in capsys.readouterr().err
    assert run(account, "release", account.server_id, "--yes") == 0
    assert account.row.released


def test_a_declaration_whose_owner_lives_is_not_released(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    declared(account)
    assert run(account, "release", account.server_id, "--yes") == 1
    assert "by demo/State, which is there still: delete that" in capsys.readouterr().err
    assert account.row.desired == "OFFLINE"


def test_who_is_overtaken_by_a_request_releases_nothing(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    gone(account)
    account.new_stack(OTHER_STACK)

    def declare(_: str) -> str:
        account.send("Create", DesiredState="OFFLINE", StackId=OTHER_STACK)
        return "y"

    assert run(account, "release", account.server_id, ask=declare) == 1
    assert "a request came meanwhile" in capsys.readouterr().err
    assert account.row.owner.name == "other/State"


def test_the_module_is_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["transfer-server-state", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("transfer_server_state.__main__")
    assert ended.value.code == 0
    assert "drift" in capsys.readouterr().out
