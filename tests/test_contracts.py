"""What must stay true of the code itself: its imports, and the permissions that it needs."""

import ast
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from cfnlint.decode import decode_str
from importlinter.cli import lint_imports

from handler.aws import _Loader

ROOT = Path(__file__).parent.parent
HANDLER = sorted((ROOT / "handler").glob("*.py"))
SERVICES = ("cloudformation", "lambda", "transfer")
# What Lambda itself does in the name of the role.
LAMBDA_S_OWN = {"sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}


def actions_in_code() -> set[str]:
    """Find the operations that handler/ names, as the actions that permit them."""
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
        for path in HANDLER
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in operations
    }


def test_a_client_can_be_made_for_exactly_the_services_that_are_called() -> None:
    called = {action.partition(":")[0] for action in actions_in_code()}
    assert called == set(_Loader().list_available_services("service-2")) == set(SERVICES)


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


def test_imports_run_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out
