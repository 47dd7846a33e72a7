"""What of AWS the function calls besides Transfer, behind one address.

It must not know what the function makes of it. Lambda here takes an invocation and carries none
out: whoever has the fake passes it on.
"""

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from tests.fakes.dynamodb import TARGET_PREFIX, DynamoDB
from tests.runtime.http_server import Asked, HttpServer, Reply

TABLE = "registry"
STACK_STATUS = "CREATE_IN_PROGRESS"


class Invoked(NamedTuple):
    """A call of Lambda's Invoke."""

    function: str
    invocation_type: str | None
    event: Any


class Aws(HttpServer):
    """DynamoDB with one table, Lambda's Invoke, a bus, and CloudFormation with one stack."""

    def __init__(self) -> None:
        self.dynamodb = DynamoDB(TABLE)
        self.invoked: list[Invoked] = []
        super().__init__(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        target = asked.headers.get("X-Amz-Target", "")
        if target.startswith(TARGET_PREFIX):
            status, body = self.dynamodb.answer(target, asked.body)
            return Reply(status, body, {"Content-Type": "application/x-amz-json-1.0"})
        if target == "AWSEvents.PutEvents":
            return Reply(200, b'{"FailedEntryCount": 0}')
        match asked.path.split("/"):
            case ["", "2015-03-31", "functions", function, "invocations"]:
                kind = asked.headers.get("X-Amz-Invocation-Type")
                self.invoked.append(Invoked(unquote(function), kind, json.loads(asked.body)))
                return Reply(202)
        return _cloudformation({name: value for name, [value] in _form(asked.body).items()})


def _form(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode())


def _cloudformation(asked: dict[str, str]) -> Reply:
    if asked.get("Action") == "DescribeStackResource":
        # Whoever is named after a server has it.
        detail = (
            f"<PhysicalResourceId>{asked['LogicalResourceId']}:from-ONLINE</PhysicalResourceId>"
        )
        detail = f"<StackResourceDetail>{detail}</StackResourceDetail>"
        result = f"<DescribeStackResourceResult>{detail}</DescribeStackResourceResult>"
        return _xml(200, f"<DescribeStackResourceResponse>{result}</DescribeStackResourceResponse>")
    if asked.get("Action") != "DescribeStacks":
        error = "<Error><Code>ValidationError</Code><Message>does not exist</Message></Error>"
        return _xml(400, f"<ErrorResponse>{error}</ErrorResponse>")
    stack = f"<StackId>{asked['StackName']}</StackId><StackStatus>{STACK_STATUS}</StackStatus>"
    result = f"<Stacks><member>{stack}</member></Stacks>"
    return _xml(
        200,
        "<DescribeStacksResponse><DescribeStacksResult>"
        f"{result}</DescribeStacksResult></DescribeStacksResponse>",
    )


def _xml(status: int, body: str) -> Reply:
    return Reply(status, body.encode(), {"Content-Type": "text/xml"})
