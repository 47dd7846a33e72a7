"""The operations on tags, of servers and of users."""

from local.emulator.model import ApiError, error, limit
from local.emulator.pages import page
from local.emulator.world import Answer, Call, Server, User, find_server, find_user, unknown


def tag_resource(call: Call) -> Answer:
    """Give a server or a user more tags."""
    tags = _tagged(call).tags
    after = tags | read_tags(call.request["Tags"])
    if len(after) > limit("Tags"):
        raise error("InvalidRequestException", f"A resource has at most {limit('Tags')} tags")
    tags |= after
    return {}


def untag_resource(call: Call) -> Answer:
    """Take tags away."""
    tags = _tagged(call).tags
    for key in call.request["TagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_resource(call: Call) -> Answer:
    """List the tags of a server or a user."""
    try:
        tags = _tagged(call).tags
    except ApiError as cause:
        # The model gives this operation no ResourceNotFoundException.
        raise error("InvalidRequestException", cause.fields["Message"]) from None
    keys, token = page(call, tags)
    return {
        "Arn": call.request["Arn"],
        "Tags": tag_list({key: tags[key] for key in keys}),
        "NextToken": token,
    }


def read_tags(listed: list[dict[str, str]]) -> dict[str, str]:
    """Read the API's list of tags."""
    return {tag["Key"]: tag["Value"] for tag in listed}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Write the API's list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _tagged(call: Call) -> Server | User:
    """Find what an ARN names: ...:server/ID, or ...:user/ID/NAME."""
    arn: str = call.request["Arn"]
    kind, server_id, name = (arn.rpartition(":")[2] + "//").split("/")[:3]
    server = find_server(call, server_id)
    found = find_user(server, name) if kind == "user" else server
    if found.properties["Arn"] != arn:
        raise unknown("Resource", arn)
    return found
