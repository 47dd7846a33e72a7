"""AWS::Transfer::Server and AWS::Transfer::User, as AWS's own handlers have them behave.

Each type has create, update and delete over the Transfer API; a physical id is an ARN. It must not
know which engine calls it, nor what else is in a stack.
"""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Properties = dict[str, Any]
# A physical id, and what Fn::GetAtt returns.
Made = tuple[str, Properties]

LOOK_EVERY_S = 0.25
# An endpoint that is not ready: AWS tries as often, but 15 s apart.
_MOST_TRIES = 30
_SERVER_DEFAULTS = {
    "EndpointType": "PUBLIC",
    "IdentityProviderType": "SERVICE_MANAGED",
    "Protocols": ["SFTP"],
    "SecurityPolicyName": "TransferSecurityPolicy-2018-11",
}
# What is declared no longer is taken away by an update that has it empty.
_SERVER_EMPTY = {
    "LoggingRole": "",
    "PostAuthenticationLoginBanner": "",
    "PreAuthenticationLoginBanner": "",
    "StructuredLogDestinations": [],
    "WorkflowDetails": {"OnUpload": [], "OnPartialUpload": []},
}
_USER_DEFAULTS = {"HomeDirectoryType": "PATH"}


class UnfinishedError(Exception):
    """A creation that failed and left something: its `physical_id` is to be deleted."""

    def __init__(self, physical_id: str, why: object) -> None:
        super().__init__(str(why))
        self.physical_id = physical_id


class _Type:
    """What both types share: calls, and tags."""

    name: str
    create_only: tuple[str, ...]

    def __init__(self, client: Callable[[], Any], sleep: Callable[[float], None] = time.sleep):
        self._client = client
        self._sleep = sleep

    def _call(self, operation: str, **request: Any) -> Any:
        call = getattr(self._client(), operation)
        for _ in range(_MOST_TRIES):
            try:
                return call(**request)
            except ClientError as error:
                if _code(error) != "ConflictException":
                    raise
                self._sleep(LOOK_EVERY_S)
        return call(**request)

    def _delete(self, operation: str, **names: str) -> None:
        try:
            self._call(operation, **names)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise

    def _tag(self, arn: str, old: Properties, new: Properties) -> None:
        before, after = _tags(old), _tags(new)
        if added := [{"Key": k, "Value": v} for k, v in after.items() if before.get(k) != v]:
            self._call("tag_resource", Arn=arn, Tags=added)
        if removed := [key for key in before if key not in after]:
            self._call("untag_resource", Arn=arn, TagKeys=removed)


class ServerType(_Type):
    """A server, which each creation and each update leaves ONLINE."""

    name = "AWS::Transfer::Server"
    create_only = ("Domain", "IdentityProviderType")

    def create(self, properties: Properties) -> Made:
        """Make a server and wait until it is ONLINE, with its addresses."""
        request: Properties = _SERVER_DEFAULTS | properties
        if details := request.get("EndpointDetails"):
            request["EndpointDetails"] = _without(details, "AddressAllocationIds")
        server_id = self._call("create_server", **request)["ServerId"]
        arn = self._describe(server_id)["Arn"]
        try:
            return arn, self._online(server_id, properties)
        except Exception as error:
            raise UnfinishedError(arn, error) from error

    def update(self, arn: str, old: Properties, new: Properties) -> Made:
        """Update it; whatever that is, start it if it is OFFLINE, and wait until it is ONLINE."""
        server_id = _names(arn)[0]
        request = _without(
            _SERVER_DEFAULTS | _SERVER_EMPTY | new, *self.create_only, "EndpointDetails", "Tags"
        )
        details = _without(new.get("EndpointDetails", {}), "SecurityGroupIds")
        if _addresses(old) != _addresses(new):
            # They want it OFFLINE, and so come later.
            details = _without(details, "AddressAllocationIds", "SubnetIds")
        if details:
            request["EndpointDetails"] = details
        self._call("update_server", ServerId=server_id, **request)
        attributes = self._online(server_id, new)
        self._tag(arn, old, new)
        return arn, attributes

    def delete(self, arn: str) -> None:
        """Delete it in whatever state, if it is still there."""
        self._delete("delete_server", ServerId=_names(arn)[0])

    def _online(self, server_id: str, properties: Properties) -> Properties:
        """Wait until it is ONLINE with the subnets and addresses declared; stop it for those."""
        while True:
            server = self._describe(server_id)
            missing = _missing(server, properties)
            match server["State"]:
                case "ONLINE" if not missing:
                    return _attributes(server)
                case "ONLINE":
                    self._call("stop_server", ServerId=server_id)
                case "OFFLINE" if missing:
                    self._call("update_server", ServerId=server_id, EndpointDetails=missing)
                case "OFFLINE":
                    self._call("start_server", ServerId=server_id)
                case "START_FAILED" | "STOP_FAILED" as state:
                    raise RuntimeError(f"{self.name} {server_id} did not stabilize: {state}.")
            self._sleep(LOOK_EVERY_S)

    def _describe(self, server_id: str) -> Properties:
        return dict(self._call("describe_server", ServerId=server_id)["Server"])


class UserType(_Type):
    """A user of a server, with its public keys."""

    name = "AWS::Transfer::User"
    create_only = ("ServerId", "UserName")

    def create(self, properties: Properties) -> Made:
        """Make a user, then import its keys one by one."""
        names = {name: properties[name] for name in self.create_only}
        self._call("create_user", **_USER_DEFAULTS | _without(properties, "SshPublicKeys"))
        arn = self._call("describe_user", **names)["User"]["Arn"]
        try:
            self._import(names, properties.get("SshPublicKeys", []))
        except Exception as error:
            raise UnfinishedError(arn, error) from error
        return arn, {"Arn": arn}

    def update(self, arn: str, old: Properties, new: Properties) -> Made:
        """Update it, delete the keys that are declared no longer, and import the new ones."""
        names = {name: new[name] for name in self.create_only}
        self._call("update_user", **_USER_DEFAULTS | _without(new, "SshPublicKeys", "Tags"))
        before, after = (each.get("SshPublicKeys", []) for each in (old, new))
        for key in self._call("describe_user", **names)["User"]["SshPublicKeys"]:
            body = key["SshPublicKeyBody"]
            if body in before and body not in after:
                key_id = key["SshPublicKeyId"]
                self._call("delete_ssh_public_key", **names, SshPublicKeyId=key_id)
        self._import(names, [body for body in after if body not in before])
        self._tag(arn, old, new)
        return arn, {"Arn": arn}

    def delete(self, arn: str) -> None:
        """Delete it, if it and its server are still there."""
        server_id, user_name = _names(arn)
        self._delete("delete_user", ServerId=server_id, UserName=user_name)

    def _import(self, names: dict[str, str], bodies: list[str]) -> None:
        for body in bodies:
            self._call("import_ssh_public_key", **names, SshPublicKeyBody=body)


def _missing(server: Properties, declared: Properties) -> Properties:
    """Return the next change of its subnets and addresses: none of the former under the latter."""
    found, wanted = (each.get("EndpointDetails", {}) for each in (server, declared))
    subnets, addresses = wanted.get("SubnetIds", []), _addresses(declared)
    if subnets != found.get("SubnetIds", []):
        return {"AddressAllocationIds": []} if _addresses(server) else {"SubnetIds": subnets}
    if addresses != _addresses(server):
        return {"AddressAllocationIds": addresses, "SubnetIds": subnets}
    return {}


def _attributes(server: Properties) -> Properties:
    egress = "As2ServiceManagedEgressIpAddresses"
    return {name: server[name] for name in ("Arn", "ServerId", "State")} | {
        egress: server.get(egress, [])
    }


def _addresses(properties: Properties) -> list[str]:
    return list(properties.get("EndpointDetails", {}).get("AddressAllocationIds", []))


def _names(arn: str) -> list[str]:
    """Return the names in an ARN: ...:server/ID, or ...:user/ID/NAME."""
    return arn.split("/")[1:]


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


def _without(properties: Properties, *names: str) -> Properties:
    return {name: value for name, value in properties.items() if name not in names}


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
