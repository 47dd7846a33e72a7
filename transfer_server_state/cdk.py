"""A construct for CDK apps in Python, with the conventions of an L2.

What is known when an app is synthesised is checked then, as the provider would check it. Only who
imports this module needs aws-cdk-lib; it must not know AWS in any other way.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aws_cdk import Annotations, CustomResource, Duration, Fn, Token
from constructs import Construct

from transfer_server_state.declaration import TYPE, Home, InvalidDeclarationError, parse

EXPORT = "TransferServerState-ServiceToken"
# Stands in for what only the deployment knows.
_ANY = {"ServiceToken": "any", "ServerId": "s-00000000000000000", "DesiredState": "ONLINE"}


class DesiredState(StrEnum):
    """The state in which a server shall be."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


class OnDelete(StrEnum):
    """What a deletion does: nothing, or bring back the state found at the creation."""

    RETAIN = "RETAIN"
    RESTORE = "RESTORE"


class OnDrift(StrEnum):
    """What the guard does about a server in another state: tell, or also bring it back."""

    REPORT = "REPORT"
    REASSERT = "REASSERT"


class TransferServerState(Construct):
    """Declares the state of a Transfer Family server, by its id or its ARN."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - as CDK names it
        *,
        server_id: str,
        desired_state: DesiredState,
        on_delete: OnDelete = OnDelete.RETAIN,
        on_drift: OnDrift = OnDrift.REPORT,
        triggers: Sequence[Any] | Mapping[str, Any] | None = None,
        service_timeout: Duration | None = None,
        service_token: str | None = None,
    ) -> None:
        """Declare it.

        A change of `triggers` asserts the state again. `service_token` is the ARN of the provider's
        function, if not the one that its stack exports. Raises ValueError with all that is not
        valid.
        """
        super().__init__(scope, id)
        properties: dict[str, Any] = {
            "ServerId": server_id,
            "DesiredState": str(desired_state),
            "OnDelete": str(on_delete),
            "OnDrift": str(on_drift),
        }
        if triggers is not None:
            properties["Triggers"] = triggers
        timeout = service_timeout or Duration.hours(1)
        self._check({**properties, "ServiceTimeout": timeout.to_seconds()})
        self._resource = CustomResource(
            self,
            "Resource",
            resource_type=TYPE,
            service_token=service_token or Fn.import_value(EXPORT),
            service_timeout=timeout,
            properties=properties,
        )
        if desired_state == DesiredState.OFFLINE:
            Annotations.of(self).add_info(
                "An OFFLINE server costs as much as one that is ONLINE: AWS bills it until it is "
                "deleted."
            )

    @property
    def server_id(self) -> str:
        """The server's id, even if its ARN was declared."""
        return self._attribute("ServerId")

    @property
    def server_arn(self) -> str:
        """The server's ARN."""
        return self._attribute("Arn")

    @property
    def state(self) -> str:
        """The server's state when the last deployment ended: the desired one."""
        return self._attribute("State")

    @property
    def previous_state(self) -> str:
        """The state in which the last deployment found the server."""
        return self._attribute("PreviousState")

    def _attribute(self, name: str) -> str:
        return str(self._resource.get_att_string(name))

    def _check(self, properties: Mapping[str, Any]) -> None:
        known = {name: v for name, v in properties.items() if not Token.is_unresolved(v)}
        declared = {**_ANY, **known}
        arn = declared["ServerId"] if declared["ServerId"].startswith("arn:") else "arn:::::"
        try:
            parse(declared, Home.of(arn))
        except InvalidDeclarationError as error:
            raise ValueError(f"{self.node.path}: {error}") from error
