"""What the AWS CLI does of a command line, by botocore's model of each operation.

As much as examples/ take: `cloudformation deploy`, `wait`, and any operation whose options are
text or JSON. What is not known is refused.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from botocore import xform_name

from local.cloudformation_stack import Stack
from local.engine import Engine

Options = dict[str, list[str]]


class FailedError(Exception):
    """The command line would exit with an error; the message is the stack's status."""


@dataclass
class AwsCli:
    """Runs commands in a folder, with the variables of a shell."""

    engine: Engine
    folder: Path
    variables: Mapping[str, str]
    _stacks: dict[str, Stack] = field(default_factory=dict)

    def run(self, script: str) -> None:
        """Run what is a command of the CLI in it, one after the other."""
        commands = [line for line in script.replace("\\\n", " ").splitlines() if "aws " in line]
        assert commands
        for command in commands:
            program, service, operation, *words = shlex.split(
                Template(command.strip()).substitute(self.variables)
            )
            assert program == "aws", command
            if operation == "deploy":
                self._deploy(**_options(words))
            elif operation == "wait":
                self._wait(service, words[0], _options(words[1:]))
            else:
                self._call(service, operation, _options(words))

    def _deploy(
        self, stack_name: list[str], template_file: list[str], parameter_overrides: list[str]
    ) -> None:
        (name,), (file,) = stack_name, template_file
        client = self.engine.client("cloudformation")
        stack = self._stacks.setdefault(name, Stack(client, name))
        overrides = dict(override.split("=", 1) for override in parameter_overrides)
        stack.change((self.folder / file).read_text(), overrides)
        status = stack.settled()
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise FailedError(status)

    def _wait(self, service: str, what: str, options: Options) -> None:
        client = self.engine.client(service)
        waiter = client.get_waiter(what.replace("-", "_"))
        waiter.wait(
            StackName=options["stack_name"][0], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    def _call(self, service: str, operation: str, options: Options) -> None:
        client = self.engine.client(service)
        method = operation.replace("-", "_")
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
        known = {xform_name(name): (name, kind) for name, kind in model.input_shape.members.items()}
        request: dict[str, Any] = {}
        for option, (value,) in options.items():
            name, kind = known[option]
            request[name] = value if kind.type_name == "string" else json.loads(value)
        getattr(client, method)(**request)


def _options(words: list[str]) -> Options:
    """Return the values of each option, by its name as Python writes it."""
    found: Options = {}
    for word in words:
        if word.startswith("--"):
            values = found.setdefault(word.removeprefix("--").replace("-", "_"), [])
        else:
            values.append(word)
    return found
