"""The operations on a server's users."""

import secrets

from local.emulator.model import error
from local.emulator.pages import page
from local.emulator.tags import read_tags, tag_list
from local.emulator.world import Answer, Call, User


def create_user(call: Call) -> Answer:
    """Make a user, with a key or without."""
    server = call.server
    request = {"HomeDirectoryType": "PATH"} | call.request
    name = request["UserName"]
    if name in server.users:
        raise error("ResourceExistsException", "User exists", Resource=name, ResourceType="User")
    request["Arn"] = f"{server.properties['Arn'].replace(':server/', ':user/')}/{name}"
    if key := request.pop("SshPublicKeyBody", None):
        request["SshPublicKeys"] = [
            {
                "DateImported": call.epoch_s,
                "SshPublicKeyBody": key,
                "SshPublicKeyId": f"key-{secrets.token_hex(9)[:17]}",
            }
        ]
    server.users[name] = User(request, read_tags(request.pop("Tags", [])))
    return {"ServerId": server.server_id, "UserName": name}


def describe_user(call: Call) -> Answer:
    """Describe a user and its keys."""
    user = call.user
    return {
        "ServerId": call.request["ServerId"],
        "User": {"SshPublicKeys": []} | user.properties | {"Tags": tag_list(user.tags)},
    }


def list_users(call: Call) -> Answer:
    """List a server's users."""
    server = call.server
    keys, token = page(call, server.users)
    users = [server.users[name].properties for name in keys]
    return {
        "ServerId": server.server_id,
        "Users": [
            user | {"SshPublicKeyCount": len(user.get("SshPublicKeys", []))} for user in users
        ],
        "NextToken": token,
    }


def delete_user(call: Call) -> Answer:
    """Delete a user and its keys."""
    user = call.user
    del call.server.users[user.properties["UserName"]]
    return {}
