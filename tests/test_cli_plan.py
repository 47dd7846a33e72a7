"""The command plan shows what a deployment would do, in every form, and changes nothing."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from local.emulator import State
from tests.fakes.account import FUNCTION, OTHER_STACK, STACK, TABLE, Account
from tests.fakes.cloudformation import ChangeSet
from transfer_server_state.cli import main
from transfer_server_state.planned import KNOWN_AFTER_APPLY

Capture = pytest.CaptureFixture[str]
PROVIDER = STACK.replace("/demo/", "/transfer-server-state/")


@pytest.fixture(autouse=True)
def provider_stack(account: Account) -> None:
    account.new_stack(PROVIDER, resources={"Registry": TABLE})


def run(account: Account, *arguments: str) -> int:
    before = account.row, list(account.commands)
    status = main(("plan", *arguments), aws=account.aws, clock=account.clock)
    assert (account.row, account.commands) == before
    return status


def planned(account: Account, capsys: Capture, *arguments: str) -> tuple[int, list[Any]]:
    capsys.readouterr()
    status = run(account, *arguments, "--json")
    return status, json.loads(capsys.readouterr().out)


def properties(account: Account, **changed: Any) -> dict[str, Any]:
    usual = {"ServerId": account.server_id, "DesiredState": "ONLINE", "ServiceToken": FUNCTION}
    return {**usual, **changed}


def declared(account: Account, **changed: Any) -> str:
    """Declare the server and return the resource's physical id."""
    answer = account.send("Create", **properties(account, **changed))
    assert answer["Status"] == "SUCCESS"
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    return str(answer["PhysicalResourceId"])


def resource(action: str, before: Any, after: Any, **fields: Any) -> dict[str, Any]:
    """A change of the declaration, as DescribeChangeSet lists it."""
    contexts = {"BeforeContext": before, "AfterContext": after}
    return {
        "Action": action,
        "LogicalResourceId": "State",
        "ResourceType": "Custom::TransferServerState",
        **({"Scope": ["Properties"]} if action == "Modify" else {}),
        **{n: json.dumps({"Properties": value}) for n, value in contexts.items() if value},
        **fields,
    }


def server(account: Account, **fields: Any) -> dict[str, Any]:
    """An update of the server itself."""
    return {
        "Action": "Modify",
        "LogicalResourceId": "Server",
        "PhysicalResourceId": f"arn:aws:transfer:eu-west-1:000000000000:server/{account.server_id}",
        "ResourceType": "AWS::Transfer::Server",
        "Replacement": "False",
        "Scope": ["Tags"],
        "BeforeContext": "{}",
        "AfterContext": "{}",
        **fields,
    }


def proposed(account: Account, *changes: dict[str, Any], **fields: Any) -> tuple[str, ...]:
    account.cloudformation.change_sets.append(ChangeSet(STACK, changes=list(changes), **fields))
    return ("--change-set", "proposed", "--stack", "demo")


def test_a_change_set_that_stops_a_server_is_status_2(account: Account, capsys: Capture) -> None:
    physical_id = declared(account)
    change = resource(
        "Modify",
        properties(account),
        properties(account, DesiredState="OFFLINE"),
        PhysicalResourceId=physical_id,
    )
    asked = proposed(account, change)
    status, (only,) = planned(account, capsys, *asked)
    assert (status, only["action"], only["command"]) == (2, "stop", "StopServer")
    assert (only["resource"], only["server_id"]) == ("demo/State", account.server_id)
    assert (only["actual"], only["desired"]) == ("ONLINE", "OFFLINE")
    assert only["reason"] == "changed: DesiredState ONLINE -> OFFLINE"
    assert not only["fails"]


def test_a_change_set_by_its_arn_needs_no_stack(account: Account, capsys: Capture) -> None:
    proposed(account, resource("Add", None, properties(account)))
    arn = account.cloudformation.change_sets[0].arn
    status, (only,) = planned(account, capsys, "--change-set", arn)
    assert (status, only["action"]) == (0, "nothing")


def test_a_change_set_is_that_of_its_stack_where_others_are_called_the_same(
    account: Account, capsys: Capture
) -> None:
    account.cloudformation.change_sets.append(ChangeSet(OTHER_STACK))
    asked = proposed(account, resource("Add", None, properties(account, DesiredState="OFFLINE")))
    status, (only,) = planned(account, capsys, *asked)
    assert (status, only["resource"]) == (2, "demo/State")


def test_a_change_set_that_is_not_ready_is_told_to_be_so(account: Account, capsys: Capture) -> None:
    assert run(account, *proposed(account, status="CREATE_IN_PROGRESS")) == 1
    told = capsys.readouterr().err
    assert told.splitlines() == ["error: change set proposed is CREATE_IN_PROGRESS"]


def test_a_custom_resource_is_planned_if_its_token_is_the_provider_s(
    account: Account, capsys: Capture
) -> None:
    custom = "AWS::CloudFormation::CustomResource"
    provider = "arn:aws:lambda:eu-west-1:000000000000:function:transfer-server-state-provider"
    after = properties(account, DesiredState="OFFLINE", ServiceToken=provider)
    change = resource("Add", None, after, ResourceType=custom)
    status, (only,) = planned(account, capsys, *proposed(account, change))
    assert (status, only["action"]) == (2, "stop")


def test_a_tag_of_a_server_that_is_declared_offline_is_the_restart_that_it_is(
    account: Account, capsys: Capture
) -> None:
    physical_id = declared(account, DesiredState="OFFLINE")
    before = properties(account, DesiredState="OFFLINE")
    dependent = resource(
        "Modify",
        before,
        {**before, "ServerId": KNOWN_AFTER_APPLY},
        PhysicalResourceId=physical_id,
        Replacement="Conditional",
        Details=[
            {"ChangeSource": "Automatic"},
            {"Target": {"Name": "ServerId"}, "ChangeSource": "DirectModification"},
            {
                "Target": {"Attribute": "Properties", "Name": "ServerId"},
                "Evaluation": "Dynamic",
                "ChangeSource": "ResourceAttribute",
                "CausingEntity": "Server.ServerId",
            },
        ],
    )
    status, (only,) = planned(account, capsys, *proposed(account, server(account), dependent))
    assert (status, only["resource"], only["action"]) == (2, "demo/Server", "started by AWS")
    assert "nobody stops it again" in only["reason"]


def test_a_server_that_is_replaced_is_not_known_yet(account: Account, capsys: Capture) -> None:
    declared(account)
    after = properties(account, ServerId=KNOWN_AFTER_APPLY)
    details = [{"Target": {"Name": "ServerId"}, "CausingEntity": "Server.ServerId"}]
    dependent = resource("Modify", properties(account), after, Details=details)
    replaced = server(account, Replacement="True", Scope=["Properties"])
    status, (only,) = planned(account, capsys, *proposed(account, replaced, dependent))
    assert (status, only["action"]) == (2, "unknown until applied")


def test_what_is_sent_to_no_handler_does_nothing(account: Account, capsys: Capture) -> None:
    physical_id = declared(account, DesiredState="OFFLINE")
    same = properties(account, DesiredState="OFFLINE")
    policy = resource("Modify", same, same, PhysicalResourceId=physical_id, Scope=["Metadata"])
    changes = (server(account, Scope=["DeletionPolicy"]), policy)
    assert planned(account, capsys, *proposed(account, *changes)) == (0, [])
    foreign = resource(
        *("Add", None, {"ServiceToken": "arn:another"}),
        ResourceType="AWS::CloudFormation::CustomResource",
    )
    assert planned(account, capsys, *proposed(account, foreign, name="second")) == (0, [])


def test_what_is_removed_is_restored_where_that_was_asked_for(
    account: Account, capsys: Capture
) -> None:
    before = properties(account, DesiredState="OFFLINE", OnDelete="RESTORE")
    physical_id = declared(account, **before)
    removed = resource("Remove", before, None, PhysicalResourceId=physical_id)
    status, (only,) = planned(account, capsys, *proposed(account, removed))
    assert (status, only["action"], only["command"]) == (2, "restore", "StartServer")
    retained = {**removed, "PolicyAction": "Retain"}
    account.cloudformation.change_sets.clear()
    status, (only,) = planned(account, capsys, *proposed(account, retained))
    assert (status, only["action"]) == (0, "nothing")


def test_a_refusal_is_status_1_with_every_violation(account: Account, capsys: Capture) -> None:
    wrong = properties(account, DesiredState="OFLINE", Sever="x")
    status, (only,) = planned(account, capsys, *proposed(account, resource("Add", None, wrong)))
    assert (status, only["action"], only["fails"]) == (1, "refused", True)
    assert "did you mean OFFLINE?" in only["reason"]
    assert "Sever" in only["reason"]


def test_all_pages_of_a_change_set_are_read(account: Account, capsys: Capture) -> None:
    other = {
        "Action": "Add",
        "LogicalResourceId": "Topic",
        "ResourceType": "AWS::SNS::Topic",
        "AfterContext": "{}",
    }
    changes = [other, other, resource("Add", None, properties(account, DesiredState="OFFLINE"))]
    status, (only,) = planned(account, capsys, *proposed(account, *changes))
    assert (status, only["action"]) == (2, "stop")


def test_nested_change_sets_are_followed(account: Account, capsys: Capture) -> None:
    declared(account, DesiredState="OFFLINE")
    wrong = resource("Add", None, properties(account, DesiredState="OFF"))
    nested = ChangeSet(OTHER_STACK, name="nested", changes=[server(account), wrong])
    account.cloudformation.change_sets.append(nested)
    parent = {
        "Action": "Modify",
        "LogicalResourceId": "Nested",
        "ResourceType": "AWS::CloudFormation::Stack",
        "ChangeSetId": nested.arn,
    }
    status, told = planned(account, capsys, *proposed(account, parent))
    assert status == 1
    assert {each["resource"] for each in told} == {"other/State", "other/Server"}


TEMPLATE = """
Parameters:
  State: {Type: String, Default: ONLINE}
  Server: {Type: String}
Resources:
  State:
    Type: Custom::TransferServerState
    Properties:
      ServiceToken: !ImportValue TransferServerState-ServiceToken
      ServerId: !Ref Server
      DesiredState: !Ref State
"""


def test_without_values_the_templates_and_their_parameters_tell(
    account: Account, capsys: Capture
) -> None:
    physical_id = declared(account)
    account.stack.template = TEMPLATE
    account.stack.parameters = {"Server": account.server_id}
    account.stack.resources |= {"One": "1", "Two": "2", "State": physical_id}
    bare = resource("Modify", None, None, PhysicalResourceId=physical_id)
    parameters = {**account.stack.parameters, "State": "OFFLINE"}
    asked = proposed(account, bare, template=TEMPLATE, parameters=parameters)
    status, (only,) = planned(account, capsys, *asked)
    assert (status, only["action"]) == (2, "stop")
    assert only["reason"] == "changed: DesiredState ONLINE -> OFFLINE"


def test_a_change_set_for_a_new_stack_has_no_template_before(
    account: Account, capsys: Capture
) -> None:
    account.become("REVIEW_IN_PROGRESS")
    as_json = json.dumps(
        {
            "Resources": {
                "State": {
                    "Type": "Custom::TransferServerState",
                    "Properties": properties(account, DesiredState="OFFLINE"),
                }
            }
        }
    )
    asked = proposed(account, resource("Add", None, None), template=as_json)
    status, (only,) = planned(account, capsys, *asked)
    assert (status, only["action"], only["reason"]) == (2, "stop", "declared for the first time")


def test_a_change_set_without_changes_is_status_0(account: Account, capsys: Capture) -> None:
    reason = "The submitted information didn't contain changes."
    asked = proposed(account, status="FAILED", reason=reason)
    assert run(account, *asked) == 0
    assert capsys.readouterr().out == "Plan: nothing happens to any server.\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--change-set", "proposed"], "a change set by its name needs its --stack, too"),
        (["--change-set", "other", "--stack", "demo"], "ChangeSetNotFound: ChangeSet [other] does"),
        (["--change-set", "proposed", "--stack", "demo"], "change set proposed is FAILED: odd"),
        (["--template", "/nowhere.yaml"], "/nowhere.yaml: "),
        ([], "one of the arguments --change-set --template is required"),
    ],
)
def test_what_cannot_be_planned_is_told_in_a_line_and_status_1(
    account: Account, capsys: Capture, arguments: list[str], text: str
) -> None:
    proposed(account, status="FAILED", reason="odd")
    try:
        status = run(account, *arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 1
    told = capsys.readouterr().err
    assert text in told
    assert "Traceback" not in told


def test_a_template_is_planned_before_there_is_any_stack(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(TEMPLATE)
    given = ("--parameter", f"Server={account.server_id}", "--parameter", "State=OFFLINE")
    status, (only,) = planned(account, capsys, "--template", str(file), *given)
    assert (status, only["resource"], only["action"]) == (2, "new/State", "stop")
    account.state = State.OFFLINE
    status, (only,) = planned(account, capsys, "--template", str(file), *given, "--stack", "soon")
    assert (status, only["resource"], only["action"]) == (0, "soon/State", "nothing")
    status, (only,) = planned(account, capsys, "--template", str(file))
    assert (status, only["action"]) == (2, "unknown until applied")


def test_a_template_for_a_stack_of_somebody_else_s_server_is_refused(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    declared(account)
    file = tmp_path / "stack.yaml"
    file.write_text(TEMPLATE)
    given = ("--parameter", f"Server={account.server_id}")
    status, (only,) = planned(account, capsys, "--template", str(file), *given)
    assert (status, only["action"]) == (1, "refused")
    assert "demo/State" in only["reason"]


def test_a_template_for_a_stack_that_is_there_keeps_its_other_parameters(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    physical_id = declared(account)
    account.stack.template = TEMPLATE
    account.stack.parameters = {"Server": account.server_id, "State": "ONLINE"}
    account.stack.resources["State"] = physical_id
    file = tmp_path / "stack.yaml"
    file.write_text(TEMPLATE)
    asked = ("--template", str(file), "--stack", "demo")
    assert planned(account, capsys, *asked) == (0, [])
    status, (only,) = planned(account, capsys, *asked, "--parameter", "State=OFFLINE")
    assert (status, only["reason"]) == (2, "changed: DesiredState ONLINE -> OFFLINE")


OWN = """
Resources:
  Server: {Type: AWS::Transfer::Server, Properties: {Protocols: [SFTP]}}
  State:
    Type: Custom::TransferServerState
    Properties:
      ServiceToken: !ImportValue TransferServerState-ServiceToken
      ServerId: !GetAtt Server.ServerId
      DesiredState: OFFLINE
"""


def test_a_server_that_could_not_be_made_has_no_id_yet(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    account.stack.template = "Resources: {}"
    account.stack.resources["Server"] = ""
    file = tmp_path / "stack.yaml"
    file.write_text(OWN)
    status, (only,) = planned(account, capsys, "--template", str(file), "--stack", "demo")
    assert (status, only["action"]) == (2, "unknown until applied")


def test_a_template_tells_what_its_stack_s_own_server_goes_through(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    physical_id = declared(account, DesiredState="OFFLINE")
    account.stack.template = OWN
    arn = server(account)["PhysicalResourceId"]
    account.stack.resources |= {"Server": arn, "State": physical_id}
    file = tmp_path / "stack.yaml"
    file.write_text(OWN.replace("SFTP", "FTPS"))
    status, (only,) = planned(account, capsys, "--template", str(file), "--stack", "demo")
    assert (status, only["server_id"]) == (2, account.server_id)
    assert (only["resource"], only["action"]) == ("demo/Server", "started by AWS")


@pytest.mark.parametrize(
    ("text", "parameter", "why"),
    [
        (b"Resources: [", "State=ONLINE", "is no template"),
        (TEMPLATE.encode(), "Stat=ONLINE", "has no parameter Stat"),
        (TEMPLATE.encode(), "State", "expected NAME=VALUE"),
        (b"\xff\xfe", "State=ONLINE", "can't decode"),
    ],
)
def test_a_template_that_cannot_be_read_is_told_in_a_line(
    account: Account, tmp_path: Path, text: bytes, parameter: str, why: str
) -> None:
    file = tmp_path / "stack.yaml"
    file.write_bytes(text)
    with redirect_stderr(io.StringIO()) as told:
        assert run(account, "--template", str(file), "--parameter", parameter) == 1
    assert why in told.getvalue()


def test_a_stack_that_may_not_be_described_is_told_in_a_line(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(TEMPLATE)
    account.cloudformation.denied = {"DescribeStacks"}
    assert run(account, "--template", str(file), "--stack", "demo") == 1
    assert capsys.readouterr().err.startswith("error: cloudformation:DescribeStacks: AccessDenied")


def test_what_a_template_does_not_show_is_named(
    account: Account, capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text("Resources: {Nested: {Type: AWS::CloudFormation::Stack}}")
    assert run(account, "--template", str(file)) == 0
    assert capsys.readouterr().err == "note: Nested is not followed; a change set of it is\n"


def test_a_registry_that_cannot_be_read_is_a_line_for_each_that_needs_it(
    account: Account, capsys: Capture
) -> None:
    wrong = resource(
        "Add", None, properties(account, DesiredState="OFF"), LogicalResourceId="Wrong"
    )
    asked = proposed(account, resource("Add", None, properties(account)), wrong)
    del account.cloudformation.stacks[PROVIDER]
    account.new_stack(OTHER_STACK)
    status, (unread, refused) = planned(account, capsys, *asked)
    assert status == 1
    assert (unread["action"], refused["action"]) == ("unknown until applied", "refused")
    assert unread["reason"].startswith("no stack transfer-server-state with a registry")


def stop_and_refusal(account: Account) -> tuple[str, ...]:
    stop = resource("Add", None, properties(account, DesiredState="OFFLINE"))
    wrong = resource(
        "Add", None, properties(account, DesiredState="<b>|`x`"), LogicalResourceId="Wrong"
    )
    return proposed(account, stop, wrong)


def test_in_a_pipe_it_is_plain_text(account: Account, capsys: Capture) -> None:
    assert run(account, *stop_and_refusal(account)) == 1
    first, told, second, why, summary = capsys.readouterr().out.splitlines()
    assert first == f"demo/State: {account.server_id}: ONLINE -> OFFLINE: stop"
    assert told.startswith("  Declared for the first time. Nobody can connect until")
    assert second == "demo/Wrong: ?: ? -> ?: refused"
    assert why.startswith("  DesiredState: '<b>|`x`', expected")
    assert summary == "Plan: 1 stop, 1 refused."


def test_on_a_terminal_it_is_a_table(account: Account) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with redirect_stdout(Terminal()) as terminal:
        run(account, *stop_and_refusal(account))
        run(account, *proposed(account, name="empty")[:1], "empty", "--stack", "demo")
    head, stop, refused, *_, nothing = terminal.getvalue().splitlines()
    assert head.split() == ["RESOURCE", "SERVER", "NOW", "DECLARED", "WHAT", "HAPPENS"]
    assert stop.split() == ["demo/State", account.server_id, "ONLINE", "OFFLINE", "stop"]
    assert stop.index("stop") == refused.index("refused")
    assert nothing == "Plan: nothing happens to any server."


def test_for_a_pull_request_it_is_markdown_in_which_nothing_is_markup(
    account: Account, capsys: Capture
) -> None:
    run(account, *stop_and_refusal(account), "--markdown")
    head, rule, stop, refused, empty, summary = capsys.readouterr().out.splitlines()
    assert {line.count(" | ") for line in (head, rule, stop, refused)} == {5}
    assert r"\<b\>\|\`x\`" in refused
    assert (empty, summary) == ("", "**Plan: 1 stop, 1 refused.**")


def test_a_replacement_shows_both_servers(account: Account, capsys: Capture) -> None:
    before = properties(account, DesiredState="OFFLINE", OnDelete="RESTORE")
    physical_id = declared(account, **before)
    other = account.new_server()
    account.clock.sleep(60)
    change = resource(
        "Modify", before, {**before, "ServerId": other}, PhysicalResourceId=physical_id
    )
    assert run(account, *proposed(account, change)) == 2
    brought, why, left, _, summary = capsys.readouterr().out.splitlines()
    assert brought.endswith(": ONLINE -> OFFLINE: replace, stop")
    assert f"It replaces {account.server_id}." in why
    assert left.endswith(": OFFLINE -> ONLINE: restore: StartServer")
    assert summary == "Plan: 1 stop, 1 restore."
