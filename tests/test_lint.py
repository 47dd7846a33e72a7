"""What cfn-lint tells of a declaration, and what it leaves alone."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
from cfnlint.api import lint
from cfnlint.core import get_rules
from cfnlint.decode import decode_str

from docs.reference import ROOT
from transfer_server_state.schema import PROPERTIES

MODULE = "transfer_server_state.lint"
OURS = "Custom::TransferServerState"
GENERAL = "AWS::CloudFormation::CustomResource"
IMPORT = "!ImportValue TransferServerState-ServiceToken"
SERVER = "s-0123456789abcdef0"
ARN = f"arn:aws:transfer:eu-west-1:111122223333:server/{SERVER}"
VALID = {"ServiceToken": IMPORT, "ServerId": SERVER, "DesiredState": "OFFLINE"}


RULES = get_rules([MODULE], [], ["E", "W"])


def told(template: str) -> list[str]:
    """Everything that cfn-lint tells of a template, with where it begins."""
    return [
        f"{match.rule.id} {match.linenumber}:{match.columnnumber} {match.message}"
        for match in lint(template, RULES, ["eu-west-1"])
    ]


def resource(
    name: str = "State", *, kind: str = OURS, more: str = "", without: str = "", **given: str
) -> str:
    """A declaration whose properties begin in the fourth line."""
    properties = {k: v for k, v in (VALID | given).items() if k != without}
    lines = "".join(f"    {key}: {value}\n" for key, value in properties.items())
    return f"{name}:\n  Type: {kind}\n{indent(more, '  ')}  Properties:\n{lines}"


def template(*resources: str, before: str = "", after: str = "") -> str:
    return f"{before}Resources:\n{indent(''.join(resources), '  ')}{after}"


SERVERS = "expected a server id (s- and 17 hex digits) or the server's ARN"
STATES = "expected ONLINE or OFFLINE"
SECONDS = "expected a whole number of seconds from 30 to 3600"


@pytest.mark.parametrize("kind", [OURS, GENERAL])
@pytest.mark.parametrize(
    ("given", "where", "why"),
    [
        ({"DesiredState": "OFLINE"}, "7:7", f"'OFLINE', {STATES}; did you mean OFFLINE?"),
        ({"DesiredState": "stopped"}, "7:7", f"'stopped', {STATES}"),
        ({"ServerId": "s-123"}, "6:7", f"'s-123', {SERVERS}"),
        ({"OnDrift": "REASERT"}, "8:7", "'REASERT', expected REPORT or REASSERT; did you mean"),
        ({"OnDelete": "[RETAIN]"}, "8:7", "not valid, expected RETAIN or RESTORE"),
        ({"ServiceTimeout": "29"}, "8:7", f"29, {SECONDS}"),
        ({"ServiceTimeout": "'3601'"}, "8:7", f"'3601', {SECONDS}"),
        ({"OnDrift": "OFF"}, "8:7", "False, expected REPORT or REASSERT"),
        ({"OnDrift": "'false'"}, "8:7", "'false', expected REPORT or REASSERT"),
        ({"Triggers": "hunter2"}, "8:7", "not valid, expected a list or a map"),
        ({"Desiredstate": "ONLINE"}, "8:7", "there is no such property; did you mean DesiredState"),
        ({"Colour": "!Ref AWS::Region"}, "8:7", "there is no such property"),
    ],
)
def test_a_wrong_or_unknown_property_is_told_where_it_stands(
    kind: str, given: dict[str, str], where: str, why: str
) -> None:
    (line,) = told(template(resource(kind=kind, **given)))
    assert line.startswith(f"E9801 {where} {next(iter(given))}: {why}")


@pytest.mark.parametrize(
    "given",
    [
        {"ServerId": ARN, "DesiredState": "ONLINE"},
        {"ServiceTimeout": "30", "OnDelete": "RESTORE", "OnDrift": "REPORT"},
        {"ServiceTimeout": "'3600'", "Triggers": "[1, {a: b}]"},
        {"Triggers": "{Version: !GetAtt Other.Arn, Other: !Ref AWS::StackName}"},
    ],
)
def test_of_what_the_provider_takes_nothing_is_told(given: dict[str, str]) -> None:
    other = "Other:\n  Type: Custom::Other\n  Properties: {ServiceToken: !ImportValue other}\n"
    assert told(template(resource(**given), other)) == []


@pytest.mark.parametrize("name", ["ServerId", "DesiredState"])
def test_a_missing_property_is_told_of_its_resource_s_properties(name: str) -> None:
    expected = PROPERTIES[name]["description"]
    assert told(template(resource(without=name))) == [
        f"E9801 4:5 {name}: missing, expected {expected}"
    ]


def test_a_missing_token_is_cfn_lints_own_to_tell() -> None:
    (line,) = told(template(resource(without="ServiceToken")))
    assert line.startswith("E3003 4:5 'ServiceToken' is a required property")


def test_without_any_properties_all_are_missing() -> None:
    found = told(f"Resources:\n  State:\n    Type: {OURS}\n")
    assert {line.split()[0] for line in found} == {"E3003", "E9801"}
    assert len(found) == 3


NIGHT = "Conditions:\n  Night: !Equals [!Ref AWS::Region, eu-west-1]\n"


def test_both_branches_of_a_condition_are_checked_where_they_stand() -> None:
    given = resource(
        DesiredState="!If [Night, OFFLINE, ONLNE]", ServiceTimeout="!If [Night, 5, 60]"
    )
    assert told(template(given, before=NIGHT)) == [
        f"E9801 9:42 DesiredState: 'ONLNE', {STATES}; did you mean ONLINE?",
        f"E9801 10:7 ServiceTimeout: 5, {SECONDS}",
    ]


def test_what_one_branch_leaves_out_is_missing_unless_it_may_be() -> None:
    given = resource(DesiredState="!If [Night, OFFLINE, !Ref AWS::NoValue]")
    assert told(template(given, before=NIGHT)) == [f"E9801 6:5 DesiredState: missing, {STATES}"]
    assert (
        told(
            template(
                resource(OnDrift=f"{given and '!If [Night, REASSERT, !Ref AWS::NoValue]'}"),
                before=NIGHT,
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("rest", "values"),
    [
        ("Default: ONLNE", ["ONLNE"]),
        ("Default: ONLINE", []),
        ("AllowedValues: [ONLINE, OFLINE, OFF]", ["OFLINE", "False"]),
        ("AllowedValues: [ONLINE, OFFLINE]", []),
        ("Description: anything", []),
    ],
)
def test_a_parameter_s_known_values_are_checked_where_it_is_used(
    rest: str, values: list[str]
) -> None:
    before = f"Parameters:\n  Wanted:\n    Type: String\n    {rest}\n"
    found = told(template(resource(DesiredState="!Ref Wanted"), before=before))
    # At the parameter's value, as cfn-lint tells of one.
    assert [line.split(", expected")[0].split(" ", 2)[2] for line in found] == [
        f"DesiredState: '{value}'" for value in values
    ]
    place = "when 'Ref' is resolved at 'Resources/State/Properties/DesiredState'"
    assert all(line.startswith("W1030 4:") and line.endswith(place) for line in found)


@pytest.mark.parametrize(
    ("default", "wrong"), [("3600", False), ("4000", True), ("2", True), ("soon", True)]
)
def test_a_parameter_s_number_is_checked_as_one(default: str, *, wrong: bool) -> None:
    before = f"Parameters:\n  Wait:\n    Type: String\n    Default: '{default}'\n"
    found = told(template(resource(ServiceTimeout="!Ref Wait"), before=before))
    assert [line.split()[0] for line in found] == ["W1030"] * wrong


MAPPING = """\
Mappings:
  States:
    eu-west-1: {Now: OFLINE}
    us-east-1: {Now: ONLINE}
"""


def test_what_a_mapping_gives_is_checked() -> None:
    given = resource(DesiredState="!FindInMap [States, eu-west-1, Now]")
    assert told(template(given, before=MAPPING)) == [
        f"W1034 3:17 DesiredState: 'OFLINE', {STATES}; did you mean OFFLINE? when 'Fn::FindInMap' "
        "is resolved at 'Resources/State/Properties/DesiredState'"
    ]
    given = resource(DesiredState="!FindInMap [States, us-east-1, Now]")
    assert told(template(given, before=MAPPING)) == []


def test_what_a_loop_makes_is_checked() -> None:
    loop = """\
  Fn::ForEach::States:
    - Number
    - ["1", "2"]
    - State${Number}:
        Type: Custom::TransferServerState
        Properties:
          ServiceToken: !ImportValue TransferServerState-ServiceToken
          ServerId: !Sub s-0123456789abcdef${Number}
          DesiredState: OFLINE
"""
    found = told(f"Transform: AWS::LanguageExtensions\nResources:\n{loop}")
    assert found
    assert {line.partition(" ")[0] for line in found} == {"E9801"}
    assert all("'OFLINE'" in line for line in found)


@pytest.mark.parametrize(
    "value",
    [
        "!GetAtt Other.Out",
        "!ImportValue some-export",
        "!Sub '${AWS::StackName}-x'",
        "!Ref AWS::StackName",
        "'{{resolve:ssm:/transfer/state}}'",
        "!Select [0, !Split ['/', !GetAtt Other.Out]]",
        "!Join ['', [!GetAtt Other.Out, x]]",
    ],
)
def test_of_a_value_that_cannot_be_known_nothing_is_told(value: str) -> None:
    other = "Other:\n  Type: Custom::Other\n  Properties: {ServiceToken: !ImportValue other}\n"
    names = ("ServerId", "DesiredState", "OnDrift", "ServiceTimeout")
    each = [
        resource(f"State{name}", **{"ServerId": f"{SERVER[:-1]}{number}", name: value})
        for number, name in enumerate(names)
    ]
    assert told(template(other, *each)) == []


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        (GENERAL, "!ImportValue OtherTeam-ServiceToken"),
        (GENERAL, "arn:aws:lambda:eu-west-1:111122223333:function:other"),
        ("Custom::Other", "!ImportValue OtherTeam-ServiceToken"),
        ("Custom::Other", "!GetAtt State.Arn"),
        (GENERAL, "!ImportValue {'Fn::Sub': '${AWS::StackName}-ServiceToken'}"),
    ],
)
def test_other_people_s_custom_resources_are_left_alone(kind: str, token: str) -> None:
    other = f"Other:\n  Type: {kind}\n  Properties: {{ServiceToken: {token}, DesiredState: 7}}\n"
    output = "Outputs:\n  Out: {Value: !GetAtt Other.Stat}\n"
    assert told(template(resource(kind=GENERAL), other, after=output)) == []


@pytest.mark.parametrize(
    "token",
    [
        "!ImportValue Prod-TransferServerState-ServiceToken",
        "arn:aws:lambda:eu-west-1:111122223333:function:transfer-server-state-provider",
        "!ImportValue {'Fn::Sub': '${AWS::StackName}-TransferServerState-ServiceToken'}",
        "!ImportValue {'Fn::Sub': ['${A}TransferServerState-ServiceToken', {A: !Ref AWS::Region}]}",
    ],
)
def test_our_export_is_known_under_any_prefix_and_our_function_by_its_name(token: str) -> None:
    (line,) = told(template(resource(kind=GENERAL, ServiceToken=token, DesiredState="OFLINE")))
    assert line.startswith("E9801 7:7 DesiredState: 'OFLINE'")


def output(value: str) -> str:
    """An output whose value begins in the tenth line, after a declaration."""
    return f"Outputs:\n  Out:\n    Value: {value}\n"


REAL = "expected ServerId, Arn, State or PreviousState"


@pytest.mark.parametrize("kind", [OURS, GENERAL])
@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (
            "!GetAtt State.Stat",
            f"State.Stat: there is no such attribute, {REAL}; did you mean State?",
        ),
        ("{'Fn::GetAtt': [State, Status]}", f"State.Status: there is no such attribute, {REAL}"),
        ("{'Fn::GetAtt': State.Id}", f"State.Id: there is no such attribute, {REAL}"),
        ("!Sub 'is ${State.stat}'", f"State.stat: there is no such attribute, {REAL}"),
        ("!Sub ['${ State.Previous }${A}', {A: a}]", "State.Previous: there is no such attribute"),
        ("!GetAtt State.State", ""),
        ("!Sub '${State.ServerId} ${State.Arn} ${State.PreviousState} ${State}'", ""),
        ("!Sub '${!State.Stat} ${AWS::Region}'", ""),
        ("!Sub ['${State.Stat}', {State.Stat: a}]", ""),
        ("!Ref State", ""),
    ],
)
def test_an_attribute_that_is_not_answered_is_told(kind: str, value: str, wrong: str) -> None:
    found = told(template(resource(kind=kind), after=output(value)))
    assert [line.split(" ", 2)[2].startswith(wrong) for line in found] == [True] * bool(wrong)
    assert all(line.startswith("E9802 10:") for line in found)


@pytest.mark.parametrize(
    "value",
    [
        "!GetAtt State.Stat",
        "{'Fn::GetAtt': [State, Stat]}",
        "{'Fn::GetAtt': State.Stat}",
        "!Sub 'is ${State.Stat}'",
        "!Join ['', [!GetAtt State.Stat, !Sub '${State.Stat}.']]",
    ],
)
def test_an_attribute_is_told_where_cfn_lint_tells_of_its_own(value: str) -> None:
    topic = "State:\n  Type: AWS::SNS::Topic\n  Properties:\n    TopicName: a\n    Tags: []\n#\n"
    places = [
        {line.split()[1] for line in told(template(each, after=output(value)))}
        for each in (resource(), topic)
    ]
    assert places[0] == places[1]


def test_an_attribute_within_another_resource_is_told_too() -> None:
    topic = "Topic:\n  Type: AWS::SNS::Topic\n  Properties: {DisplayName: !GetAtt State.Stat}\n"
    (line,) = told(template(resource(), topic))
    assert line.startswith("E9802 10:18 State.Stat")


PARAMETERS = "Parameters:\n  One: {Type: String}\n  Two: {Type: String}\n"
TRANSFER = "Server:\n  Type: AWS::Transfer::Server\n"


@pytest.mark.parametrize(
    ("first", "second", "before"),
    [
        (SERVER, SERVER, ""),
        (SERVER, ARN, ""),
        ("!Ref One", "!Ref One", "Parameters:\n  One: {Type: String}\n"),
        ("!ImportValue id", "!ImportValue id", ""),
        ("!Ref Server", "!GetAtt Server.ServerId", ""),
        ("!GetAtt Server.Arn", "!Select [1, !Split [/, !GetAtt Server.Arn]]", ""),
        (
            "!Ref Server",
            "!Sub 'arn:aws:transfer:${AWS::Region}:${AWS::AccountId}:server/${Server.ServerId}'",
            "",
        ),
        ("!If [Night, !Ref AWS::StackName, !GetAtt Server.Arn]", "!Ref Server", NIGHT),
    ],
)
def test_two_declarations_of_one_server_are_an_error(first: str, second: str, before: str) -> None:
    declared = [
        resource(name, kind=kind, ServerId=server, OnDrift="REASSERT")
        for name, kind, server in (("First", OURS, first), ("Second", GENERAL, second))
    ]
    found = told(template(*declared, *([TRANSFER] if "Server" in first else []), before=before))
    assert [line.split(": ", 1)[1] for line in found] == [
        "First declares this server too, and a server has one declaration: remove one of the two"
    ]
    assert found[0].startswith(f"E9803 {before.count(chr(10)) + 13}:7 ServerId")


@pytest.mark.parametrize(
    ("first", "second", "before"),
    [
        (SERVER, "s-0123456789abcdef1", ""),
        ("!Ref One", "!Ref Two", PARAMETERS),
        ("!GetAtt Other.A", "!GetAtt Other.B", ""),
        ("!If [Night, !Ref One, !Ref Two]", "!If [Night, !Ref Two, !Ref One]", PARAMETERS + NIGHT),
    ],
)
def test_declarations_of_different_servers_are_none(first: str, second: str, before: str) -> None:
    declared = [resource("First", ServerId=first), resource("Second", ServerId=second)]
    other = "Other:\n  Type: Custom::Other\n  Properties: {ServiceToken: !ImportValue other}\n"
    assert told(template(*declared, other, before=before)) == []


def test_declarations_that_name_no_server_are_not_of_one() -> None:
    declared = [resource(name, without="ServerId") for name in ("First", "Second")]
    assert [line.split()[0] for line in told(template(*declared))] == ["E9801"] * 2


DAY_AND_NIGHT = NIGHT + "  Day: !Not [Condition: Night]\n  Late: !Equals [!Ref AWS::StackName, x]\n"


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("Night", "Day", False), ("Night", "Late", True), ("Night", "Night", True)],
)
def test_declarations_that_cannot_exist_together_are_no_two(
    first: str, second: str, *, together: bool
) -> None:
    before = DAY_AND_NIGHT
    declared = [
        resource(name, more=f"Condition: {condition}\n")
        for name, condition in (("First", first), ("Second", second))
    ]
    found = [line.split()[0] for line in told(template(*declared, before=before))]
    assert [line for line in found if line != "W8001"] == ["E9803"] * together


def test_of_three_declarations_of_a_server_two_are_told() -> None:
    declared = [resource(name) for name in ("First", "Second", "Third")]
    assert [line.split()[0] for line in told(template(*declared))] == ["E9803"] * 2


TOGETHER = "OFFLINE stays undone: add OnDrift: REASSERT, or Triggers"


@pytest.mark.parametrize(
    ("given", "before", "warned"),
    [
        ({}, "", True),
        ({"ServerId": "!Ref Server"}, "", True),
        ({"OnDrift": "REPORT"}, "", True),
        ({"OnDrift": "REASSERT"}, "", False),
        ({"Triggers": "[1]"}, "", False),
        ({"Triggers": "[]"}, "", True),
        ({"DesiredState": "ONLINE"}, "", False),
        ({"DesiredState": "!ImportValue state"}, "", False),
        ({"OnDrift": "!ImportValue drift"}, "", False),
        ({"ServerId": SERVER}, "", False),
        ({"DesiredState": "!If [Night, OFFLINE, ONLINE]"}, NIGHT, True),
        (
            {
                "DesiredState": "!If [Night, OFFLINE, ONLINE]",
                "OnDrift": "!If [Night, REASSERT, REPORT]",
            },
            NIGHT,
            False,
        ),
        (
            {"DesiredState": "!Ref Wanted"},
            "Parameters:\n  Wanted: {Type: String, AllowedValues: [ONLINE, OFFLINE]}\n",
            True,
        ),
        ({"DesiredState": "!Ref Wanted"}, "Parameters:\n  Wanted: {Type: String}\n", False),
    ],
)
def test_a_server_that_its_next_update_would_start_is_warned_of(
    given: dict[str, str], before: str, *, warned: bool
) -> None:
    given = {"ServerId": "!GetAtt Server.ServerId"} | given
    found = told(template(resource(**given), TRANSFER, before=before))
    assert [TOGETHER in line for line in found] == [True] * warned
    assert all(line.startswith(f"W9804 {7 + before.count(chr(10))}:7 ") for line in found)


def test_a_server_that_two_branches_name_is_warned_of_once() -> None:
    server = "!If [Night, !Ref Server, !GetAtt Server.ServerId]"
    found = told(template(resource(ServerId=server), TRANSFER, before=NIGHT))
    assert [line.split()[0] for line in found] == ["W9804"]


@pytest.mark.parametrize(
    ("desired", "warned"),
    [
        ("Night, ONLINE, OFFLINE", False),
        ("Night, OFFLINE, ONLINE", True),
        ("Day, OFFLINE, ONLINE", False),
        ("Late, OFFLINE, ONLINE", True),
    ],
)
def test_what_a_resource_says_where_it_does_not_exist_is_not_warned_of(
    desired: str, *, warned: bool
) -> None:
    given = {"ServerId": "!GetAtt Server.ServerId", "DesiredState": f"!If [{desired}]"}
    declared = resource(more="Condition: Night\n", **given)
    found = told(template(declared, TRANSFER, before=DAY_AND_NIGHT))
    found = [line for line in found if not line.startswith(("W1028", "W8001"))]
    assert [TOGETHER in line for line in found] == [True] * warned


def test_a_rule_is_silenced_as_cfn_lints_own_are() -> None:
    ignore = "Metadata: {cfn-lint: {config: {ignore_checks: [E9801]}}}\n"
    wrong = resource("Wrong", DesiredState="OFLINE", more=ignore)
    assert told(template(wrong)) == []
    other = resource("Other", DesiredState="OFLINE", ServerId="!ImportValue other")
    assert len(told(template(wrong, other))) == 1


@pytest.mark.parametrize(
    "half_written",
    [
        f"State:\n  Type: {OURS}\n  Properties: [ServerId]\n",
        f"State:\n  Type: {OURS}\n  Properties: !Ref AWS::NoValue\n",
        resource(ServerId="!Sub ['${Server}', 1]"),
        resource(ServerId="!Sub []"),
        resource(ServerId="!GetAtt [1, 2]"),
        resource(ServiceToken="!ImportValue []"),
        resource(DesiredState="!FindInMap [A]"),
        "State:\n  Type: [a]\n",
        resource(more="Condition: [Night]\n"),
    ],
)
def test_what_is_half_written_breaks_no_rule(half_written: str) -> None:
    found = told(template(resource("Other", ServerId="!ImportValue other"), half_written))
    assert found
    assert [line for line in found if "exception while processing rule E98" in line] == []
    assert [line for line in found if "exception while processing rule W98" in line] == []


def test_where_a_transform_may_bring_more_nothing_is_missing() -> None:
    included = "{Name: AWS::Include, Parameters: {Location: s3://a/b}}"
    declared = resource(without="DesiredState", **{"Fn::Transform": included})
    assert told(template(declared)) == []


def cfn_lint(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "cfn-lint"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_as_a_folder_the_rules_need_no_installation(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(template(resource(DesiredState="OFLINE")))
    folder = str(ROOT / "rules")
    ran = cfn_lint("--format", "json", "-a", folder, "-t", "bad.yaml", cwd=tmp_path)
    assert [match["Rule"]["Id"] for match in json.loads(ran.stdout)] == ["E9801"], ran.stderr


def test_the_rules_need_nothing_beside_cfn_lint() -> None:
    code = (
        "import sys; sys.modules |= {'boto3': None, 'botocore': None, 'jsonschema': None}; "
        f"import {MODULE}"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_this_repository_lints_its_own_templates_by_them(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(template(resource(DesiredState="OFLINE")))
    ran = cfn_lint("-t", str(tmp_path / "bad.yaml"), cwd=ROOT)
    assert ran.stdout.startswith("E9801 ")


def test_the_hook_of_pre_commit_takes_files_after_its_entry(tmp_path: Path) -> None:
    (hook,), _ = decode_str((ROOT / ".pre-commit-hooks.yaml").read_text())
    (tmp_path / "bad.yaml").write_text(template(resource(DesiredState="OFLINE")))
    name, *options = shlex.split(hook["entry"])
    assert name == "cfn-lint"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = cfn_lint(*options, "bad.yaml", cwd=tmp_path, environment=environment)
    assert ran.stdout.startswith("E9801 "), ran.stderr
