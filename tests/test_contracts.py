"""What must stay true of the code itself: its imports, and the permissions that it needs."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from cfnlint.decode import decode_str

from transfer_server_state.aws.client import _Loader
from transfer_server_state.cli import main

ROOT = Path(__file__).parent.parent
PACKED = [
    path for name in ("handler", "transfer_server_state") for path in (ROOT / name).rglob("*.py")
]
# What the command line calls with its user's permissions, and the hook in part.
OF_PEOPLE = ROOT / "transfer_server_state/aws/change_set.py"
OF_THE_HOOK = {"cloudformation:ListStackResources"}
SERVICES = ("cloudformation", "dynamodb", "events", "lambda", "transfer")
# What Lambda itself does in the name of the role.
LAMBDA_S_OWN = {"sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}
# What DynamoDB and SQS do in its name, where a key of the user's encrypts table and queue.
OF_A_KEY = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
}


def actions_in_code(*paths: Path) -> set[str]:
    """Find the operations that code names, the functions' own if no other, as actions."""
    session = botocore.session.get_session()
    operations = {
        operation: f"{service}:{operation}"
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    # The one action that is not named after its operation.
    operations["Invoke"] = "lambda:InvokeFunction"
    return {
        operations[node.value]
        for path in paths or [path for path in PACKED if path != OF_PEOPLE]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in operations
    }


def test_a_client_can_be_made_for_exactly_the_services_that_are_called() -> None:
    called = {action.partition(":")[0] for action in actions_in_code()}
    assert called == set(_Loader().list_available_services("service-2")) == set(SERVICES)


def statements(*logical_ids: str) -> list[dict[str, Any]]:
    """Return the statements of these roles and policies of the template, or of all."""
    template, problems = decode_str((ROOT / "template.yaml").read_text())
    assert not problems
    resources = template["Resources"]
    properties = [resources[name].get("Properties", {}) for name in logical_ids or resources]
    return [
        statement
        for policy in (policy for each in properties for policy in each.get("Policies", [each]))
        for statement in policy.get("PolicyDocument", {}).get("Statement", ())
    ]


def actions(*logical_ids: str) -> list[str]:
    """Return what they allow."""
    allowed: list[str] = []
    for statement in statements(*logical_ids):
        assert statement["Effect"] == "Allow"
        action = statement["Action"]
        allowed += [action] if isinstance(action, str) else action
    return allowed


def test_the_roles_permit_exactly_what_the_code_calls() -> None:
    assert set(actions()) == actions_in_code() | OF_THE_HOOK | LAMBDA_S_OWN | OF_A_KEY
    for role in ("Role", "GuardRole", "HookRole", "TerraformRole"):
        assert len(actions(role)) == len(set(actions(role)))


def test_the_command_line_tells_which_permissions_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    told = capsys.readouterr().out
    assert actions_in_code(OF_PEOPLE) <= set(re.findall(r"[a-z]+:[A-Za-z]+", told))


def test_only_what_aws_knows_no_resource_for_is_for_everything() -> None:
    assert len(statements()) >= 6
    everything = [s["Action"] for s in statements() if "*" in s["Resource"]]
    assert everything == ["transfer:ListServers"]


def test_a_function_may_go_on_under_an_alias_or_a_version_too() -> None:
    (invoke,) = (s for s in statements("Role") if s["Action"] == "lambda:InvokeFunction")
    function, qualified = (resource["Fn::Sub"] for resource in invoke["Resource"])
    assert function.endswith(":function:${NamePrefix}-provider")
    assert qualified == f"{function}:*"


def test_imports_run_one_way() -> None:
    # In a process of its own: it sets up logging anew, which disables the loggers that exist.
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
