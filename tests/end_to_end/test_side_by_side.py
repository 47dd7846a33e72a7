"""Two providers in one account and region, each with names, servers and permissions of its own."""

import pytest
from botocore.exceptions import ClientError

from deploy.artefact import packaged
from local import provider_stack
from local.cloudformation_stack import Stack
from local.engine import Engine
from local.scenarios import TEMPLATE, World

SECOND = {"NamePrefix": "second", "ExportPrefix": "Second", "GuardMinutes": "0"}
ANYTHING_ELSE = "arn:aws:transfer:us-east-1:000000000000:server/s-0123456789abcdef0"


@pytest.fixture(scope="module")
def second(engine: Engine, world: World) -> Stack:
    """Deploy a provider that may touch two servers, of which one is there."""
    listed = engine.client("transfer").describe_server(ServerId=world.server_id)["Server"]["Arn"]
    pattern = f"{ANYTHING_ELSE},{listed}"
    return provider_stack.deploy(engine, "second", ServerArnPattern=pattern, **SECOND)


def test_each_is_called_by_its_own_export(world: World, second: Stack) -> None:
    token = second.outputs()["ServiceToken"]
    assert token.endswith(":function:second-provider")
    template = TEMPLATE.replace("TransferServerState-ServiceToken", "Second-ServiceToken")
    assert template != TEMPLATE
    assert world.deploy("of-the-second", template, DesiredState="OFFLINE") == "CREATE_COMPLETE"
    assert world.state() == "OFFLINE"
    log = world.engine.client("logs").describe_log_streams(
        logGroupName=second.outputs()["LogGroupName"]
    )
    assert log["logStreams"]


def test_each_may_touch_what_it_was_given_alone(engine: Engine, second: Stack) -> None:
    role = second.client.describe_stack_resource(StackName="second", LogicalResourceId="Role")
    policy = engine.client("iam").get_role_policy(
        RoleName=role["StackResourceDetail"]["PhysicalResourceId"], PolicyName="provider"
    )
    servers = policy["PolicyDocument"]["Statement"][0]
    assert servers["Sid"] == "Servers"
    assert len(servers["Resource"]) == 2
    assert servers["Resource"][0] == ANYTHING_ELSE


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"ServerTagValue": "declared"}, "give both or neither"),
        ({"ServerTagKey": "state"}, "give both or neither"),
        ({"ServerArnPattern": f"{ANYTHING_ELSE},s-1"}, "ARNs of Transfer servers"),
    ],
)
def test_what_would_not_limit_access_as_it_reads_is_refused(
    engine: Engine, declared: dict[str, str], told: str
) -> None:
    names = {"NamePrefix": "third", "ExportPrefix": "Third"}
    stack = Stack(engine.client("cloudformation"), "third")
    with pytest.raises(ClientError, match=told):
        stack.change(packaged("s3://nowhere/package.zip"), names | declared)
