"""The local CloudFormation has Transfer's own resources, and treats what failed as AWS does."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloudformation_stack import Stack
from local.engine import Engine
from local.scenarios import World
from tests.fakes.keys import public_key

pytestmark = pytest.mark.usefixtures("world")

SERVER = """
Parameters:
  Tag: {Type: String, Default: none}
  Domain: {Type: String, Default: S3}
Resources:
  Server:
    Type: AWS::Transfer::Server
    Properties:
      Domain: !Ref Domain
      Tags: [{Key: colour, Value: !Ref Tag}]
Outputs:
  Ref: {Value: !Ref Server}
  Arn: {Value: !GetAtt Server.Arn}
  ServerId: {Value: !GetAtt Server.ServerId}
  State: {Value: !GetAtt Server.State}
"""
WITHOUT_A_KEY = """
Resources:
  Server:
    Type: AWS::Transfer::Server
    Properties: {HostKey: no key}
"""
IN_A_VPC = """
Parameters:
  Subnet: {Type: String, Default: subnet-00000000}
  Address: {Type: String}
Resources:
  Server:
    Type: AWS::Transfer::Server
    Properties:
      EndpointType: VPC
      EndpointDetails:
        VpcId: vpc-00000000
        SubnetIds: [!Ref Subnet]
        AddressAllocationIds: [!Ref Address]
Outputs:
  ServerId: {Value: !GetAtt Server.ServerId}
"""
WITHOUT_ADDRESS = IN_A_VPC.replace("AddressAllocationIds: [!Ref Address]", "").replace(
    "  Address: {Type: String}\n", ""
)
# A signal that nobody sends.
FAILING = """
Resources:
  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "5"}
"""
HANDLES = """
Resources:
  First: {Type: AWS::CloudFormation::WaitConditionHandle}
  Second: {Type: AWS::CloudFormation::WaitConditionHandle, DependsOn: First}
"""
USER = """
Parameters:
  Keys: {Type: CommaDelimitedList}
  Home: {Type: String}
  ServerId: {Type: String}
Resources:
  User:
    Type: AWS::Transfer::User
    Properties:
      ServerId: !Ref ServerId
      UserName: alice
      Role: arn:aws:iam::000000000000:role/files
      HomeDirectory: !Ref Home
      SshPublicKeys: !Ref Keys
      Tags: [{Key: home, Value: !Ref Home}]
Outputs:
  Ref: {Value: !Ref User}
  Arn: {Value: !GetAtt User.Arn}
"""


def deploy(stack: Stack, **parameters: str) -> str:
    stack.change(SERVER, parameters)
    return stack.settled()


def described(engine: Engine, stack: Stack) -> dict[str, Any]:
    server_id = stack.outputs()["ServerId"]
    answer = engine.client("transfer").describe_server(ServerId=server_id)
    return dict(answer["Server"])


def assert_not_updated(stack: Stack, status: str) -> None:
    """An update of it is refused, be it by a change set or without."""
    told = re.escape(f"Stack:{stack.stack_id} is in {status} state and can not be updated.")
    update = {"StackName": stack.name, "TemplateBody": SERVER}
    with pytest.raises(ClientError, match=rf"\(ValidationError\).*: {told}$"):
        stack.client.update_stack(**update)
    with pytest.raises(ClientError, match=rf"\(ValidationError\).*: {told}$"):
        stack.client.create_change_set(**update, ChangeSetName="update")


@pytest.fixture
def stack(engine: Engine) -> Stack:
    stack = Stack(engine.client("cloudformation"), "server")
    assert deploy(stack) == "CREATE_COMPLETE"
    return stack


def test_a_server_has_its_attributes_and_an_update_of_a_tag_starts_it(
    engine: Engine, stack: Stack
) -> None:
    server = described(engine, stack)
    assert stack.outputs() == {
        "Ref": server["Arn"],
        "Arn": server["Arn"],
        "ServerId": server["ServerId"],
        "State": "ONLINE",
    }
    engine.client("transfer").stop_server(ServerId=server["ServerId"])
    assert deploy(stack, Tag="red") == "UPDATE_COMPLETE"
    updated = described(engine, stack)
    assert updated["State"] == "ONLINE"
    assert {"Key": "colour", "Value": "red"} in updated["Tags"]

    assert deploy(stack, Tag="red", Domain="EFS") == "UPDATE_COMPLETE"
    assert described(engine, stack)["ServerId"] != server["ServerId"]
    assert server["ServerId"] not in engine.control("GET", "servers")

    # Gone already, its deletion succeeds.
    engine.client("transfer").delete_server(ServerId=described(engine, stack)["ServerId"])
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"


def test_a_server_whose_host_key_is_none_is_not_made(engine: Engine) -> None:
    before = engine.control("GET", "servers")
    stack = Stack(engine.client("cloudformation"), "key")
    stack.change(WITHOUT_A_KEY, {})
    assert stack.settled() == "ROLLBACK_COMPLETE"
    reasons = [event.get("ResourceStatusReason", "") for event in stack.events()]
    assert any("The HostKey is no private key" in reason for reason in reasons)
    assert engine.control("GET", "servers") == before


def test_a_failed_update_is_sent_back_and_a_start_that_failed_fails_that_too(
    engine: Engine, stack: Stack
) -> None:
    server_id = stack.outputs()["ServerId"]
    engine.client("transfer").stop_server(ServerId=server_id)
    engine.control("PATCH", f"servers/{server_id}/settings", {"start_failures": 1})
    # The handler starts no server that is START_FAILED.
    assert deploy(stack, Tag="red") == "UPDATE_ROLLBACK_FAILED"
    reasons = [event.get("ResourceStatusReason", "") for event in stack.events()]
    assert any("START_FAILED" in reason for reason in reasons)
    assert {"Key": "colour", "Value": "none"} in described(engine, stack)["Tags"]
    assert_not_updated(stack, "UPDATE_ROLLBACK_FAILED")
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"


def test_a_stack_that_never_was_complete_is_deleted_before_it_can_be_deployed(
    engine: Engine,
) -> None:
    stack = Stack(engine.client("cloudformation"), "never")
    change_set = stack.propose(FAILING)
    assert_not_updated(stack, "REVIEW_IN_PROGRESS")
    stack.execute(change_set)
    assert_not_updated(stack, "CREATE_IN_PROGRESS")
    assert stack.settled() == "ROLLBACK_COMPLETE"
    assert_not_updated(stack, "ROLLBACK_COMPLETE")
    again = Stack(stack.client, stack.name)
    with pytest.raises(ClientError, match=r"Stack \[never\] already exists"):
        stack.client.create_stack(StackName=stack.name, TemplateBody=SERVER)
    with pytest.raises(ClientError, match=r"Stack \[never\] already exists"):
        again.change(SERVER)
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"
    assert deploy(again) == "CREATE_COMPLETE"
    again.delete()
    assert again.settled() == "DELETE_COMPLETE"


def test_resources_that_depend_on_each_other_are_refused_and_the_stack_can_still_be_updated(
    engine: Engine,
) -> None:
    stack = Stack(engine.client("cloudformation"), "circle")
    stack.change(HANDLES)
    assert stack.settled() == "CREATE_COMPLETE"
    circle = HANDLES.replace("Handle}", "Handle, DependsOn: Second}")
    with pytest.raises(ClientError, match="Circular dependency"):
        stack.client.update_stack(StackName=stack.name, TemplateBody=circle)
    with pytest.raises(ClientError, match="Circular dependency"):
        stack.change(circle)
    stack.change(HANDLES.replace("Second", "Third"))
    assert stack.settled() == "UPDATE_COMPLETE"
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"


def changed(
    engine: Engine, stack: Stack, template: str = IN_A_VPC, **parameters: str
) -> tuple[str, list[str], dict[str, Any]]:
    """Return the status, the commands that it took, and the endpoint of the server: ONLINE."""
    before = engine.control("GET", "calls")[-1]["number"]
    stack.change(template, parameters)
    status = stack.settled()
    calls = [c["operation"] for c in engine.control("GET", f"calls?after={before}")]
    commands = [c for c in calls if c in {"StartServer", "StopServer", "UpdateServer"}]
    server = described(engine, stack)
    assert server["State"] == "ONLINE"
    return status, commands, server["EndpointDetails"]


def test_other_elastic_ips_stop_the_server_and_start_it_again(engine: Engine) -> None:
    stack = Stack(engine.client("cloudformation"), "vpc")
    first, second, third = (f"eipalloc-0000000{letter}" for letter in "abc")
    status, commands, endpoint = changed(engine, stack, Address=first)
    assert (status, endpoint["AddressAllocationIds"]) == ("CREATE_COMPLETE", [first])
    assert commands == ["StopServer", "UpdateServer", "StartServer"]

    status, commands, endpoint = changed(engine, stack, Address=second)
    assert (status, endpoint["AddressAllocationIds"]) == ("UPDATE_COMPLETE", [second])
    assert commands == ["UpdateServer", "StopServer", "UpdateServer", "StartServer"]

    # With them other subnets, which wait until there are none.
    status, commands, endpoint = changed(engine, stack, Address=third, Subnet="subnet-00000001")
    assert (status, endpoint["AddressAllocationIds"]) == ("UPDATE_COMPLETE", [third])
    assert endpoint["SubnetIds"] == ["subnet-00000001"]
    assert commands == ["UpdateServer", "StopServer", *["UpdateServer"] * 3, "StartServer"]
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"


def test_other_subnets_alone_stop_nothing_and_are_refused_under_elastic_ips(
    engine: Engine,
) -> None:
    stack = Stack(engine.client("cloudformation"), "subnets")
    changed(engine, stack, WITHOUT_ADDRESS)
    other = {"Subnet": "subnet-00000001"}
    status, commands, endpoint = changed(engine, stack, WITHOUT_ADDRESS, **other)
    assert (status, commands) == ("UPDATE_COMPLETE", ["UpdateServer"])
    assert endpoint["SubnetIds"] == ["subnet-00000001"]

    address = {"Address": "eipalloc-0000000d"}
    assert changed(engine, stack, **other, **address)[0] == "UPDATE_COMPLETE"
    status, commands, endpoint = changed(engine, stack, **address)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "StopServer" not in commands
    assert endpoint["SubnetIds"] == ["subnet-00000001"]
    reasons = [event.get("ResourceStatusReason", "") for event in stack.events()]
    assert any("while there are AddressAllocationIds" in reason for reason in reasons)
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"


def test_a_user_has_the_keys_that_are_declared(engine: Engine, world: World) -> None:
    transfer = engine.client("transfer")
    names = {"ServerId": world.server_id, "UserName": "alice"}

    def found() -> tuple[str, list[str], list[dict[str, str]]]:
        user = transfer.describe_user(**names)["User"]
        assert world.stacks["user"].outputs() == {"Ref": user["Arn"], "Arn": user["Arn"]}
        keys = [key["SshPublicKeyBody"] for key in user["SshPublicKeys"]]
        return user["HomeDirectory"], keys, [t for t in user["Tags"] if t["Key"] == "home"]

    one, two, three = map(public_key, "BCD")
    assert world.deploy("user", USER, Keys=f"{one},{two}", Home="/a") == "CREATE_COMPLETE"
    assert found() == ("/a", [one, two], [{"Key": "home", "Value": "/a"}])
    assert world.deploy("user", USER, Keys=f"{two},{three}", Home="/b") == "UPDATE_COMPLETE"
    assert found() == ("/b", [two, three], [{"Key": "home", "Value": "/b"}])
    assert world.delete("user") == "DELETE_COMPLETE"
    assert transfer.list_users(ServerId=world.server_id)["Users"] == []


def test_a_user_whose_key_is_refused_is_deleted_again(engine: Engine, world: World) -> None:
    key = public_key("B")
    assert world.deploy("twice", USER, Keys=f"{key},{key}", Home="/a") == "ROLLBACK_COMPLETE"
    assert "Key exists" in world.reasons("twice")[-1]
    assert engine.client("transfer").list_users(ServerId=world.server_id)["Users"] == []


def test_a_failed_creation_is_followed_by_its_deletion(engine: Engine, world: World) -> None:
    settings = f"servers/{world.server_id}/settings"
    engine.control("PATCH", settings, {"stop_failures": 1})
    assert world.deploy("failing", DesiredState="OFFLINE") == "ROLLBACK_COMPLETE"
    of_state = [e for e in world.stacks["failing"].events() if e["LogicalResourceId"] == "State"]
    assert [event["ResourceStatus"] for event in of_state] == [
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ]
    assert of_state[-1]["PhysicalResourceId"] == f"{world.server_id}:from-ONLINE"
    assert world.state() == "ONLINE"
