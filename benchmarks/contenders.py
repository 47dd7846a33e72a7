"""Who stops a server and waits until it is OFFLINE: this provider, and what one would pick instead.

Each cites where its parameters come from. What retries a throttled call is the SDK that a
contender uses, as that contender sets it.
"""

import json
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, WaiterError
from botocore.loaders import Loader
from botocore.waiter import NormalizedOperationMethod, Waiter, WaiterModel
from crhelper import CfnResource

from benchmarks.virtual import (
    USD_PER_READ_UNIT,
    USD_PER_STATE_TRANSITION,
    USD_PER_WRITE_UNIT,
    Clock,
    Run,
)
from handler.cloudformation import Provider
from tests.fakes.dynamodb import DynamoDB
from transfer_server_state.aws.client import Aws

TIMEOUT_S = 900  # Lambda's longest
FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:provider"
STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/demo/0"


@dataclass
class Outcome:
    """How it ended, and when the answer left; no answer is a failure."""

    succeeded: bool = False
    at_s: float = 0


Stop = Callable[[Run], Outcome]


@dataclass(frozen=True)
class Contender:
    """Somebody who stops one server and says when it is done."""

    name: str
    stop: Stop
    on_lambda: bool = True
    # How many servers it works on at once, however many there are.
    at_once: int = 1_000


@dataclass
class _Context:
    clock: Clock
    until_s: float
    invoked_function_arn: str = FUNCTION
    function_name: str = "provider"
    aws_request_id: str = "lambda-request"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.until_s - self.clock.now()) * 1000)


def _request(run: Run) -> dict[str, Any]:
    sent_at = datetime.fromtimestamp(run.clock.now(), UTC)
    return {
        "RequestType": "Create",
        "ResponseURL": f"https://cloudformation.invalid/?X-Amz-Date={sent_at:%Y%m%dT%H%M%SZ}",
        "StackId": STACK,
        "RequestId": f"request-{run.server_id}",
        "ResourceType": "Custom::TransferServerState",
        "LogicalResourceId": "State",
        "ResourceProperties": {
            "ServiceToken": FUNCTION,
            "ServerId": run.server_id,
            "DesiredState": "OFFLINE",
        },
    }


class _Table:
    """A table of the run's account, billed on demand; JSON is a little longer than the row."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._table = run, DynamoDB(name)

    def get_item(self, **arguments: Any) -> Any:
        self._run.bill.usd += USD_PER_READ_UNIT
        return self._run.other_call("GetItem", self._table.get_item(**arguments))

    def put_item(self, **arguments: Any) -> Any:
        units = math.ceil(len(json.dumps(arguments["Item"]).encode()) / 1024)
        self._run.bill.usd += units * USD_PER_WRITE_UNIT
        return self._run.other_call("PutItem", self._table.put_item(**arguments))


def this_provider(run: Run) -> Outcome:
    """Run the real entry point, as handler/ is; memory and processor as in template.yaml."""
    outcome = Outcome()
    queue = deque([_request(run)])

    class Lambda:
        def invoke(self, **arguments: Any) -> Any:
            queue.append(json.loads(arguments["Payload"]))
            return run.other_call("Invoke", {"StatusCode": 202})

    def put(_: str, body: bytes) -> int:
        outcome.succeeded = json.loads(body)["Status"] == "SUCCESS"
        outcome.at_s = run.clock.now()
        return 200

    table = _Table(run, os.environ.setdefault("REGISTRY_TABLE", "registry"))
    clients = {"transfer": run, "lambda": Lambda(), "dynamodb": table}
    provider = Provider(aws=Aws(clients.__getitem__), put=put, clock=run.clock)
    while queue:
        with run.function():
            provider.handle(queue.popleft(), _context(run))
    return outcome


def _context(run: Run) -> _Context:
    return _Context(run.clock, run.clock.now() + TIMEOUT_S)


_BOTO3_RETRY = Loader().load_data("_retry")["retry"]["__default__"]


def _through_boto3(run: Run, call: Callable[..., Any]) -> Callable[..., Any]:
    """Retry as a client that nobody configured does: botocore/data/_retry.json, retryhandler.py."""

    def retrying(**arguments: Any) -> Any:
        for attempt in range(1, _BOTO3_RETRY["max_attempts"]):
            try:
                return call(**arguments)
            except ClientError:
                growth = _BOTO3_RETRY["delay"]["growth_factor"] ** (attempt - 1)
                run.clock.sleep(run.random.random() * growth)
        return call(**arguments)

    return retrying


def _state(answer: dict[str, Any]) -> str:
    return str(answer["Server"]["State"])


class _Handler(CfnResource):
    """A plain crhelper function, which stops the server on Create; the real crhelper 2."""

    def __init__(self, run: Run, polling_interval: int = 2) -> None:
        super().__init__(log_level="INFO", polling_interval=polling_interval, sleep_on_delete=0)
        self.run, self.outcome, self.rule = run, Outcome(), ""
        # Its own clients are made in its constructor, unless AWS_SAM_LOCAL is set.
        self._sam_local, self._lambda_client, self._events_client = None, self, self
        self.create(self.stop)

    def stop(self, _: Any, __: Any) -> str:
        """Stop the server, unless it is there already."""
        if _state(_through_boto3(self.run, self.run.describe_server)()) != "OFFLINE":
            _through_boto3(self.run, self.run.stop_server)()
        return self.run.server_id

    def _send(self, status: str | None = None, *_: Any, **__: Any) -> None:
        self.outcome.succeeded = (status or self.Status) == "SUCCESS"
        self.outcome.at_s = self.run.clock.now()

    # The calls that crhelper makes to keep its poll going.

    def put_rule(self, ScheduleExpression: str, **_: Any) -> Any:  # noqa: N803 - boto3's name
        self.rule = ScheduleExpression
        return self.run.other_call("PutRule", {"RuleArn": "arn:aws:events:eu:0:rule/poll"})

    def put_targets(self, Targets: list[dict[str, str]], **_: Any) -> None:  # noqa: N803
        self.event = json.loads(Targets[0]["Input"])
        self.run.other_call("PutTargets")

    def add_permission(self, **_: Any) -> None:
        self.run.other_call("AddPermission")

    def remove_permission(self, **_: Any) -> None:
        self.run.other_call("RemovePermission")

    def remove_targets(self, **_: Any) -> None:
        self.run.other_call("RemoveTargets")

    def delete_rule(self, **_: Any) -> None:
        self.rule = ""
        self.run.other_call("DeleteRule")


def crhelper_polling(minutes: int) -> Stop:
    """Poll as crhelper does: crhelper/resource_helper.py, 2 minutes unless told otherwise.

    A rule's rate counts from a moment of EventBridge's own, so the first poll may come at once or
    an interval later.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    """

    def stop(run: Run) -> Outcome:
        helper = _Handler(run, minutes)

        def poll(_: Any, __: Any) -> str | None:
            look = _through_boto3(run, run.describe_server)
            return run.server_id if _state(look()) == "OFFLINE" else None

        helper.poll_create(poll)
        with run.function():
            helper(_request(run), _context(run))
        interval_s = minutes * 60
        next_s = run.clock.now() + run.random.uniform(0, interval_s)
        while helper.rule:
            run.clock.sleep(max(0, next_s - run.clock.now()))
            next_s += interval_s
            with run.function():
                helper(helper.event, _context(run))
        return helper.outcome

    return stop


_WAITERS = WaiterModel(Loader().load_service_model("transfer", "waiters-2"))


def boto3_waiter(run: Run) -> Outcome:
    """Wait with boto3's real `server_offline`, in a crhelper function.

    botocore/data/transfer/2018-11-05/waiters-2.json: every 30 s. What it sleeps is slept between
    its calls, on the virtual clock; where Lambda's 15 minutes end, so does the function.
    """
    helper = _Handler(run)
    config = _WAITERS.get_waiter("ServerOffline")
    until_s = run.clock.now() + TIMEOUT_S
    look = _through_boto3(run, run.describe_server)
    pauses_s = iter([0])

    def later(**arguments: str) -> Any:
        pause_s = next(pauses_s, config.delay)
        if run.clock.now() + pause_s > until_s:
            run.clock.sleep(until_s - run.clock.now())
            raise WaiterError("ServerOffline", "Execution timed out", {})
        run.clock.sleep(pause_s)
        return look(**arguments)

    @helper.create
    def stop_and_wait(event: Any, context: Any) -> str:
        helper.stop(event, context)
        waiter = Waiter("ServerOffline", config, NormalizedOperationMethod(later))
        waiter.wait(
            ServerId=run.server_id,
            WaiterConfig={"Delay": 0, "MaxAttempts": config.max_attempts},
        )
        return run.server_id

    with run.function():
        helper(_request(run), _context(run))
    return helper.outcome


CDK_INTERVAL_S, CDK_TIMEOUT_S = 5, 1800


def cdk_provider(run: Run) -> Outcome:
    """Wait as the CDK's Provider framework does, around two functions of the user's with boto3.

    aws-cdk-lib/custom-resources/lib/provider-framework: util.ts (5 s, for 30 minutes, no backoff),
    waiter-state-machine.ts (a task that is retried, and each retry is a state transition),
    runtime/framework.ts (the framework's function waits for the user's; an error of it is FAILED).
    Its functions have Lambda's default size and processor.
    """

    @contextmanager
    def both_functions() -> Iterator[None]:
        with run.function(128, "x86_64"), run.function():
            yield

    try:
        with both_functions():
            if _state(_through_boto3(run, run.describe_server)()) != "OFFLINE":
                _through_boto3(run, run.stop_server)()
        for attempt in range(CDK_TIMEOUT_S // CDK_INTERVAL_S + 1):
            if attempt:
                run.clock.sleep(CDK_INTERVAL_S)
            run.bill.usd += USD_PER_STATE_TRANSITION
            with both_functions():
                if _state(_through_boto3(run, run.describe_server)()) == "OFFLINE":
                    return Outcome(succeeded=True, at_s=run.clock.now())
    except ClientError:
        pass
    return Outcome(at_s=run.clock.now())


TERRAFORM_FIRST_S, TERRAFORM_LONGEST_S, TERRAFORM_TIMEOUT_S = 0.1, 10, 1200
TERRAFORM_ATTEMPTS, TERRAFORM_LONGEST_RETRY_S, TERRAFORM_PARALLELISM = 25, 300, 10


def terraform(run: Run) -> Outcome:
    """Wait as the Terraform AWS provider does after a stop of its own.

    internal/service/transfer/wait.go, waitServerStopped: no Delay, MinTimeout or PollInterval, so
    terraform-plugin-sdk's helper/retry/state.go doubles 100 ms before each wait but the first, up
    to 10 s. A throttled call is tried 25 times, after up to 2^n s and at most 300
    (internal/provider: max_retries; aws-sdk-go-v2 aws/retry, jitter backoff).
    """

    def patient(call: Callable[[], Any]) -> Any:
        for attempt in range(TERRAFORM_ATTEMPTS - 1):
            try:
                return call()
            except ClientError:
                longest_s = min(2**attempt, TERRAFORM_LONGEST_RETRY_S)
                run.clock.sleep(run.random.random() * longest_s)
        return call()

    try:
        if _state(patient(run.describe_server)) != "OFFLINE":
            patient(run.stop_server)
        until_s, pause_s = run.clock.now() + TERRAFORM_TIMEOUT_S, TERRAFORM_FIRST_S
        while run.clock.now() <= until_s:
            if _state(patient(run.describe_server)) == "OFFLINE":
                return Outcome(succeeded=True, at_s=run.clock.now())
            pause_s = min(2 * pause_s, TERRAFORM_LONGEST_S)
            run.clock.sleep(pause_s)
    except ClientError:
        pass
    return Outcome(at_s=run.clock.now())


AWS_SLEEP_S, AWS_DELAY_S, AWS_ATTEMPTS, AWS_CALLBACKS = 10, 5, 4, 30
AWS_RETRY_S, AWS_LONGEST_RETRY_S = 2, 20


def aws_handler(run: Run) -> Outcome:
    """Wait as AWS's handler of AWS::Transfer::Server does when an update stops the server.

    aws-cloudformation-resource-providers-transfer: BaseHandlerStd.slowDownRetries sleeps 10 s in
    STOPPING, then cloudformation-cli-java-plugin's DelayFactory adds its constant 5 s. A throttled
    call is tried 4 times (ClientBuilder), then called back after RetryAfterSeconds, 30 times. That
    a longer wait is handed back to CloudFormation, for a minute, is left out in its favour.
    """
    callbacks = iter(range(AWS_CALLBACKS))

    def patient(call: Callable[[], Any]) -> Any:
        while True:
            for attempt in range(AWS_ATTEMPTS):
                try:
                    return call()
                except ClientError as error:
                    if attempt < AWS_ATTEMPTS - 1:
                        pause_s = run.random.random() * min(
                            AWS_RETRY_S * 2**attempt, AWS_LONGEST_RETRY_S
                        )
                    elif next(callbacks, None) is None:
                        raise
                    else:
                        pause_s = float(str(error.response["RetryAfterSeconds"]))
                run.clock.sleep(pause_s)

    try:
        if _state(patient(run.describe_server)) != "OFFLINE":
            patient(run.stop_server)
        while _state(patient(run.describe_server)) != "OFFLINE":
            run.clock.sleep(AWS_SLEEP_S + AWS_DELAY_S)
    except ClientError:
        return Outcome(at_s=run.clock.now())
    return Outcome(succeeded=True, at_s=run.clock.now())


OURS = Contender("this provider", this_provider)
OTHERS = (
    Contender("CDK Provider framework, 5 s", cdk_provider),
    Contender("Terraform's wait, 0.1 to 10 s", terraform, on_lambda=False, at_once=10),
    Contender("AWS's own handler, 10 + 5 s", aws_handler, on_lambda=False),
    Contender("boto3's waiter, 30 s", boto3_waiter),
    Contender("crhelper's polling, 1 min", crhelper_polling(1)),
    Contender("crhelper's polling, 2 min", crhelper_polling(2)),
)


def quietly() -> None:
    """Keep what the contenders log to themselves."""
    logging.disable(logging.CRITICAL)
