"""What is common to all of examples/: they are linted, valid, and keep what they do not change."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.decode import decode_str
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from deploy.artefact import ROOT
from transfer_server_state.declaration import SCHEMA, Home, parse

EXAMPLES = ROOT / "examples"
HOME = Home("aws", "eu-west-1", "111122223333")
TEMPLATES = sorted(EXAMPLES.rglob("*.yaml"))
RECIPE = re.findall(
    r"^```yaml\n(.*?)^```", (EXAMPLES / "change-offline.md").read_text(), re.M | re.S
)
EACH = [path.read_text() for path in TEMPLATES] + RECIPE
IDS = [path.relative_to(EXAMPLES).as_posix() for path in TEMPLATES] + ["change-offline.md"]


class NoManagedPolicies:
    """Stands in for the IAM look-up that the translator makes; no example names one."""

    def load(self) -> dict[str, str]:
        return {}


def decoded(text: str) -> dict[str, Any]:
    template, problems = decode_str(text)
    assert not problems
    return dict(template)


def declarations(value: object) -> Iterator[dict[str, Any]]:
    """Find them wherever they are, in a loop too."""
    if isinstance(value, dict):
        if value.get("Type") == "Custom::TransferServerState":
            yield value["Properties"]
        for each in value.values():
            yield from declarations(each)
    elif isinstance(value, list):
        for each in value:
            yield from declarations(each)


def test_make_lint_looks_at_each_template() -> None:
    linted = yaml_parse((ROOT / ".cfnlintrc").read_text())["templates"]
    assert {path for pattern in linted for path in ROOT.glob(pattern)} >= set(TEMPLATES)


@pytest.mark.parametrize("text", EACH, ids=IDS)
def test_each_declares_what_may_be_declared(text: str) -> None:
    found = list(declarations(decoded(text)))
    assert found
    for properties in found:
        literal = {k: v for k, v in properties.items() if not isinstance(v, dict)}
        assert set(properties) <= set(SCHEMA["properties"])
        any_other = {"ServiceToken": "any", "ServerId": "s-0123456789abcdef0"}
        assert parse({"DesiredState": "ONLINE", **any_other, **literal}, HOME)


@pytest.mark.parametrize("text", EACH, ids=IDS)
def test_each_allows_its_states_and_no_others(text: str) -> None:
    parameters = decoded(text).get("Parameters", {})
    if "DesiredState" in parameters:
        assert parameters["DesiredState"]["AllowedValues"] == ["ONLINE", "OFFLINE"]


def test_sam_translates_the_project_to_a_nested_stack() -> None:
    template = decoded((EXAMPLES / "sam-app" / "template.yaml").read_text())
    location = template["Resources"]["TransferServerState"]["Properties"]["Location"]
    assert (EXAMPLES / "sam-app" / location).resolve() == ROOT / "template.yaml"
    # As `sam package` would have it.
    template["Resources"]["TransferServerState"]["Properties"]["Location"] = "https://bucket/key"
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    nested = translated["Resources"]["TransferServerState"]
    assert nested["Type"] == "AWS::CloudFormation::Stack"
    provider = decoded((ROOT / "template.yaml").read_text())
    assert set(nested["Properties"]["Parameters"]) <= set(provider["Parameters"])
    assert "ServiceToken" in provider["Outputs"]


def test_a_schedule_changes_the_state_and_keeps_every_other_parameter() -> None:
    template = decoded((EXAMPLES / "schedule.yaml").read_text())
    others = set(template["Parameters"]) - {"DesiredState"}
    assert others
    asked = {}
    for name in ("GoOffline", "GoOnline"):
        request = json.loads(
            template["Resources"][name]["Properties"]["Target"]["Input"]["Fn::Sub"]
        )
        assert request["UsePreviousTemplate"] is True
        given = {each.pop("ParameterKey"): each for each in request["Parameters"]}
        asked[name] = given.pop("DesiredState")["ParameterValue"]
        assert given == {key: {"UsePreviousValue": True} for key in others}
    assert asked == {"GoOffline": "OFFLINE", "GoOnline": "ONLINE"}


def test_a_schedule_s_role_may_update_its_stack_and_have_the_provider_called() -> None:
    """The engine asks for no permission of the second kind, and so would not miss it."""
    template = decoded((EXAMPLES / "schedule.yaml").read_text())
    (policy,) = template["Resources"]["Role"]["Properties"]["Policies"]
    update, invoke = policy["PolicyDocument"]["Statement"]
    assert update["Action"] == "cloudformation:UpdateStack"
    assert update["Resource"]["Fn::Sub"].endswith(":stack/${AWS::StackName}/*")
    assert invoke["Action"] == "lambda:InvokeFunction"
    token = template["Resources"]["State"]["Properties"]["ServiceToken"]
    assert invoke["Resource"] == token
