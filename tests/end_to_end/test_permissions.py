"""Each permission of the provider's role is enforced here, and missed where it is taken away.

What the gateway saw tells both at once. The request's end would tell it later: a provider may well
try a denied call again for a while.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from local import provider_stack
from local.cloudformation_stack import Stack
from local.engine import ROOT, Engine
from local.iam_gateway import Call
from local.scenarios import TEMPLATE
from transfer_server_state.template import parse

# Calls that Lambda makes in the role's name. The engine does for its functions what they permit,
# and asks no policy: what would be missed on AWS is not missed here.
MADE_BY_LAMBDA = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}

KEPT = TEMPLATE.replace(
    "      DesiredState: !Ref", "      OnDrift: REASSERT\n      DesiredState: !Ref"
)
Act = Callable[[], object]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _actions(logical_id: str) -> list[str]:
    """What this one of the template's roles allows."""
    template = parse((ROOT / "template.yaml").read_text())
    return [
        action
        for policy in template["Resources"][logical_id]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in _listed(statement["Action"])
    ]


class Role:
    """A role of the provider's stack, as it was deployed."""

    def __init__(self, engine: Engine, logical_id: str) -> None:
        self._iam = engine.client("iam")
        self._name = provider_stack.deployed(engine, logical_id)

    @contextmanager
    def without(self, action: str) -> Iterator[None]:
        """Take the action out of its policies, for as long as the context lasts."""
        policies = {
            name: self._iam.get_role_policy(RoleName=self._name, PolicyName=name)["PolicyDocument"]
            for name in self._iam.list_role_policies(RoleName=self._name)["PolicyNames"]
        }
        for name, policy in policies.items():
            self._put(name, [_without(action, each) for each in policy["Statement"]])
        try:
            yield
        finally:
            for name, policy in policies.items():
                self._put(name, policy["Statement"])

    def _put(self, name: str, statements: list[dict[str, Any]]) -> None:
        kept = [statement for statement in statements if statement["Action"]]
        if not kept:
            self._iam.delete_role_policy(RoleName=self._name, PolicyName=name)
            return
        policy = json.dumps({"Version": "2012-10-17", "Statement": kept})
        self._iam.put_role_policy(RoleName=self._name, PolicyName=name, PolicyDocument=policy)


def _without(action: str, statement: dict[str, Any]) -> dict[str, Any]:
    left = [each for each in _listed(statement["Action"]) if each != action]
    return {**statement, "Action": left}


class Situation:
    """A server and a stack of their own, and what is done to them; nobody waits for its end."""

    def __init__(self, engine: Engine, server_id: str = "") -> None:
        self.engine = engine
        self.server_id = server_id or engine.client("transfer").create_server()["ServerId"]
        self.path = f"servers/{self.server_id}"
        name = f"permissions-{uuid.uuid4().hex}"
        self.stack = Stack(engine.client("cloudformation"), name, patience_s=15)

    def declare(self, desired: str) -> None:
        self.stack.change(KEPT, {"ServerId": self.server_id, "DesiredState": desired})

    def has_declared(self, desired: str = "OFFLINE") -> None:
        self.declare(desired)
        assert self.stack.settled() == "CREATE_COMPLETE"

    def put(self, state: str) -> None:
        self.engine.control("POST", f"{self.path}/state", {"state": state})


@contextmanager
def stopped(situation: Situation) -> Iterator[Act]:
    yield lambda: situation.declare("OFFLINE")


@contextmanager
def started(situation: Situation) -> Iterator[Act]:
    situation.put("OFFLINE")
    yield lambda: situation.declare("ONLINE")


@contextmanager
def outlasting_the_function(situation: Situation) -> Iterator[Act]:
    situation.engine.control("PATCH", f"{situation.path}/settings", {"stop_s": 30})
    situation.engine.client("transfer").stop_server(ServerId=situation.server_id)
    function = {"FunctionName": provider_stack.deployed(situation.engine, "Provider")}
    client = situation.engine.client("lambda")
    timeout_s = client.get_function_configuration(**function)["Timeout"]
    client.update_function_configuration(**function, Timeout=6)
    # The engine counts a cold start as the function's time, so that one comes before.
    client.invoke(**function, Payload=b"{}")
    try:
        yield lambda: situation.declare("OFFLINE")
    finally:
        client.update_function_configuration(**function, Timeout=timeout_s)


@contextmanager
def deleted(situation: Situation) -> Iterator[Act]:
    situation.has_declared()
    yield situation.stack.delete


@contextmanager
def declared_by_another_stack_too(situation: Situation) -> Iterator[Act]:
    situation.has_declared()
    yield lambda: Situation(situation.engine, situation.server_id).declare("OFFLINE")


@contextmanager
def passed(situation: Situation) -> Iterator[Act]:
    yield lambda: provider_stack.guard(situation.engine)


@contextmanager
def drifted(situation: Situation) -> Iterator[Act]:
    situation.has_declared("OFFLINE")
    situation.put("ONLINE")
    yield lambda: provider_stack.guard(situation.engine, situation.server_id)


@contextmanager
def drifted_back(situation: Situation) -> Iterator[Act]:
    situation.has_declared("ONLINE")
    situation.put("OFFLINE")
    yield lambda: provider_stack.guard(situation.engine, situation.server_id)


RIVAL = KEPT.replace("!Ref DesiredState", "OFFLINE")
# Of two that are declared the second is given up first, and that takes its time.
BOTH = KEPT.replace(
    "\nOutputs:",
    """
  Second:
    Type: Custom::TransferServerState
    DependsOn: State
    Properties:
      ServiceToken: !ImportValue TransferServerState-ServiceToken
      ServerId: SECOND
      DesiredState: OFFLINE
      OnDelete: RESTORE

Outputs:""",
)


@contextmanager
def asked_about_a_rival(situation: Situation) -> Iterator[Act]:
    situation.has_declared()
    template = RIVAL.replace("!Ref ServerId", situation.server_id)
    another = situation.stack.stack_id.replace(situation.stack.name, "another")
    yield lambda: provider_stack.hook(situation.engine, another, {"template": template})


@contextmanager
def asked_about_a_deletion(situation: Situation) -> Iterator[Act]:
    second = Situation(situation.engine)
    template = BOTH.replace("SECOND", second.server_id)
    declared = {"ServerId": situation.server_id, "DesiredState": "OFFLINE"}
    situation.stack.change(template, declared)
    assert situation.stack.settled() == "CREATE_COMPLETE"
    situation.engine.control("PATCH", f"{second.path}/settings", {"start_s": 30})
    situation.stack.delete()
    literal = template.replace("!Ref ServerId", situation.server_id)
    yield lambda: provider_stack.hook(
        *(situation.engine, situation.stack.stack_id, {"template": literal}),
        point="DELETE_PRE_PROVISION",
    )


def _invoke_terraform_s(situation: Situation, desired: str) -> None:
    payload = {"ServerId": situation.server_id, "Owner": "files", "DesiredState": desired}
    situation.engine.client("lambda").invoke(
        FunctionName=provider_stack.deployed(situation.engine, "TerraformFunction"),
        InvocationType="Event",
        Payload=json.dumps(payload),
    )


@contextmanager
def stopped_by_terraform(situation: Situation) -> Iterator[Act]:
    yield lambda: _invoke_terraform_s(situation, "OFFLINE")


@contextmanager
def started_by_terraform(situation: Situation) -> Iterator[Act]:
    situation.put("OFFLINE")
    yield lambda: _invoke_terraform_s(situation, "ONLINE")


@contextmanager
def declared_by_terraform_too(situation: Situation) -> Iterator[Act]:
    situation.has_declared()
    yield lambda: _invoke_terraform_s(situation, "OFFLINE")


# What makes a function need it: a preparation, and what is done then.
NEEDED_WHEN = {
    "transfer:DescribeServer": stopped,
    "transfer:StopServer": stopped,
    "transfer:StartServer": started,
    "cloudformation:DescribeStacks": deleted,
    "cloudformation:DescribeStackEvents": deleted,
    "cloudformation:DescribeStackResource": declared_by_another_stack_too,
    "dynamodb:GetItem": stopped,
    "dynamodb:PutItem": stopped,
    "lambda:InvokeFunction": outlasting_the_function,
}
GUARD_NEEDS_WHEN = {
    "transfer:ListServers": passed,
    "dynamodb:Scan": passed,
    "dynamodb:GetItem": drifted,
    "dynamodb:PutItem": drifted,
    "transfer:DescribeServer": drifted,
    "transfer:StopServer": drifted,
    "transfer:StartServer": drifted_back,
    "cloudformation:DescribeStackResource": drifted,
    "events:PutEvents": drifted,
}
HOOK_NEEDS_WHEN = {
    "cloudformation:DescribeStackEvents": asked_about_a_deletion,
    "cloudformation:DescribeStackResource": asked_about_a_rival,
    "cloudformation:DescribeStacks": asked_about_a_rival,
    "cloudformation:ListStackResources": asked_about_a_rival,
    "dynamodb:GetItem": asked_about_a_rival,
    "transfer:DescribeServer": asked_about_a_rival,
}
TERRAFORM_NEEDS_WHEN = {
    "transfer:DescribeServer": stopped_by_terraform,
    "transfer:StopServer": stopped_by_terraform,
    "transfer:StartServer": started_by_terraform,
    "cloudformation:DescribeStacks": declared_by_terraform_too,
    "cloudformation:DescribeStackResource": declared_by_terraform_too,
    "dynamodb:GetItem": stopped_by_terraform,
    "dynamodb:PutItem": stopped_by_terraform,
}
ROLES = {
    "Role": NEEDED_WHEN,
    "GuardRole": GUARD_NEEDS_WHEN,
    "HookRole": HOOK_NEEDS_WHEN,
    "TerraformRole": TERRAFORM_NEEDS_WHEN,
}
EACH_ACTION = [(role, action) for role, needed in ROLES.items() for action in needed]


@pytest.fixture(autouse=True, scope="module")
def _quick_servers(engine: Engine) -> None:
    engine.control("PATCH", "settings", {"start_s": 0, "stop_s": 0})


def sees(engine: Engine, wanted: set[Call], *acts: Act) -> set[Call]:
    """Do something, and return those of the calls wanted that the function makes then."""
    before = len(engine.gateway.calls)
    give_up = time.monotonic() + 30
    for act in acts:
        act()
    while True:
        seen = wanted.intersection(engine.gateway.calls[before:])
        if seen == wanted or time.monotonic() > give_up:
            return seen
        time.sleep(0.01)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_looked_at_action_by_action(role: str) -> None:
    assert sorted(set(_actions(role)) - MADE_BY_LAMBDA) == sorted(ROLES[role])


@pytest.mark.parametrize("role", ROLES)
def test_with_its_role_a_function_makes_each_call_and_none_is_denied(
    engine: Engine, role: str
) -> None:
    before = len(engine.gateway.calls)
    needed = ROLES[role]
    wanted = {Call(action, denied=False) for action in needed}
    with ExitStack() as stack:
        situations = dict.fromkeys(needed.values())
        acts = [stack.enter_context(each(Situation(engine))) for each in situations]
        assert sees(engine, wanted, *acts) == wanted
    assert not [call for call in engine.gateway.calls[before:] if call.denied]


@pytest.mark.parametrize(("role", "action"), EACH_ACTION)
def test_a_permission_taken_away_is_missed(engine: Engine, role: str, action: str) -> None:
    denied = {Call(action, denied=True)}
    with ROLES[role][action](Situation(engine)) as act, Role(engine, role).without(action):
        assert sees(engine, denied, act) == denied
