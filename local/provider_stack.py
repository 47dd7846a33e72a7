"""Deploys the provider to the local engine: template.yaml as it is, and its package.

As `sam package` does, it puts the package into a bucket and writes its address into the template;
it must change nothing else there.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from deploy import artefact
from local.cloudformation_stack import Stack
from local.engine import Engine

STACK = "transfer-server-state"
# The command by which make finds the packages that fit this machine.
PACKAGES = f"'{sys.executable}' -m local.copy_packages"


class NotDeployedError(Exception):
    """The provider's stack did not come to be; the message says why."""


def deploy(engine: Engine, name: str = STACK, **parameters: str) -> Stack:
    """Build the package, upload it and deploy the template as a stack of that name.

    Raises NotBuiltError, NotDeployedError.
    """
    folder = engine.folder / name
    package = artefact.archive(build(folder / "package"), folder / "package.zip")
    bucket = f"packages-{uuid.uuid4().hex}"
    s3 = engine.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.upload_file(str(package), bucket, package.name)
    stack = Stack(engine.client("cloudformation"), name)
    stack.change(artefact.packaged(f"s3://{bucket}/{package.name}"), parameters)
    if (status := stack.settled()) != "CREATE_COMPLETE":
        failed = [e for e in stack.events() if e["ResourceStatus"].endswith("_FAILED")]
        raise NotDeployedError(
            f"The provider's stack ended in {status}: "
            + "; ".join(f"{e['LogicalResourceId']}: {e['ResourceStatusReason']}" for e in failed)
        )
    return stack


def deployed(engine: Engine, logical_id: str) -> str:
    """Return the PhysicalResourceId of one of the provider's own resources."""
    found = engine.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def guard(engine: Engine, server_id: str = "") -> None:
    """Have the guard look at all servers, as its schedule does, or at one that was just updated.

    The engine emits no CloudFormation events, so the guard is handed one as AWS sends it:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacks-event-driven.html
    """
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    updated = {
        "source": "aws.cloudformation",
        "detail-type": "CloudFormation Resource Status Change",
        "detail": {
            "resource-type": "AWS::Transfer::Server",
            "physical-resource-id": f"arn:aws:transfer:us-east-1:000000000000:server/{server_id}",
            "status-details": {"status": "UPDATE_COMPLETE", "status-reason": ""},
        },
    }
    engine.client("lambda").invoke(
        FunctionName=deployed(engine, "Guard"),
        Payload=json.dumps({"id": uuid.uuid4().hex, **(updated if server_id else scheduled)}),
    )


def hook(
    engine: Engine, stack_id: str, payload: dict[str, str], point: str = "UPDATE_PRE_PROVISION"
) -> dict[str, Any]:
    """Ask the hook about a stack's operation, and return its answer.

    The engine calls no hooks, so it is called with what AWS sends, the payload behind a URL:
    https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks.html
    """
    s3, named = engine.client("s3"), {"Bucket": f"payloads-{uuid.uuid4().hex}", "Key": "payload"}
    s3.create_bucket(Bucket=named["Bucket"])
    s3.put_object(**named, Body=json.dumps(payload).encode())
    event = {
        "clientRequestToken": uuid.uuid4().hex,
        "stackId": stack_id,
        "actionInvocationPoint": point,
        "requestData": {
            "targetName": "STACK",
            "targetType": "STACK",
            "payload": s3.generate_presigned_url("get_object", Params=named),
        },
    }
    answer = engine.client("lambda").invoke(
        FunctionName=deployed(engine, "HookFunction"), Payload=json.dumps(event)
    )
    return dict(json.load(answer["Payload"]))


def build(target: Path) -> Path:
    """Fill a new folder with what the function consists of, and packages that fit this machine.

    Raises NotBuiltError.
    """
    return artefact.build(target, PACKAGES=PACKAGES, COMPILE_WITH=sys.executable)
