"""Servers, users and tags are kept, listed in pages and removed, each region for itself."""

import base64
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from math import inf
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.emulator import Emulator
from tests.emulator.raw import Wire
from tests.fakes.account import NO_SERVER, REGION
from tests.fakes.clock import Clock
from tests.fakes.keys import public_key

ROLE = "arn:aws:iam::000000000000:role/sftp"


def test_an_id_and_an_arn_look_like_the_real_ones(
    emulator: Emulator, connect: Callable[..., Any]
) -> None:
    emulator.set(account_id="123456789012")
    transfer = connect(region_name="ap-southeast-2")
    server_id = transfer.create_server()["ServerId"]
    assert set(server_id.removeprefix("s-")) <= set("0123456789abcdef")
    assert len(server_id) == 19
    server = transfer.describe_server(ServerId=server_id)["Server"]
    assert server["Arn"] == f"arn:aws:transfer:ap-southeast-2:123456789012:server/{server_id}"
    transfer.create_user(ServerId=server_id, UserName="alice", Role=ROLE)
    user = transfer.describe_user(ServerId=server_id, UserName="alice")["User"]
    assert user["Arn"] == f"arn:aws:transfer:ap-southeast-2:123456789012:user/{server_id}/alice"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("moon-north-1", "aws"),
    ],
)
def test_an_arn_is_of_the_partition_of_its_region(
    connect: Callable[..., Any], region: str, partition: str
) -> None:
    transfer = connect(region_name=region)
    server_id = transfer.create_server()["ServerId"]
    arn = transfer.describe_server(ServerId=server_id)["Server"]["Arn"]
    assert arn == f"arn:{partition}:transfer:{region}:000000000000:server/{server_id}"
    transfer.create_user(ServerId=server_id, UserName="alice", Role=ROLE)
    user = transfer.describe_user(ServerId=server_id, UserName="alice")["User"]
    assert user["Arn"].startswith(f"arn:{partition}:transfer:{region}:")


def test_a_call_that_is_not_signed_is_of_the_default_region(wire: Wire, transfer: Any) -> None:
    target = {"X-Amz-Target": "TransferService.CreateServer"}
    server_id = wire.send("POST", "/", b"{}", **target).json["ServerId"]
    listing = {"X-Amz-Target": "TransferService.ListServers"}
    (server,) = wire.send("POST", "/", b"{}", **listing).json["Servers"]
    assert server["Arn"] == f"arn:aws:transfer:us-east-1:000000000000:server/{server_id}"
    assert transfer.list_servers()["Servers"] == []


def test_a_region_knows_nothing_of_another_s_servers(connect: Callable[..., Any]) -> None:
    here, there = connect(region_name="eu-west-1"), connect(region_name="us-gov-west-1")
    server_id = here.create_server()["ServerId"]
    arn = here.describe_server(ServerId=server_id)["Server"]["Arn"]
    assert there.list_servers()["Servers"] == []
    for ask, arguments in (
        (there.describe_server, {"ServerId": server_id}),
        (there.stop_server, {"ServerId": server_id}),
        (there.tag_resource, {"Arn": arn, "Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        with pytest.raises(there.exceptions.ResourceNotFoundException):
            ask(**arguments)
    assert [each["ServerId"] for each in here.list_servers()["Servers"]] == [server_id]


@pytest.fixture
def lists(transfer: Any, server_id: str) -> dict[str, Any]:
    """Make five of everything; each list's paginator, its arguments, where its items are."""
    arn = transfer.describe_server(ServerId=server_id)["Server"]["Arn"]
    for number in range(5):
        if number:
            transfer.create_server()
        transfer.create_user(ServerId=server_id, UserName=f"user{number}", Role=ROLE)
        transfer.tag_resource(Arn=arn, Tags=[{"Key": f"key{number}", "Value": ""}])
    return {
        "list_servers": ({}, "Servers", "ServerId"),
        "list_users": ({"ServerId": server_id}, "Users", "UserName"),
        "list_tags_for_resource": ({"Arn": arn}, "Tags", "Key"),
    }


LISTS = ["list_servers", "list_users", "list_tags_for_resource"]


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, None])
def test_a_list_comes_in_pages_of_at_most_the_size_asked_for(
    transfer: Any, lists: dict[str, Any], operation: str, size: int | None
) -> None:
    arguments, items, key = lists[operation]
    pages = list(
        transfer.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
    )
    sizes = [len(page[items]) for page in pages]
    size = size or 1000
    assert sizes == [size] * (5 // size) + [5 % size] * (5 % size > 0)
    assert len({item[key] for page in pages for item in page[items]}) == 5


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize(
    "token", ["x", "!", "e30=", base64.b64encode(b"[1, 2]").decode(), "\u00fc"]
)
def test_a_token_that_was_not_given_out_is_refused(
    transfer: Any, lists: dict[str, Any], operation: str, token: str
) -> None:
    arguments, *_ = lists[operation]
    with pytest.raises(transfer.exceptions.InvalidNextTokenException):
        getattr(transfer, operation)(**arguments, NextToken=token)


def test_what_goes_between_two_pages_hides_nothing_else(transfer: Any) -> None:
    ids = sorted(transfer.create_server()["ServerId"] for _ in range(4))
    page = transfer.list_servers(MaxResults=2)
    for gone in ids[:2]:
        transfer.delete_server(ServerId=gone)
    rest = transfer.list_servers(NextToken=page["NextToken"])
    assert [each["ServerId"] for each in rest["Servers"]] == ids[2:]
    assert "NextToken" not in rest


def test_a_server_counts_its_users_and_lists_their_keys(transfer: Any, server_id: str) -> None:
    key = f"{public_key('A')} someone"
    transfer.create_user(ServerId=server_id, UserName="alice", Role=ROLE, SshPublicKeyBody=key)
    transfer.create_user(ServerId=server_id, UserName="bob", Role=ROLE)
    assert transfer.describe_server(ServerId=server_id)["Server"]["UserCount"] == 2
    assert {
        user["UserName"]: user["SshPublicKeyCount"]
        for user in transfer.list_users(ServerId=server_id)["Users"]
    } == {"alice": 1, "bob": 0}
    (shown,) = transfer.describe_user(ServerId=server_id, UserName="alice")["User"]["SshPublicKeys"]
    assert shown["SshPublicKeyBody"] == key
    assert shown["DateImported"].year >= 2025
    transfer.delete_user(ServerId=server_id, UserName="bob")
    assert transfer.describe_server(ServerId=server_id)["Server"]["UserCount"] == 1


def test_a_user_s_name_is_taken_once(transfer: Any, server_id: str) -> None:
    alice = {"ServerId": server_id, "UserName": "alice"}
    transfer.create_user(**alice, Role=ROLE)
    with pytest.raises(transfer.exceptions.ResourceExistsException) as raised:
        transfer.create_user(**alice, Role=ROLE)
    assert raised.value.response["Resource"] == "alice"
    transfer.delete_user(**alice)
    with pytest.raises(transfer.exceptions.ResourceNotFoundException) as gone:
        transfer.describe_user(**alice)
    assert gone.value.response["Resource"] == "alice"
    assert gone.value.response["ResourceType"] == "User"


def test_a_resource_holds_no_more_tags_than_the_model_allows(transfer: Any, server_id: str) -> None:
    arn = transfer.describe_server(ServerId=server_id)["Server"]["Arn"]
    tags = [{"Key": str(number), "Value": ""} for number in range(50)]
    transfer.tag_resource(Arn=arn, Tags=tags)
    transfer.tag_resource(Arn=arn, Tags=tags[:1])
    with pytest.raises(transfer.exceptions.InvalidRequestException):
        transfer.tag_resource(Arn=arn, Tags=[{"Key": "one more", "Value": ""}])
    assert len(transfer.list_tags_for_resource(Arn=arn)["Tags"]) == 50


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:transfer:{REGION}:000000000000:server/{NO_SERVER}",
        f"arn:aws:transfer:{REGION}:000000000000:user/{{}}/nobody",
        f"arn:aws:transfer:{REGION}:111111111111:server/{{}}",
        "arn:aws:transfer:us-east-1:000000000000:server/{}",
        f"arn:aws:transfer:{REGION}:000000000000:workflow/{{}}",
        "arn:aws:s3:::a-bucket-of-a-name",
    ],
)
def test_an_arn_of_nothing_here_is_refused(transfer: Any, server_id: str, arn: str) -> None:
    arn = arn.format(server_id)
    tag = {"Key": "a", "Value": "b"}
    with pytest.raises(transfer.exceptions.ResourceNotFoundException):
        transfer.tag_resource(Arn=arn, Tags=[tag])
    with pytest.raises(transfer.exceptions.ResourceNotFoundException):
        transfer.untag_resource(Arn=arn, TagKeys=["a"])
    # The model lists no ResourceNotFoundException for it.
    with pytest.raises(transfer.exceptions.InvalidRequestException):
        transfer.list_tags_for_resource(Arn=arn)


@dataclass
class Expected:
    """What a server should be: the simplest account of it."""

    state: str = "ONLINE"
    due_s: float = inf
    goal: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    users: dict[str, dict[str, str]] = field(default_factory=dict)

    def begin(self, through: str, goal: str, due_s: float) -> None:
        if self.due_s == inf and self.state != goal:
            self.state, self.goal, self.due_s = through, goal, due_s

    def settle(self, now_s: float) -> None:
        if self.due_s <= now_s:
            self.state, self.due_s = self.goal, inf


WHICH = st.integers(0, 1)
NAMES = st.sampled_from(["alice", "bob"])
KEYS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("sleep"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["create", "delete", "stop", "start"]), WHICH),
    st.tuples(st.sampled_from(["create_user", "delete_user"]), WHICH, NAMES),
    st.tuples(st.sampled_from(["tag", "untag"]), WHICH, st.none() | NAMES, KEYS),
)
STOP_S, START_S = 3, 2


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=30))
def test_any_sequence_of_calls_leaves_what_the_simplest_account_of_it_says(
    session: boto3.Session, steps: list[tuple[Any, ...]]
) -> None:
    clock = Clock()
    with (
        Emulator(now=clock.now, stop_s=STOP_S, start_s=START_S) as emulator,
        closing(session.client("transfer", endpoint_url=emulator.url)) as transfer,
    ):
        ids: dict[int, str] = {}
        expected: dict[str, Expected] = {}
        for step, which, *more in steps:
            if step == "sleep":
                clock.sleep(which)
            elif step == "create":
                ids[which] = transfer.create_server()["ServerId"]
                expected[ids[which]] = Expected()
            elif ids.get(which, NO_SERVER) not in expected:
                with pytest.raises(transfer.exceptions.ResourceNotFoundException):
                    transfer.describe_server(ServerId=ids.get(which, NO_SERVER))
            else:
                take(transfer, expected, ids[which], clock.now(), (step, *more))
            for server in expected.values():
                server.settle(clock.now())
            assert observed(transfer) == {
                key: (each.state, each.tags, each.users) for key, each in expected.items()
            }


def take(
    transfer: Any,
    expected: dict[str, Expected],
    server_id: str,
    now_s: float,
    action: tuple[Any, ...],
) -> None:
    """Take a step with a server that there is, and do the same to what is expected."""
    step, user, key = (*action, None, None)[:3]
    server = expected[server_id]
    name = {"ServerId": server_id, "UserName": user}
    absent = user is not None and user not in server.users
    tags = server.users.get(user, {}) if user else server.tags
    path = f"user/{server_id}/{user}" if user else f"server/{server_id}"
    arn = f"arn:aws:transfer:{REGION}:000000000000:{path}"
    not_found = pytest.raises(transfer.exceptions.ResourceNotFoundException)
    match step:
        case "delete":
            transfer.delete_server(ServerId=server_id)
            del expected[server_id]
        case "stop":
            transfer.stop_server(ServerId=server_id)
            server.begin("STOPPING", "OFFLINE", now_s + STOP_S)
        case "start":
            transfer.start_server(ServerId=server_id)
            server.begin("STARTING", "ONLINE", now_s + START_S)
        case "create_user":
            taken = pytest.raises(transfer.exceptions.ResourceExistsException)
            with nullcontext() if absent else taken:
                transfer.create_user(**name, Role=ROLE)
                server.users[user] = {}
        case "delete_user":
            with not_found if absent else nullcontext():
                transfer.delete_user(**name)
                del server.users[user]
        case "tag":
            with not_found if absent else nullcontext():
                transfer.tag_resource(Arn=arn, Tags=[{"Key": key, "Value": f"{now_s}"}])
                tags[key] = f"{now_s}"
        case "untag":
            with not_found if absent else nullcontext():
                transfer.untag_resource(Arn=arn, TagKeys=[key])
                tags.pop(key, None)


def observed(transfer: Any) -> dict[str, Any]:
    """Read everything back."""
    return {
        listed["ServerId"]: (
            listed["State"],
            tags_of(transfer.describe_server(ServerId=listed["ServerId"])["Server"]),
            {
                user["UserName"]: tags_of(transfer.list_tags_for_resource(Arn=user["Arn"]))
                for user in transfer.list_users(ServerId=listed["ServerId"])["Users"]
            },
        )
        for listed in transfer.list_servers()["Servers"]
    }


def tags_of(holder: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in holder["Tags"]}
