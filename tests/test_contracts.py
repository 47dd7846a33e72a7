"""What must stay true of the code itself: its imports, and the permissions that it needs."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
from cfnlint.decode import decode_str

ROOT = Path(__file__).parent.parent
CODE = [
    path for name in ("handler", "transfer_server_state") for path in (ROOT / name).rglob("*.py")
]
SERVICES = ("cloudformation", "dynamodb", "lambda", "transfer")
# What Lambda itself does in the name of the role.
LAMBDA_S_OWN = {"sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}


def actions_in_code() -> set[str]:
    """Find the operations that the code names, as the actions that permit them."""
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
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in operations
    }


def test_every_service_that_a_client_is_made_for_is_called() -> None:
    assert {action.partition(":")[0] for action in actions_in_code()} == set(SERVICES)


def statements() -> list[dict[str, Any]]:
    template, problems = decode_str((ROOT / "template.yaml").read_text())
    assert not problems
    return [
        statement
        for resource in template["Resources"].values()
        for policy in (
            resource.get("Properties", {}).get("Policies") or [resource.get("Properties")]
        )
        if "PolicyDocument" in (policy or {})
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_the_role_permits_exactly_what_the_code_calls() -> None:
    allowed: list[str] = []
    for statement in statements():
        assert statement["Effect"] == "Allow"
        action = statement["Action"]
        allowed += [action] if isinstance(action, str) else action
    assert sorted(allowed) == sorted(actions_in_code() | LAMBDA_S_OWN)


def test_no_permission_is_for_everything() -> None:
    resources = [statement["Resource"] for statement in statements()]
    assert len(resources) >= 5
    assert "*" not in resources


def test_imports_run_one_way() -> None:
    """In a process of its own: the linter disables the loggers that there are."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert linted.returncode == 0, linted.stdout + linted.stderr
