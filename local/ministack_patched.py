"""Starts the CloudFormation engine, ministack, with what it lacks of AWS and these stacks need.

It gets to know transfer_resource_types, deletes a resource whose creation failed, updates only a
stack that is complete, refuses circles, runs the transforms of nested stacks, unpacks a package
once, and keeps an environment whose function raised.
Its private parts are reached for here and nowhere else; they are those of one version.
"""

import sys
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from ministack import app
from ministack.core import lambda_runtime
from ministack.core.responses import get_region
from ministack.services import cloudformation
from ministack.services.cloudformation import (
    changesets,
    custom_resource,
    engine,
    handlers,
    helpers,
    provisioners,
    stacks,
)

from local.transfer_resource_types import ServerType, UserType

VERSION = "1.5.33"
# Where a stack's record keeps what its failed creations left, until it is deleted.
_LEFT = "_failed_creations"
# In these a stack can be updated. Of a deleted one the engine says that it does not exist.
_CAN_BE_UPDATED = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "DELETE_COMPLETE",
}
# Lambda's own runtime gives the root logger a handler, so that what is logged reaches the log.
_LOG_HANDLER = "import logging; logging.basicConfig(format='%(message)s')\n"
# What an environment says of a function that raised; who says so of itself is killed.
_RAISED = '"status": "error", "error": str(e), "trace": '


def main() -> None:
    """Serve until the end, with the Transfer API at the URL that is the one argument."""
    if (found := version("ministack")) != VERSION:
        sys.exit(
            f"ministack {found} is installed, and {VERSION} is expected: make setup installs it. "
            f"For another version, look whether {__name__} still fits, and change it there."
        )
    transfer_url = sys.argv.pop()
    _register(ServerType(partial(_transfer, transfer_url)))
    _register(UserType(partial(_transfer, transfer_url)))
    _accept_hooks()
    _delete_what_failed()
    _update_what_is_complete()
    _refuse_circles()
    _transform_nested_templates()
    _unpack_once()
    _outlive_what_is_raised()
    lambda_runtime._PYTHON_WORKER_SCRIPT = _LOG_HANDLER + lambda_runtime._PYTHON_WORKER_SCRIPT
    app.main()


def _transfer(url: str) -> Any:
    return _client(url, get_region())


@cache
def _client(url: str, region: str) -> Any:
    retries = {"mode": "standard", "total_max_attempts": 8}
    config = Config(proxies={}, retries=retries)
    return boto3.client("transfer", endpoint_url=url, region_name=region, config=config)


def _register(type_: ServerType | UserType) -> None:
    provisioners._RESOURCE_HANDLERS[type_.name] = {
        "create": lambda _logical_id, properties, _stack: type_.create(properties),
        "update": lambda arn, old, new, _stack: type_.update(arn, old, new),
        "delete": lambda arn, _properties: type_.delete(arn),
    }
    provisioners._REPLACING_PROPERTIES[type_.name] = type_.create_only
    provisioners._STACK_TAG_PROPERTY[type_.name] = ("Tags", "list")
    # Waits, so on a thread of its own; may have changed something before it failed.
    for question in ("_runs_on_worker_thread", "_sends_back_failed_update"):
        known = getattr(stacks, question)
        setattr(stacks, question, lambda name, known=known: name == type_.name or known(name))


def _accept_hooks() -> None:
    """Let a template register a hook. Nobody calls it here."""
    provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::LambdaHook"] = {
        "create": lambda _logical_id, properties, _stack: (properties["Alias"], {}),
        "update": lambda alias, _old, _new, _stack: (alias, {}),
        "delete": lambda _alias, _properties: None,
    }


def _delete_what_failed() -> None:
    """Have a failed creation followed by its deletion, in the rollback or with the stack."""
    answered: dict[tuple[str, str], str] = {}
    deliver = custom_resource.deliver_response
    create = stacks._provision_keeping_seed
    roll_back, delete = stacks._roll_back_operation, stacks._delete_stack_async

    def delivered(token: str, answer: dict[str, Any]) -> bool:
        key = (answer.get("StackId", ""), answer.get("LogicalResourceId", ""))
        answered[key] = answer.get("PhysicalResourceId", "")
        return bool(deliver(token, answer))

    def created(type_: str, logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        stack = cloudformation._stacks[stack_name]
        key = (stack["StackId"], logical_id)
        answered.pop(key, None)
        try:
            return create(type_, logical_id, properties, stack_name)
        except Exception as error:
            physical_id = getattr(error, "physical_id", None)
            # A request that reached its function, which said FAILED or nothing.
            if _is_custom(type_) and isinstance(error, RuntimeError | TimeoutError):
                made_up = f"{stack_name}-{logical_id}-{uuid.uuid4().hex[:12].upper()}"
                physical_id = answered.get(key) or made_up
            if physical_id:
                stack.setdefault(_LEFT, {})[logical_id] = {
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": physical_id,
                    "Properties": properties,
                    "ResourceStatus": "CREATE_FAILED",
                    "ResourceType": type_,
                }
            raise

    async def rolled_back(
        name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], **options: Any
    ) -> None:
        left = stack.pop(_LEFT, {})
        stack.setdefault("_resources", {}).update(left)
        operation["created"] += left
        await roll_back(name, stack_id, stack, operation, **options)

    async def deleted(name: str, *more: Any, **options: Any) -> None:
        stack = cloudformation._stacks.get(name, {})
        stack.get("_resources", {}).update(stack.pop(_LEFT, {}))
        await delete(name, *more, **options)

    custom_resource.deliver_response = delivered
    stacks._provision_keeping_seed = created
    _replace("_roll_back_operation", rolled_back)
    _replace("_delete_stack_async", deleted)


def _update_what_is_complete() -> None:
    """Have a stack in any other state refuse updates; one rolled back is not made anew, either."""
    actions = handlers._ACTION_HANDLERS

    def checked(act: Callable[..., Any], kind: str, params: dict[str, Any]) -> Any:
        stack = handlers._resolve_stack(helpers._p(params, "StackName")) or {}
        status = stack.get("StackStatus", "DELETE_COMPLETE")
        kind = helpers._p(params, "ChangeSetType", kind)
        if kind == "UPDATE" and status not in _CAN_BE_UPDATED:
            told = f"Stack:{stack['StackId']} is in {status} state and can not be updated."
            return helpers._error("ValidationError", told)
        if kind == "CREATE" and status == "ROLLBACK_COMPLETE":
            told = f"Stack [{stack['StackName']}] already exists"
            return helpers._error("AlreadyExistsException", told)
        return act(params)

    for name, kind in (
        ("CreateStack", "CREATE"),
        ("UpdateStack", "UPDATE"),
        ("CreateChangeSet", "UPDATE"),
    ):
        actions[name] = partial(checked, actions[name], kind)


def _refuse_circles() -> None:
    """Refuse resources that depend on each other before their stack is UPDATE_FAILED for ever."""
    validate = engine.validate_template_support

    def validated(template: dict[str, Any], conditions: dict[str, Any], params: Any = None) -> None:
        validate(template, conditions, params=params)
        # ValidateTemplate has none, and its template may not be transformed.
        if params is not None:
            engine._topological_sort(template.get("Resources", {}), conditions)

    for module in (handlers, changesets):
        module.validate_template_support = validated


def _transform_nested_templates() -> None:
    parse = engine._parse_template
    # Whoever parses the template of a root has its own name for it, and transforms it later.
    engine._parse_template = lambda body: engine._apply_transforms(parse(body))


def _unpack_once() -> None:
    """Give all environments of a package one folder, which on AWS none of them can write to."""
    unpacked: dict[tuple[tuple[str, int], ...], Path] = {}
    one_at_a_time = threading.Lock()

    class Package(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            if not Path(path).with_name("_worker.py").exists():
                # Into the folder of a function on Node the engine puts what its layers bring.
                super().extractall(path, members, pwd)
                return
            content = tuple((file.filename, file.CRC) for file in self.infolist())
            with one_at_a_time:
                if content not in unpacked:
                    folder = Path(tempfile.mkdtemp(prefix="ministack-package-"))
                    super().extractall(folder, members, pwd)
                    unpacked[content] = folder
            Path(path).rmdir()
            Path(path).symlink_to(unpacked[content])

    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": Package})


def _outlive_what_is_raised() -> None:
    """Let an environment go on after a function in Python raised, as Lambda does."""
    before, raised, after = lambda_runtime._PYTHON_WORKER_SCRIPT.partition(_RAISED)
    lambda_runtime._PYTHON_WORKER_SCRIPT = before + raised.replace("error", "ok", 1) + after
    invoke = lambda_runtime.Worker.invoke

    def invoked(worker: Any, *given: Any, **named: Any) -> dict[str, Any]:
        said = invoke(worker, *given, **named)
        return {**said, "status": "error"} if "trace" in said else said

    lambda_runtime.Worker.invoke = invoked


def _replace(name: str, function: Callable[..., Any]) -> None:
    for module in (stacks, handlers):
        setattr(module, name, function)


def _is_custom(type_: str) -> bool:
    return type_.startswith("Custom::") or type_ == "AWS::CloudFormation::CustomResource"


if __name__ == "__main__":
    main()
