"""Each of examples/ does what it says, on the local engine.

They are played at once, each with servers and stacks of its own: a change of what is declared
takes fifteen seconds at least, and none of them computes much.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.cloudformation_stack import Stack
from local.engine import REGION, ROOT, Engine
from tests.end_to_end.aws_cli import AwsCli, FailedError

EXAMPLES = ROOT / "examples"
RECIPE = (EXAMPLES / "change-offline.md").read_text()


@dataclass
class Stage:
    """Where one example is played."""

    engine: Engine
    folder: Path

    def server(self, **properties: Any) -> str:
        return str(self.engine.client("transfer").create_server(**properties)["ServerId"])

    def described(self, server_id: str) -> dict[str, Any]:
        return dict(self.engine.client("transfer").describe_server(ServerId=server_id)["Server"])

    def state(self, server_id: str) -> str:
        return str(self.engine.control("GET", f"servers/{server_id}")["state"])

    def commands(self, server_id: str) -> list[str]:
        """What was asked of a server that changes it, in order."""
        return [
            call["operation"]
            for call in self.engine.control("GET", "calls")
            if call["request"].get("ServerId") == server_id
            and call["operation"] in {"StartServer", "StopServer", "UpdateServer"}
        ]

    def made(self, stack: str, logical_id: str) -> str:
        """The physical id of a stack's resource."""
        found = self.engine.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def deployed(self, example: str, **parameters: str) -> Stack:
        stack = Stack(self.engine.client("cloudformation"), example)
        assert self.change(stack, example, **parameters) == "CREATE_COMPLETE"
        return stack

    def change(self, stack: Stack, example: str, **parameters: str) -> str:
        stack.change((EXAMPLES / f"{example}.yaml").read_text(), parameters)
        return stack.settled()


def window(stage: Stage) -> None:
    server = stage.server()
    stack = stage.deployed("maintenance-window", ServerId=server)
    assert stage.state(server) == "OFFLINE"
    assert stack.outputs() == {"PreviousState": "ONLINE"}
    stack.delete()
    assert stack.settled() == "DELETE_COMPLETE"
    assert stage.state(server) == "ONLINE"


def schedule(stage: Stage) -> None:
    """The engine's Scheduler calls no API, so what it would ask for is asked in its role."""
    server = stage.server()
    stack = stage.deployed("schedule", ServerId=server, Evening="cron(0 20 * * ? *)")
    role = stage.made(stack.name, "Role")
    scheduled = in_role(stage.engine, role)
    for logical_id, state in (("GoOffline", "OFFLINE"), ("GoOnline", "ONLINE")):
        name = stage.made(stack.name, logical_id)
        to = stage.engine.client("scheduler").get_schedule(Name=name)["Target"]
        assert to["Arn"] == "arn:aws:scheduler:::aws-sdk:cloudformation:updateStack"
        assert to["RoleArn"].endswith(f":role/{role}")
        scheduled.update_stack(**json.loads(to["Input"]))
        assert stack.settled() == "UPDATE_COMPLETE"
        assert stage.state(server) == state
    with pytest.raises(ClientError, match="AccessDenied"):
        scheduled.delete_stack(StackName=stack.name)
    (described,) = stack.client.describe_stacks(StackName=stack.name)["Stacks"]
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    assert kept["Evening"] == "cron(0 20 * * ? *)"
    assert kept["ServerId"] == server


def in_role(engine: Engine, name: str) -> Any:
    """Return a client of CloudFormation with a role's permissions, which Scheduler alone may have.

    So who asks here is let in, too.
    """
    iam = engine.client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    trust = role["AssumeRolePolicyDocument"]
    (only,) = trust["Statement"]
    assert only["Principal"] == {"Service": "scheduler.amazonaws.com"}
    trust["Statement"] = [{**only, "Principal": {"AWS": "*"}, "Condition": {}}]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    assumed = engine.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="scheduler")
    return boto3.client(
        "cloudformation",
        endpoint_url=engine.aws_url,
        region_name=REGION,
        aws_access_key_id=assumed["Credentials"]["AccessKeyId"],
        aws_secret_access_key=assumed["Credentials"]["SecretAccessKey"],
        aws_session_token=assumed["Credentials"]["SessionToken"],
        config=Config(proxies={}),
    )


def fleet(stage: Stage) -> None:
    first, second, third = servers = [stage.server() for _ in range(3)]
    stack = stage.deployed("fleet", ServerIds=f"{first},{second}", DesiredState="OFFLINE")
    assert [stage.state(each) for each in servers] == ["OFFLINE", "OFFLINE", "ONLINE"]
    status = stage.change(stack, "fleet", ServerIds=f"{second},{third}", DesiredState="ONLINE")
    assert status == "UPDATE_COMPLETE"
    assert [stage.state(each) for each in servers] == ["OFFLINE", "ONLINE", "ONLINE"]


def by_the_aws_cli(stage: Stage) -> None:
    server = stage.server()
    off, on = re.findall(r"^aws .*\n.*$", (EXAMPLES / "aws-cli.sh").read_text(), re.MULTILINE)
    cli = AwsCli(stage.engine, ROOT, {"SERVER": server})
    cli.run(off)
    assert stage.state(server) == "OFFLINE"
    cli.run(on)
    assert stage.state(server) == "ONLINE"


def blocks(title: str) -> list[str]:
    """Return what the recipe's section of this title shows to be typed."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", RECIPE, re.DOTALL | re.MULTILINE)
    fenced = re.findall(r"^( *)```\w+\n(.*?)^\1```$", section, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) if indent == "   " else text for indent, text in fenced]


def endpoint_of_a_stack_s_server(stage: Stage) -> None:
    template, off, change, on = blocks("A server that a stack declares")
    head, found, tail = template.partition("    Properties:\n      EndpointType: PUBLIC\n")
    assert found
    changed = head + textwrap.indent(textwrap.dedent(change), "    ") + tail
    file = stage.folder / "files.yaml"
    cli = AwsCli(stage.engine, stage.folder, {})
    file.write_text(template)
    cli.run(on)
    server = stage.made("files", "Server").rpartition("/")[2]
    file.write_text(changed)
    with pytest.raises(FailedError, match="UPDATE_ROLLBACK_COMPLETE"):
        cli.run(on)
    file.write_text(template)
    cli.run(off)
    assert stage.state(server) == "OFFLINE"
    file.write_text(changed)
    cli.run(on)
    described = stage.described(server)
    assert (described["EndpointType"], described["State"]) == ("VPC", "ONLINE")
    assert stage.commands(server)[-3:] == ["StopServer", "UpdateServer", "StartServer"]


def endpoint_of_a_server_without_a_stack(stage: Stage) -> None:
    change, address_type = blocks("A server that no stack declares")
    server = stage.server()
    AwsCli(stage.engine, ROOT, {"SERVER": server}).run(change)
    described = stage.described(server)
    assert (described["EndpointType"], described["State"]) == ("VPC", "ONLINE")
    assert described["EndpointDetails"]["AddressAllocationIds"] == ["eipalloc-0123456789abcdef0"]
    assert stage.commands(server) == ["StopServer", "UpdateServer", "UpdateServer", "StartServer"]

    other = stage.server()
    cli = AwsCli(stage.engine, ROOT, {"SERVER": other})
    with pytest.raises(ClientError, match="OFFLINE"):
        cli.run(address_type)
    stage.engine.control("POST", f"servers/{other}/state", {"state": "OFFLINE"})
    cli.run(address_type)
    assert stage.described(other)["IpAddressType"] == "DUALSTACK"


def passive_ip(stage: Stage) -> None:
    (restart,) = blocks("A change that takes a restart")
    server = stage.server()
    AwsCli(stage.engine, ROOT, {"SERVER": server}).run(restart)
    described = stage.described(server)
    assert described["ProtocolDetails"]["PassiveIp"] == "203.0.113.7"
    assert described["State"] == "ONLINE"
    assert stage.commands(server) == ["StopServer", "UpdateServer", "StartServer"]


Play = Callable[[Stage], None]
PLAYS: dict[str, Play] = {
    "a window takes a server OFFLINE, and its end brings it back": window,
    "a schedule declares OFFLINE and ONLINE, with its own role": schedule,
    "a fleet goes OFFLINE and ONLINE by one parameter": fleet,
    "the AWS CLI declares OFFLINE, and ONLINE": by_the_aws_cli,
    "a stack's server gets another endpoint": endpoint_of_a_stack_s_server,
    "a server without a stack gets another endpoint": endpoint_of_a_server_without_a_stack,
    "PassiveIp is changed around a restart": passive_ip,
}


@pytest.fixture(scope="module")
def played(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[None]"]]:
    engine.control("PATCH", "settings", {"start_s": 0, "stop_s": 0})
    for service in ("cloudformation", "iam", "scheduler", "sts", "transfer"):
        engine.client(service)
    with ThreadPoolExecutor(len(PLAYS)) as pool:
        yield {
            title: pool.submit(play, Stage(engine, tmp_path_factory.mktemp("play")))
            for title, play in PLAYS.items()
        }


@pytest.mark.parametrize("title", PLAYS)
def test_examples_do_what_they_say(title: str, played: dict[str, "Future[None]"]) -> None:
    played[title].result()
