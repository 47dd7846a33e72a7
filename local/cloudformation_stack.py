"""A CloudFormation stack, changed by change set as the console and SAM do it.

It must not know the provider, or which engine is behind the client.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

LOOK_EVERY_S = 0.1


class RefusedError(Exception):
    """CloudFormation refused the change set itself; the message is its reason."""


class StuckError(Exception):
    """A stack takes longer than anyone should wait for it; the message says which."""


@dataclass
class Stack:
    """One stack by its name; once it exists, by its id, so that it is found after its end."""

    client: Any
    name: str
    stack_id: str = ""
    patience_s: float = 60.0

    def change(self, template: str, parameters: Mapping[str, str] | None = None) -> None:
        """Create or update it by a change set, and return when that has begun.

        Raises RefusedError.
        """
        self.execute(self.propose(template, parameters))

    def propose(self, template: str, parameters: Mapping[str, str] | None = None) -> str:
        """Make a change set of it, and return its name. Raises RefusedError."""
        change_set = f"change-{uuid.uuid4().hex}"
        created = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if self.stack_id else "CREATE",
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (parameters or {}).items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self.stack_id = created["StackId"]
        names = {"StackName": self.name, "ChangeSetName": change_set}
        while (found := self.client.describe_change_set(**names))["Status"] != "CREATE_COMPLETE":
            if found["Status"] == "FAILED":
                raise RefusedError(found.get("StatusReason", "no reason was given"))
            time.sleep(LOOK_EVERY_S)
        return change_set

    def execute(self, change_set: str) -> None:
        """Execute a change set, and return when that has begun."""
        self.client.execute_change_set(StackName=self.name, ChangeSetName=change_set)

    def delete(self) -> None:
        """Begin to delete it."""
        self.client.delete_stack(StackName=self.name)

    def settled(self, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Wait for the end of what was begun, looking again and again; return the status.

        Raises StuckError.
        """
        give_up = time.monotonic() + self.patience_s
        while True:
            status = str(self._described()["StackStatus"])
            meanwhile()
            if not status.endswith("_IN_PROGRESS"):
                return status
            if time.monotonic() > give_up:
                raise StuckError(f"{self.name} is still {status} after {self.patience_s:.0f} s.")
            time.sleep(LOOK_EVERY_S)

    def outputs(self) -> dict[str, str]:
        """Its outputs by name."""
        return {o["OutputKey"]: o["OutputValue"] for o in self._described().get("Outputs", [])}

    def events(self) -> list[dict[str, Any]]:
        """Its events so far, the oldest first; none if there is no such stack."""
        with suppress(ClientError):
            pages = self.client.get_paginator("describe_stack_events").paginate(
                StackName=self.stack_id or self.name
            )
            return [event for page in pages for event in page["StackEvents"]][::-1]
        return []

    def _described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=self.stack_id)["Stacks"][0]
        return found
