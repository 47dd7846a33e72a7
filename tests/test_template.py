"""A template tells what it declares, as far as that can be known; a hostile one does no harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer_server_state import template
from transfer_server_state.intrinsics import Stack
from transfer_server_state.planned import KNOWN_AFTER_APPLY, Deployment, is_unknown
from transfer_server_state.template import TemplateError

STACK = "arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/files/1"
SERVER_ID = "s-0123456789abcdef0"
ARN = f"arn:aws-cn:transfer:cn-north-1:111122223333:server/{SERVER_ID}"


def declared(text: str, **stack: Any) -> Any:
    """The properties of the one declaration of a template that is new."""
    (change,) = changes("", text, **stack).changes
    return change.after


def changes(before: str, after: str, **stack: Any) -> Deployment:
    old = template.parse(before) if before else {}
    return template.changes(
        Stack(STACK, old, **stack), Stack(STACK, template.parse(after), **stack)
    )


def declaring(value: str, more: str = "") -> str:
    return f"""{more}
Resources:
  State:
    Type: Custom::TransferServerState
    Properties:
      ServerId: {value}
"""


MORE = """
Parameters:
  Id: {Type: String}
  Usual: {Type: String, Default: s-usual}
  Ids: {Type: CommaDelimitedList, Default: "s-1, s-2"}
  Numbers: {Type: List<Number>, Default: "1, 2"}
  Stored: {Type: "AWS::SSM::Parameter::Value<String>", Default: /server}
Mappings:
  Servers:
    cn-north-1: {id: s-mapped}
Conditions:
  IsUsual: !Equals [!Ref Usual, s-usual]
  IsNot: !Not [!Condition IsUsual]
  Both: !And [!Condition IsUsual, !Equals [a, a]]
  Either: !Or [!Condition IsNot, !Condition IsUsual]
  Open: !Equals [!Ref Id, s-other]
  Circle: !Not [!Condition Circle]
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("s-plain", "s-plain"),
        ("2001-01-01", "2001-01-01"),
        ("!Ref Usual", "s-usual"),
        ("!Ref Ids", ["s-1", "s-2"]),
        ("!Ref Numbers", ["1", "2"]),
        ("!Select [1, !Ref Ids]", "s-2"),
        ('!Select [0, !Split [":", "s-a:s-b"]]', "s-a"),
        ("!FindInMap [Servers, !Ref AWS::Region, id]", "s-mapped"),
        ("!If [IsUsual, s-yes, s-no]", "s-yes"),
        ("!If [IsNot, s-yes, s-no]", "s-no"),
        ("!If [Both, s-yes, s-no]", "s-yes"),
        ("!If [Either, s-yes, s-no]", "s-yes"),
        ('!Join ["-", [s, !Ref Usual]]', "s-s-usual"),
        ("!Sub '${Usual} in ${AWS::Region}, ${!literal}'", "s-usual in cn-north-1, ${literal}"),
        ("!Sub ['${X}', {X: !Ref Usual}]", "s-usual"),
        (
            "!Sub '${AWS::StackName}.${AWS::AccountId}.${AWS::Partition}'",
            "files.111122223333.aws-cn",
        ),
        ("{Ref: AWS::StackId}", STACK),
        ("!If [IsUsual, [a, !Ref AWS::NoValue], b]", ["a"]),
    ],
)
def test_what_a_template_tells_is_known(value: str, expected: object) -> None:
    assert declared(declaring(value, MORE))["ServerId"] == expected


@pytest.mark.parametrize(
    "value",
    [
        "!Ref Id",
        "!Ref Nowhere",
        "!Ref Stored",
        "!GetAtt Server.ServerId",
        "!ImportValue the-server",
        "!If [Open, s-yes, s-no]",
        "!If [Nowhere, s-yes, s-no]",
        "!FindInMap [Servers, eu-west-1, id]",
        "!Select [7, !Ref Ids]",
        "!Select [!Ref Id, !Ref Ids]",
        "!Sub '${Id}'",
        "!Sub '${Server.Arn}'",
        "!Join ['-', [!Ref Id]]",
        "!Split [',', !Ref Id]",
        "!Transform {Name: Macro}",
        "!GetAZs ''",
        "!If no-list",
        "!GetAtt [Server]",
        "!GetAtt State.Arn",
        "'{{resolve:ssm:/server}}'",
    ],
)
def test_what_a_template_does_not_tell_is_not_guessed(value: str) -> None:
    assert is_unknown(declared(declaring(value, MORE))["ServerId"])


@pytest.mark.parametrize(
    "properties",
    [
        "!If [Open, {ServerId: s-1}, {ServerId: s-2}]",
        "!If [IsUsual, !Ref Id, {}]",
        "{Fn::Transform: {Name: Macro}, ServerId: s-1}",
        "!Transform {Name: Macro}",
    ],
)
def test_properties_that_are_not_known_as_a_whole_are_each_unknown(properties: str) -> None:
    text = f"{MORE}\nResources:\n  State: {{Type: Custom::TransferServerState, Properties: {{}}}}"
    given = declared(text.replace("Properties: {}", f"Properties: {properties}"))
    assert given == dict.fromkeys(("ServerId", "DesiredState", "ServiceToken"), KNOWN_AFTER_APPLY)


def test_values_that_are_given_go_before_defaults_and_nobody_guesses_what_nobody_knows() -> None:
    text = declaring("!Ref Usual", MORE)
    assert declared(text, parameters={"Usual": "s-given"})["ServerId"] == "s-given"
    assert declared(text, parameters=None)["ServerId"] == KNOWN_AFTER_APPLY


SERVER = """
  Server:
    Type: AWS::Transfer::Server
    Properties:
      {}
"""
IDS = {"Server": ARN, "State": f"{SERVER_ID}:from-ONLINE"}


@pytest.mark.parametrize(
    "value",
    [
        "!GetAtt Server.ServerId",
        "{Fn::GetAtt: [Server, ServerId]}",
        "!Sub '${Server.ServerId}'",
        "!Select [1, !Split [/, !Ref Server]]",
        "!Select [1, !Split [/, !GetAtt Server.Arn]]",
    ],
)
def test_a_server_that_is_there_and_stays_is_known_by_its_id(value: str) -> None:
    text = declaring(value) + SERVER.format("Tags: [{Key: a, Value: b}]")
    assert declared(text, physical_ids=IDS)["ServerId"] == SERVER_ID


def test_an_update_of_a_server_is_told_and_what_its_id_is_used_for_stays() -> None:
    before = declaring("!GetAtt Server.ServerId") + SERVER.format("Protocols: [SFTP]")
    after = declaring("!GetAtt Server.ServerId") + SERVER.format("Protocols: [SFTP, FTPS]")
    read = changes(before, after, physical_ids=IDS)
    assert read.changes == []
    (update,) = read.updates
    assert (update.server_id, update.owner.name) == (SERVER_ID, "files/Server")


def test_a_server_that_comes_or_goes_or_that_nobody_knows_is_not_updated() -> None:
    before = "Resources:" + SERVER.format("Protocols: [SFTP]")
    after = before.replace("SFTP", "FTPS")
    for old, new, ids in ((before, "Resources: {}", IDS), ("", after, IDS), (before, after, {})):
        assert changes(old, new, physical_ids=ids) == Deployment()


def test_a_declaration_changes_with_values_that_nobody_knows_but_not_with_its_provider() -> None:
    provider = "!ImportValue TransferServerState-ServiceToken"
    for value, changed in (("!Ref Id", 1), ("s-1", 0)):
        text = declaring(f"{value}\n      ServiceToken: {provider}", MORE)
        assert len(changes(text, text, parameters=None).changes) == changed


def test_what_is_declared_anew_has_no_id_yet() -> None:
    (change,) = changes("", declaring("s-1")).changes
    assert change.physical_id == ""


def test_a_server_that_is_replaced_is_not_known_yet() -> None:
    before = declaring("!GetAtt Server.ServerId") + SERVER.format("Domain: S3")
    after = declaring("!GetAtt Server.ServerId") + SERVER.format("Domain: EFS")
    (change,) = changes(before, after, physical_ids=IDS).changes
    assert change.before is not None
    assert change.after is not None
    assert change.before["ServerId"] == SERVER_ID
    assert change.after["ServerId"] == KNOWN_AFTER_APPLY
    assert change.physical_id == f"{SERVER_ID}:from-ONLINE"


def test_what_leaves_a_template_is_deleted_unless_it_is_retained() -> None:
    empty = "Resources: {}"
    (change,) = changes(declaring("s-1"), empty, physical_ids=IDS).changes
    assert (change.after, change.retained) == (None, False)
    kept = declaring("s-1").replace("    Properties", "    DeletionPolicy: Retain\n    Properties")
    (change,) = changes(kept, empty).changes
    assert change.retained


def test_a_resource_whose_condition_is_false_is_not_there() -> None:
    def listed(condition: str) -> int:
        conditional = f"    Condition: {condition}\n    Properties"
        text = declaring("s-1", MORE).replace("    Properties", conditional)
        return len(changes("", text).changes)

    assert [listed(name) for name in ("IsNot", "IsUsual", "Open", "Nowhere")] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    "token",
    ["!ImportValue TransferServerState-ServiceToken", "arn:x:transfer-server-state-provider"],
)
def test_a_custom_resource_is_ours_by_its_token(token: str) -> None:
    text = declaring(f"s-1\n      ServiceToken: {token}")
    custom = text.replace("Custom::TransferServerState", "AWS::CloudFormation::CustomResource")
    assert len(changes("", custom).changes) == 1
    assert template.declares_any(template.parse(custom))
    foreign = custom.replace(token, "arn:another")
    assert changes("", foreign).changes == []
    assert not template.declares_any(template.parse(foreign))


def test_what_is_not_followed_is_named() -> None:
    text = """
Resources:
  Nested: {Type: AWS::CloudFormation::Stack}
  Application: {Type: AWS::Serverless::Application}
  Fn::ForEach::All: [Name, [a], {}]
  State: {Type: Custom::TransferServerState}
"""
    names = template.unfollowed(template.parse(text))
    assert names == ["Nested", "Application", "Fn::ForEach::All"]


def test_a_short_form_is_read_as_its_long_one() -> None:
    short = "Resources: {A: !Transform {Name: Macro}, B: !Join ['', [!Ref C, !GetAtt D.Arn]]}"
    assert template.parse(short)["Resources"] == {
        "A": {"Fn::Transform": {"Name": "Macro"}},
        "B": {"Fn::Join": ["", [{"Ref": "C"}, {"Fn::GetAtt": "D.Arn"}]]},
    }


def test_json_is_read_too() -> None:
    text = json.dumps(
        {"Resources": {"State": {"Type": "Custom::TransferServerState", "Properties": {"a": 1}}}}
    )
    assert declared(text) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "expected"),
        ("- a", "^it has no Resources"),
        ("", "no Resources"),
        ("Resources: []", "no Resources"),
        ("Resources: {a: &x 1, b: *x}", "^it has YAML aliases"),
        ("Resources: " + "[" * 5_000, "nesting"),
        ("Resources: !A " + "[" * 400 + "]" * 400, "nested too deeply"),
        ("Resources: !A {b: " + "[" * 400 + "]" * 400 + "}", "nested too deeply"),
        ("Resources: {? [a] : b}", "unhashable"),
        ("Resources: \x00", "not allowed"),
        ("Resources: !!python/object:os.system {}", "constructor"),
        ("Resources: {a: !!binary YQ==}", "constructor"),
        ("Resources: {a: !!set {b}}", "constructor"),
        ("Resources: {a: !!omap [b: c]}", "constructor"),
    ],
)
def test_what_is_no_template_is_said_to_be_none(text: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        template.parse(text)


def test_what_is_said_of_a_text_is_a_short_line() -> None:
    with pytest.raises(TemplateError) as error:
        template.parse(f"Resources: !!{'x' * 300} {{}}")
    told = str(error.value)
    assert (len(told), "\n" in told) == (200, False)


def test_a_deep_value_and_conditions_in_a_circle_end_in_a_clear_error() -> None:
    deep = "!Join ['', [" * 150 + "a" + "]]" * 150
    for value in (deep, "!If [Circle, a, b]"):
        with pytest.raises(TemplateError, match="nested too deeply"):
            changes("", declaring(value, MORE))


def test_conditions_that_name_each_other_twice_are_decided_once() -> None:
    lines = [f"  C{n}: !And [!Condition C{n - 1}, !Condition C{n - 1}]" for n in range(1, 40)]
    text = "\n".join(["Conditions:", "  C0: !Equals [a, a]", *lines])
    assert declared(declaring("!If [C39, s-1, s-2]", text))["ServerId"] == "s-1"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Ref", "Fn::If", "Fn::Sub", "Fn::GetAtt", "Fn::Join", "Fn::Select", "a"]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=20,
)


TYPES = st.sampled_from(["AWS::Transfer::Server", "Custom::TransferServerState", ["no", "type"]])
RESOURCES = VALUES | st.fixed_dictionaries(
    {"Type": TYPES}, optional={"Properties": VALUES, "Condition": VALUES, "DeletionPolicy": VALUES}
)


@given(
    st.fixed_dictionaries(
        {"Resources": st.dictionaries(st.text(max_size=4), RESOURCES, max_size=3)},
        optional={"Parameters": VALUES, "Conditions": VALUES, "Mappings": VALUES},
    ),
    VALUES,
)
def test_no_template_whatever_it_holds_ends_in_another_error(
    odd: dict[str, Any], properties: Any
) -> None:
    odd["Resources"]["State"] = {"Type": "Custom::TransferServerState", "Properties": properties}
    try:
        read = changes("Resources: {}", json.dumps(odd), physical_ids=IDS)
        template.unfollowed(template.parse(json.dumps(odd)))
    except TemplateError:
        return
    assert "State" in {change.owner.logical_id for change in read.changes}
    assert all(isinstance(change.after, dict) for change in read.changes)
