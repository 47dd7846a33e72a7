"""What holds for everything that the provider's template deploys, whatever else joins it."""

import json
import re
from typing import Any

import pytest

from deploy.parameters import declared
from docs.reference import ROOT, template

RESOURCES = template()["Resources"]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    found = {
        name: each.get("Properties", {}) for name, each in RESOURCES.items() if each["Type"] == kind
    }
    assert found
    return found


FUNCTIONS = of_type("AWS::Serverless::Function")
ALARMS = of_type("AWS::CloudWatch::Alarm")
GUARD = template()["Mappings"]["Guard"]
WITH_KEY = {"Fn::If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}


def figure(value: Any, minutes: str) -> int:
    """What it is where the guard passes that often."""
    if isinstance(value, dict):
        name, key, part = value["Fn::FindInMap"]
        assert (name, key) == ("Guard", {"Ref": "GuardMinutes"})
        return int(GUARD[minutes][part])
    return int(value)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_name_of_its_own_that_outlives_it(name: str) -> None:
    # A resource may not have a parameter's name.
    short = name.removesuffix("Function").lower()
    assert FUNCTIONS[name]["FunctionName"] == {"Fn::Sub": f"${{NamePrefix}}-{short}"}


def test_two_providers_have_nothing_of_one_name() -> None:
    named = {
        name
        for name, each in RESOURCES.items()
        for given in each.get("Properties", {})
        if re.fullmatch("(Role|Table|Queue|LogGroup|Alarm|Rule)Name|Name", given)
    }
    assert named == set()
    for output in template()["Outputs"].values():
        if export := output.get("Export"):
            assert export["Name"]["Fn::Sub"].startswith("${ExportPrefix}-")


# CloudFormation waits for the hook, and Terraform shows each error of its own.
ERRORS = [(name, "Errors") for name in FUNCTIONS if name != "TerraformFunction"]
IN_VAIN = [(name, "AsyncEventsDropped") for name, _ in ERRORS if name != "HookFunction"]


@pytest.mark.parametrize(("name", "metric"), ERRORS + IN_VAIN)
def test_each_function_s_failures_ring(name: str, metric: str) -> None:
    rung = [
        alarm["Dimensions"]
        for alarm in ALARMS.values()
        if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
    ]
    assert [{"Name": "FunctionName", "Value": {"Ref": name}}] in rung


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_ends_by_itself_and_so_comes_again(name: str) -> None:
    alarm = ALARMS[name]
    # What a queue holds, it holds until somebody empties it.
    assert not alarm["MetricName"].startswith("ApproximateNumber")
    assert alarm["TreatMissingData"] == "notBreaching"
    for minutes in GUARD:
        period_s, periods = (
            figure(alarm[name], minutes) for name in ("Period", "EvaluationPeriods")
        )
        # CloudWatch looks back a day at most.
        assert period_s * periods <= 86_400


@pytest.mark.parametrize("minutes", declared()["GuardMinutes"]["AllowedValues"])
def test_alarms_of_the_guard_wait_for_as_long_as_it_takes(minutes: int) -> None:
    period_s = figure(ALARMS["DriftAlarm"]["Period"], f"{minutes}")
    # However a pass is late, each period has one, or the alarm would end in between.
    assert period_s >= 2 * 60 * minutes
    owed = figure(ALARMS["RestorationsOwedAlarm"]["EvaluationPeriods"], f"{minutes}")
    # The first of these periods may begin to be owed at its end, the last be seen at its beginning.
    assert (owed - 2) * period_s >= 3600
    assert (owed - 3) * period_s < 3600


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_and_the_handbook_tells_what_to_do(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == {
        "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
    }
    assert f"`{name}`" in (ROOT / "docs" / "operations.md").read_text()


def test_an_error_is_seen_however_long_the_invocation_took() -> None:
    for alarm in ALARMS.values():
        if alarm["MetricName"] == "Errors":
            # It counts in the minute in which the invocation began.
            longest_s = max(function["Timeout"] for function in FUNCTIONS.values())
            assert alarm["Period"] * alarm["EvaluationPeriods"] > longest_s
            assert alarm["DatapointsToAlarm"] == 1


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
def test_each_role_is_bounded(role: str) -> None:
    boundary = of_type("AWS::IAM::Role")[role]["PermissionsBoundary"]
    assert boundary["Fn::If"][:2] == ["HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}]


@pytest.mark.parametrize("role", [each["Role"]["Fn::GetAtt"][0] for each in FUNCTIONS.values()])
def test_each_function_s_role_is_narrowed(role: str) -> None:
    condition = RESOURCES[role].get("Condition")
    named: Any = {"Ref": role}
    if condition:
        named = {"Fn::If": [condition, named, {"Ref": "AWS::NoValue"}]}
    for policy in ("ServerTag", "Key"):
        assert named in RESOURCES[policy]["Properties"]["Roles"]


def test_a_tag_narrows_every_call_that_is_for_one_server() -> None:
    narrowed = {
        action
        for role in of_type("AWS::IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "Servers"
        for action in [statement["Action"]]
        for action in ([action] if isinstance(action, str) else action)
    }
    (denial,) = json.loads(RESOURCES["ServerTag"]["Properties"]["PolicyDocument"]["Fn::Sub"])[
        "Statement"
    ]
    assert denial["Effect"] == "Deny"
    assert narrowed == set(denial["Action"])
    assert denial["Condition"] == {
        "StringNotEquals": {"aws:ResourceTag/${ServerTagKey}": "${ServerTagValue}"}
    }


def test_a_key_is_for_all_that_is_kept() -> None:
    assert [log["KmsKeyId"] for log in of_type("AWS::Logs::LogGroup").values()] == [WITH_KEY]
    assert [queue["KmsMasterKeyId"] for queue in of_type("AWS::SQS::Queue").values()] == [WITH_KEY]
    tables = of_type("AWS::DynamoDB::Table").values()
    assert [table["SSESpecification"]["KMSMasterKeyId"] for table in tables] == [WITH_KEY]


def test_every_parameter_has_a_default_and_says_what_it_takes() -> None:
    for name, rule in declared().items():
        assert {"Default", "Description"} <= rule.keys(), name
        assert "AllowedValues" in rule or {"AllowedPattern", "ConstraintDescription"} <= rule.keys()
