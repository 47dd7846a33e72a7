"""The operations on a server's users and their keys."""

import secrets
from typing import Any

from local.emulator.keys import public_blob
from local.emulator.model import error, limit
from local.emulator.pages import page
from local.emulator.tags import read_tags, tag_list
from local.emulator.world import Answer, Call, User, unknown


def create_user(call: Call) -> Answer:
    """Make a user, with a key or without."""
    server = call.server
    if server.properties["IdentityProviderType"] != "SERVICE_MANAGED":
        raise error("InvalidRequestException", "Users are for servers that are SERVICE_MANAGED")
    request = {"HomeDirectoryType": "PATH", "SshPublicKeys": []} | call.request
    name = request["UserName"]
    if name in server.users:
        raise error("ResourceExistsException", "User exists", Resource=name, ResourceType="User")
    _check_home(request)
    request["Arn"] = f"{server.properties['Arn'].replace(':server/', ':user/')}/{name}"
    if key := request.pop("SshPublicKeyBody", None):
        request["SshPublicKeys"] = [_key(call, key)]
    server.users[name] = User(request, read_tags(request.pop("Tags", [])))
    return {"ServerId": server.server_id, "UserName": name}


def update_user(call: Call) -> Answer:
    """Change what a user is; who is logged in goes on as before."""
    before, given = call.user.properties, call.request
    after = before | given
    if given.get("HomeDirectoryType") == "PATH":
        after["HomeDirectoryMappings"] = given.get("HomeDirectoryMappings")
    _check_home(after)
    call.user.properties = after
    return {"ServerId": call.request["ServerId"], "UserName": call.request["UserName"]}


def describe_user(call: Call) -> Answer:
    """Describe a user and its keys."""
    user = call.user
    return {
        "ServerId": call.request["ServerId"],
        "User": user.properties | {"Tags": tag_list(user.tags)},
    }


def list_users(call: Call) -> Answer:
    """List a server's users."""
    server = call.server
    keys, token = page(call, server.users)
    users = [server.users[name].properties for name in keys]
    return {
        "ServerId": server.server_id,
        "Users": [user | {"SshPublicKeyCount": len(user["SshPublicKeys"])} for user in users],
        "NextToken": token,
    }


def delete_user(call: Call) -> Answer:
    """Delete a user and its keys."""
    user = call.user
    del call.server.users[user.properties["UserName"]]
    return {}


def import_ssh_public_key(call: Call) -> Answer:
    """Give a user one more key to log in with."""
    user = call.user
    name = call.request["UserName"]
    keys = user.properties["SshPublicKeys"]
    key = _key(call, call.request["SshPublicKeyBody"])
    if _blob(key) in map(_blob, keys):
        raise error("ResourceExistsException", "Key exists", Resource=name, ResourceType="User")
    if len(keys) == limit("SshPublicKeys"):
        raise error("InvalidRequestException", f"A user has at most {len(keys)} keys")
    user.properties = user.properties | {"SshPublicKeys": [*keys, key]}
    return {
        "ServerId": call.request["ServerId"],
        "SshPublicKeyId": key["SshPublicKeyId"],
        "UserName": name,
    }


def delete_ssh_public_key(call: Call) -> Answer:
    """Take a key from a user."""
    user = call.user
    keys = user.properties["SshPublicKeys"]
    left = [key for key in keys if key["SshPublicKeyId"] != call.request["SshPublicKeyId"]]
    if len(left) == len(keys):
        raise unknown("SshPublicKey", call.request["SshPublicKeyId"])
    user.properties = user.properties | {"SshPublicKeys": left}
    return {}


def _key(call: Call, body: str) -> dict[str, Any]:
    public_blob(body)  # or it is refused
    return {
        "DateImported": call.epoch_s,
        "SshPublicKeyBody": body,
        "SshPublicKeyId": f"key-{secrets.token_hex(9)[:17]}",
    }


def _blob(key: dict[str, Any]) -> bytes:
    return public_blob(key["SshPublicKeyBody"])


def _check_home(user: dict[str, Any]) -> None:
    entries = [mapping["Entry"] for mapping in user.get("HomeDirectoryMappings") or []]
    if user["HomeDirectoryType"] != "LOGICAL":
        if entries:
            raise error("InvalidRequestException", "HomeDirectoryMappings need the type LOGICAL")
        return
    if not entries:
        raise error("InvalidRequestException", "LOGICAL needs HomeDirectoryMappings")
    if "/" in entries and len(entries) > 1:
        raise error("InvalidRequestException", "A mapping of / is the only one")
