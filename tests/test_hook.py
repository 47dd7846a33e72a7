"""The hook tells what a deployment does, refuses what the provider would, and commands nothing."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.payload import PayloadError
from local.emulator import State
from tests.fakes.account import FUNCTION, NO_SERVER, OTHER_STACK, STACK, Account
from transfer_server_state.planned import KNOWN_AFTER_APPLY

URL = "https://payload.example.com/?X-Amz-Signature=presigned-secret"
NOW: dict[str, Any] = {
    "clientRequestToken": "token",
    "awsAccountId": "000000000000",
    "stackId": STACK,
    "changeSetId": f"{STACK}/proposed",
    "hookTypeName": "TransferServerState::Plan::Hook",
    "hookTypeVersion": "00000001",
    "hookModel": {"LambdaFunction": "transfer-server-state-hook"},
    "actionInvocationPoint": "CREATE_PRE_PROVISION",
    "requestData": {
        "targetName": "CHANGE_SET",
        "targetType": "CHANGE_SET",
        "targetLogicalId": f"{STACK}/proposed",
        "payload": URL,
    },
    "requestContext": {"invocation": 1, "callbackContext": None},
}


def for_stack(point: str = "CREATE_PRE_PROVISION") -> dict[str, Any]:
    """An event for a stack, in the other spelling of its fields."""
    renamed = {"clientRequestToken": "clientRequesttoken", "stackId": "stackID"}
    event = {renamed.get(name, name): value for name, value in NOW.items()}
    target = {**NOW["requestData"], "targetName": "STACK", "targetType": "STACK"}
    return {**event, "actionInvocationPoint": point, "requestData": target}


def properties(account: Account, **changed: Any) -> dict[str, Any]:
    usual = {"ServerId": account.server_id, "DesiredState": "OFFLINE", "ServiceToken": FUNCTION}
    return {**usual, **changed}


def template_of(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def declaration(declared: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Custom::TransferServerState", "Properties": declared}


def change_set(before: Any, after: Any, **more: Any) -> dict[str, Any]:
    """The payload of a change set that changes one declaration, and more resources."""
    action = "CREATE" if before is None else "DELETE" if after is None else "UPDATE"
    contexts = {"beforeContext": before, "afterContext": after}
    changed = {
        "logicalResourceId": "State",
        "resourceType": "Custom::TransferServerState",
        "action": action,
        "lineNumber": 3,
        **{
            name: None if value is None else json.dumps({"Properties": value})
            for name, value in contexts.items()
        },
    }
    return {
        "template": template_of(State=declaration(after or before)),
        "changedResources": [changed, *more.get("others", ())],
    }


def test_a_change_set_that_stops_a_server_is_told_and_passes(account: Account) -> None:
    answer = account.hook(NOW, change_set(None, properties(account)))
    assert (answer["hookStatus"], answer["clientRequestToken"]) == ("SUCCESS", "token")
    assert "errorCode" not in answer
    assert answer["message"].startswith("Plan: 1 stop.\n")
    (told,) = answer["annotations"]
    assert (told["annotationName"], told["status"]) == ("State", "PASSED")
    assert (told["severityLevel"], told["remediationMessage"]) == ("INFORMATIONAL", "")
    assert f"{account.server_id}: ONLINE -> OFFLINE: stop" in told["statusMessage"]
    assert account.commands == []
    assert account.row.version == 0


def test_a_stack_s_template_is_planned_with_what_is_not_known_left_unknown(
    account: Account,
) -> None:
    literal = declaration(properties(account))
    by_parameter = declaration(properties(account, DesiredState={"Ref": "State"}))
    text = json.dumps(
        {
            "Parameters": {"State": {"Type": "String", "Default": "ONLINE"}},
            "Resources": {"Literal": literal, "ByParameter": by_parameter},
        }
    )
    answer = account.hook(for_stack(), {"template": text})
    assert (answer["hookStatus"], answer["clientRequestToken"]) == ("SUCCESS", "token")
    known, unknown = answer["annotations"]
    assert (known["status"], unknown["status"]) == ("PASSED", "SKIPPED")
    assert "DesiredState: known once it is applied" in unknown["statusMessage"]


def test_a_stack_whose_parameters_alone_may_change_is_unknown_and_not_unchanged(
    account: Account,
) -> None:
    text = json.dumps(
        {
            "Parameters": {"State": {"Type": "String"}},
            "Resources": {
                "State": declaration(properties(account, DesiredState={"Ref": "State"})),
                "Same": declaration(properties(account, ServerId=NO_SERVER)),
            },
        }
    )
    answer = account.hook(for_stack(), {"template": text, "previousTemplate": text})
    assert [told["annotationName"] for told in answer["annotations"]] == ["State"]
    assert answer["annotations"][0]["status"] == "SKIPPED"


def test_a_stack_that_stays_as_it_is_knows_the_ids_of_its_own_servers(account: Account) -> None:
    account.stack.resources["Server"] = account.server_id
    own = properties(account, ServerId={"Ref": "Server"})
    text = template_of(Server={"Type": "AWS::Transfer::Server"}, State=declaration(own))
    answer = account.hook(for_stack(), {"template": text, "previousTemplate": text})
    assert answer["message"] == "Plan: nothing happens to any server."


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"DesiredState": "OFLINE"}, "did you mean OFFLINE?"),
        ({"ServerId": NO_SERVER}, "does not exist"),
        ({"ServerId": f"arn:aws:transfer:us-east-1:000000000000:server/{NO_SERVER}"}, "us-east-1"),
        ({"ServerId": f"arn:aws:transfer:eu-west-1:{'1' * 12}:server/{NO_SERVER}"}, "1111"),
    ],
)
@pytest.mark.parametrize("target", ["CHANGE_SET", "STACK"])
def test_what_the_provider_would_refuse_is_not_compliant(
    account: Account, changed: dict[str, str], why: str, target: str
) -> None:
    payload = change_set(None, properties(account, **changed))
    event = NOW if target == "CHANGE_SET" else for_stack()
    answer = account.hook(event, payload)
    assert (answer["hookStatus"], answer["errorCode"]) == ("FAILED", "NonCompliant")
    assert why in answer["message"]
    (told,) = answer["annotations"]
    assert (told["status"], told["severityLevel"]) == ("FAILED", "HIGH")
    assert why in told["remediationMessage"]


def test_a_rival_is_not_compliant_with_both_names(account: Account) -> None:
    account.send("Create", DesiredState="OFFLINE")
    account.become("CREATE_COMPLETE")
    account.new_stack(OTHER_STACK)
    event = {**NOW, "stackId": OTHER_STACK}
    answer = account.hook(event, change_set(None, properties(account)))
    assert answer["errorCode"] == "NonCompliant"
    assert "demo/State" in answer["message"]
    assert "other/State" in answer["message"]


def test_what_is_known_only_later_never_fails(account: Account) -> None:
    later = properties(account, ServerId=KNOWN_AFTER_APPLY, DesiredState=KNOWN_AFTER_APPLY)
    answer = account.hook(NOW, change_set(None, later))
    assert answer["hookStatus"] == "SUCCESS"
    assert answer["annotations"][0]["status"] == "SKIPPED"


def test_an_update_knows_the_resource_s_own_server(account: Account) -> None:
    before = properties(account, OnDelete="RESTORE")
    answer = account.send("Create", **before)
    account.become("CREATE_COMPLETE")
    assert answer["Status"] == "SUCCESS"
    account.clock.sleep(60)
    other = account.new_server()
    account.clock.sleep(60)
    replaced = account.hook(NOW, change_set(before, {**before, "ServerId": other}))
    assert "replace, stop" in replaced["message"]
    assert "restore: StartServer" in replaced["message"]
    removed = account.hook(NOW, change_set(before, None))
    assert "restore: StartServer" in removed["message"]
    kept = account.hook(NOW, change_set({**before, "OnDelete": "RETAIN"}, None))
    assert "nothing. It is left as it is." in kept["message"]


def test_the_deletion_of_a_stack_tells_what_is_restored(account: Account) -> None:
    before = properties(account, OnDelete="RESTORE")
    account.send("Create", **before)
    account.become("CREATE_COMPLETE")
    account.clock.sleep(60)
    text = template_of(State=declaration(before))
    answer = account.hook(for_stack("DELETE_PRE_PROVISION"), {"template": text})
    assert "restore: StartServer" in answer["message"]


def server(**changed: Any) -> dict[str, Any]:
    """An update of the server itself, by its tags unless another property is given."""
    before = {"Properties": {"Domain": "S3", "Tags": []}}
    after = {"Properties": {**before["Properties"], "Tags": ["new"], **changed}}
    return {
        "logicalResourceId": "Server",
        "resourceType": "AWS::Transfer::Server",
        "action": "UPDATE",
        "beforeContext": json.dumps(before),
        "afterContext": json.dumps(after),
    }


def test_an_update_of_the_server_is_the_restart_that_it_is(account: Account) -> None:
    before = properties(account)
    account.send("Create", **before)
    account.become("CREATE_COMPLETE")
    arn = f"arn:aws:transfer:eu-west-1:000000000000:server/{account.server_id}"
    account.stack.resources["Server"] = arn
    account.clock.sleep(60)
    same = change_set(before, before, others=[server()])
    elsewhere = {**NOW, "stackId": OTHER_STACK}
    assert "nothing happens" in account.hook(elsewhere, same)["message"]
    assert "started by AWS" in account.hook(NOW, same)["message"]
    replaced = change_set(before, before, others=[server(Domain="EFS")])
    assert "nothing happens" in account.hook(NOW, replaced)["message"]


def test_without_values_the_template_tells_what_it_can(account: Account) -> None:
    payload = change_set(None, properties(account))
    payload["changedResources"][0]["afterContext"] = None
    answer = account.hook(NOW, payload)
    assert "ONLINE -> OFFLINE: stop" in answer["message"]


def test_where_there_are_values_they_are_planned_and_not_the_template(account: Account) -> None:
    payload = change_set(None, properties(account))
    by_parameter = properties(account, DesiredState={"Ref": "State"})
    payload["template"] = template_of(State=declaration(by_parameter))
    assert "ONLINE -> OFFLINE: stop" in account.hook(NOW, payload)["message"]


def test_without_values_what_is_removed_is_not_planned_though_the_template_has_it(
    account: Account,
) -> None:
    """A condition of the template's is false by now."""
    payload = change_set(properties(account), None)
    payload["changedResources"][0]["beforeContext"] = None
    assert account.hook(NOW, payload)["message"] == "Plan: nothing happens to any server."


def test_where_nothing_of_ours_is_declared_nobody_is_called(account: Account) -> None:
    text = template_of(Topic={"Type": "AWS::SNS::Topic"})
    for event in (NOW, for_stack()):
        answer = account.hook(event, {"template": text, "changedResources": []})
        assert answer["hookStatus"] == "SUCCESS"
        assert answer["message"] == "No state of a server is declared."
    assert account.border.calls == []


@pytest.mark.parametrize(
    "payload",
    [
        PayloadError("payload: more than 5 bytes"),
        {"template": "Resources: ["},
        {"template": "Resources: {a: &x 1, b: *x}"},
    ],
)
def test_a_payload_that_cannot_be_read_is_a_clear_answer(account: Account, payload: Any) -> None:
    answer = account.hook(NOW, payload)
    assert (answer["hookStatus"], answer["errorCode"]) == ("FAILED", "InternalFailure")
    assert answer["message"].startswith("What it does could not be told: ")
    assert answer["clientRequestToken"] == "token"


@pytest.mark.parametrize(
    "changed",
    [None, 1, [1], [{}], [{"action": "CREATE"}], [{**server(), "afterContext": "["}]],
)
def test_changed_resources_that_are_none_are_said_to_be_none(
    account: Account, changed: Any
) -> None:
    payload = {**change_set(None, properties(account)), "changedResources": changed}
    answer = account.hook(NOW, payload)
    assert answer["errorCode"] == "InternalFailure"
    flaw = "payload: not as CloudFormation documents it"
    assert answer["message"] == f"What it does could not be told: {flaw}."


def test_what_nobody_foresaw_is_a_clear_answer_too(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    answer = account.hook({**NOW, "requestData": None}, {})
    assert answer["errorCode"] == "InternalFailure"
    assert answer["message"] == "The hook failed, see its log: AttributeError."
    (failed,) = [record for record in caplog.records if record.exc_info]
    assert (failed.name, failed.message) == ("handler.hook", "The hook failed")


def test_it_begins_no_call_that_may_outlast_it(account: Account) -> None:
    payload = change_set(None, properties(account))
    assert account.hook(NOW, payload, remaining_s=17)["hookStatus"] == "SUCCESS"
    account.border.calls.clear()
    answer = account.hook(NOW, payload, remaining_s=16)
    assert answer["errorCode"] == "InternalFailure"
    assert "no time was left" in answer["message"]
    assert account.border.calls == []


def test_a_stack_that_is_not_there_yet_has_no_resources(account: Account) -> None:
    event = {**NOW, "stackId": STACK.replace("/demo/", "/new/")}
    answer = account.hook(event, change_set(None, properties(account)))
    assert "new/State" in answer["message"]
    account.cloudformation.denied = {"ListStackResources"}
    denied = account.hook(NOW, change_set(None, properties(account)))
    assert "ListStackResources: AccessDenied" in denied["message"]


def test_a_long_plan_is_cut_where_aws_would_cut_it_and_refusals_come_first(
    account: Account,
) -> None:
    account.state = State.OFFLINE
    many = {f"State{n}": declaration(properties(account)) for n in range(60)}
    wrong = {"Wrong": declaration(properties(account, DesiredState="OFF"))}
    answer = account.hook(for_stack(), {"template": template_of(**many, **wrong)})
    assert len(answer["message"]) == 4_096
    assert answer["message"].splitlines()[1].startswith("demo/Wrong")


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
TEXTS = st.text(max_size=40) | ODD.map(json.dumps) | st.just(template_of(State=declaration({})))
CHANGED = ODD | st.fixed_dictionaries(
    {
        "action": st.sampled_from(["CREATE", "UPDATE", "DELETE"]),
        "logicalResourceId": st.just("State"),
        "resourceType": st.sampled_from(["Custom::TransferServerState", "AWS::Transfer::Server"]),
    },
    optional={"beforeContext": ODD | TEXTS, "afterContext": ODD | TEXTS},
)


@given(
    event=st.sampled_from([NOW, for_stack(), for_stack("DELETE_PRE_PROVISION")]),
    payload=st.dictionaries(st.text(max_size=6), ODD)
    | st.fixed_dictionaries(
        {"template": TEXTS | ODD, "previousTemplate": TEXTS | ODD},
        optional={"changedResources": ODD | st.lists(CHANGED, max_size=3)},
    ),
)
def test_whatever_stands_behind_the_url_is_answered_and_foreseen(
    event: dict[str, Any], payload: dict[str, Any]
) -> None:
    answer = Account().hook(event, payload)
    assert answer["hookStatus"] in {"SUCCESS", "FAILED"}
    assert "see its log" not in answer["message"]


def test_the_log_has_each_answer_whatever_level_lambda_was_set_to(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("handler").setLevel(logging.WARNING)
    answer = account.hook(NOW, change_set(None, properties(account)))
    (line,) = map(json.loads, caplog.messages)
    assert (line["status"], line["reason"]) == ("SUCCESS", answer["message"])


def test_neither_url_nor_secret_is_in_answer_or_log(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    secret = properties(account, Triggers="a NoEcho value", OnDelete=["another"])
    answer = account.hook(NOW, change_set(None, secret))
    assert answer["errorCode"] == "NonCompliant"
    told = json.dumps(answer) + caplog.text
    for word in ("presigned-secret", "NoEcho", "another"):
        assert word not in told
    assert '"status": "FAILED"' in caplog.text
