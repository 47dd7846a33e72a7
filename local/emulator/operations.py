"""The API's operations by name: plain functions of a call, over the servers that there are.

Requests were checked against the model before, and answers are cut to its shapes after; an
operation raises only errors that the model lists for it, but for the ConflictException of a
setting. None knows HTTP, faults or the clock.
"""

from collections.abc import Callable

from local.emulator.servers import (
    create_server,
    delete_server,
    describe_server,
    list_servers,
    start_server,
    stop_server,
    update_server,
)
from local.emulator.tags import list_tags_for_resource, tag_resource, untag_resource
from local.emulator.users import (
    create_user,
    delete_ssh_public_key,
    delete_user,
    describe_user,
    import_ssh_public_key,
    list_users,
    update_user,
)
from local.emulator.world import Answer, Call

OPERATIONS: dict[str, Callable[[Call], Answer]] = {
    "CreateServer": create_server,
    "DescribeServer": describe_server,
    "ListServers": list_servers,
    "StartServer": start_server,
    "StopServer": stop_server,
    "DeleteServer": delete_server,
    "UpdateServer": update_server,
    "CreateUser": create_user,
    "DescribeUser": describe_user,
    "ListUsers": list_users,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
    "ImportSshPublicKey": import_ssh_public_key,
    "DeleteSshPublicKey": delete_ssh_public_key,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}

# After these a server's endpoint may have to open or close.
CHANGE_SERVERS = {"CreateServer", "StartServer", "StopServer", "DeleteServer", "UpdateServer"}
