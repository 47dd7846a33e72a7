"""Requests, answers and errors are those of botocore's model of the Transfer API.

The model is read here anew, in its own JSON, and not through the emulator.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from local.emulator import Emulator
from local.emulator.operations import OPERATIONS as IMPLEMENTED
from tests.emulator.raw import Wire
from tests.emulator.sftp_lab import new_key
from tests.fakes.account import NO_SERVER, REGION
from tests.fakes.keys import public_key

MODEL = Loader().load_service_model("transfer", "service-2")
SHAPES = MODEL["shapes"]
OPERATIONS = [
    "CreateServer",
    "CreateUser",
    "DeleteServer",
    "DeleteSshPublicKey",
    "DeleteUser",
    "DescribeServer",
    "DescribeUser",
    "ImportSshPublicKey",
    "ListServers",
    "ListTagsForResource",
    "ListUsers",
    "StartServer",
    "StopServer",
    "TagResource",
    "UntagResource",
    "UpdateServer",
    "UpdateUser",
]
ROLE = "arn:aws:iam::000000000000:role/sftp"
# A value for each shape whose pattern or meaning asks for a certain one.
EXAMPLES = {
    "Arn": f"arn:aws:transfer:{REGION}:000000000000:server/{NO_SERVER}",
    "DirectoryId": "d-0123456789",
    "Function": "arn:aws:lambda:eu-west-1:000000000000:function:login",
    "HomeDirectory": "/bucket/home",
    "HomeDirectoryType": "LOGICAL",
    "HostKey": new_key().export_private_key().decode(),
    "IdentityProviderType": "AWS_LAMBDA",
    "MapEntry": "/",
    "MapTarget": "/bucket",
    "NextToken": "WyIiXQ==",
    "NullableRole": ROLE,
    "Role": ROLE,
    "SecurityGroupId": "sg-01234567",
    "SecurityPolicyName": "TransferSecurityPolicy-2024-01",
    "ServerId": NO_SERVER,
    "SshPublicKeyId": "key-0123456789abcdef0",
    "SshPublicKeyBody": f"{public_key('A')} someone",
    "VpcEndpointId": "vpce-0123456789abcdef0",
    "WorkflowId": "w-0123456789abcdef0",
    "UserName": "alice",
}
PYTHON_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "timestamp": float,
    "list": list,
    "structure": dict,
}


def example(name: str) -> Any:
    """Make a full value of a shape."""
    shape = SHAPES[name]
    match shape["type"]:
        case "structure":
            return {key: example(member["shape"]) for key, member in shape["members"].items()}
        case "list":
            return [example(shape["member"]["shape"])]
        case "integer" | "long":
            return shape["min"]
    return EXAMPLES.get(name) or (shape.get("enum") or ["x" * max(shape.get("min", 1), 1)])[0]


def spoilt(name: str) -> Iterator[tuple[str, Any]]:
    """Make values of a shape that each break one constraint; where and which, and the value."""
    shape = SHAPES[name]
    good = example(name)
    kind = shape["type"]
    yield ": type", {"structure": "text", "list": {}}.get(kind, [])
    if kind in {"integer", "long"}:
        yield ": boolean", True
        yield ": min", shape["min"] - 1
        yield ": max", shape["max"] + 1
    elif kind == "structure":
        for key, member in shape["members"].items():
            for what, value in spoilt(member["shape"]):
                yield f".{key}{what}", good | {key: value}
        for key in shape.get("required", []):
            yield f".{key}: required", {k: v for k, v in good.items() if k != key}
            yield f".{key}: null", good | {key: None}
    else:
        if kind == "list":
            for what, value in spoilt(shape["member"]["shape"]):
                yield f"[0]{what}", [value]
        if shape.get("min"):
            yield ": min", good[: shape["min"] - 1]
        if "max" in shape:
            yield ": max", good + good[-1:] * (shape["max"] + 1 - len(good))
        if kind == "string":
            yield from spoilt_text(shape, good)


def spoilt_text(shape: dict[str, Any], good: str) -> Iterator[tuple[str, str]]:
    yield ": text", good[:-1] + "\ud800"
    if "pattern" in shape:
        yield ": pattern", "\0" * len(good)
        yield ": pattern to its end", good[:-2] + "\n\0"
    if "enum" in shape:
        yield ": enum", shape["enum"][0].lower() + "?"


TOLD = {
    "type": "must be of type",
    "boolean": "must be of type",
    "min": "must (be|have length) at least",
    "max": "must (be|have length) at most",
    "text": "must be Unicode text",
    "pattern": "must match",
    "pattern to its end": "must match",
    "enum": "must be one of",
    "required": "is required",
    "null": "is required",
}
BROKEN = [
    pytest.param(operation, what, value, id=operation + what)
    for operation in OPERATIONS
    for what, value in spoilt(MODEL["operations"][operation]["input"]["shape"])
]


def misfits(name: str, value: Any, path: str) -> Iterator[str]:
    """Say where a value is not what its shape says: members, types, constraints."""
    shape = SHAPES[name]
    if not isinstance(value, PYTHON_TYPES[shape["type"]]):
        yield f"{path} is {value!r}"
    elif shape["type"] == "structure":
        members = shape["members"]
        for key in value.keys() - members.keys() | set(shape.get("required", [])) - value.keys():
            yield f"{path}.{key} is too much or missing"
        for key in value.keys() & members.keys():
            yield from misfits(members[key]["shape"], value[key], f"{path}.{key}")
    elif shape["type"] == "list":
        for item in value:
            yield from misfits(shape["member"]["shape"], item, f"{path}[]")
    elif shape["type"] == "string":
        if not re.fullmatch(shape.get("pattern", "(?s).*"), value):
            yield f"{path} is {value!r}"
        if value not in shape.get("enum", [value]):
            yield f"{path} is {value!r}"


@pytest.fixture(scope="module")
def still() -> Iterator[Wire]:
    """Give an emulator that no call here changes."""
    with Emulator() as emulator:
        wire = Wire(emulator.url)
        yield wire
        wire.close()


@pytest.fixture
def request_of(transfer: Any, server_id: str) -> Callable[[str], dict[str, Any]]:
    """Make a request that is carried out, with every member that the model allows."""
    arn = transfer.describe_server(ServerId=server_id)["Server"]["Arn"]
    transfer.tag_resource(Arn=arn, Tags=[{"Key": "team", "Value": "files"}])
    user = example("CreateUserRequest")
    bob = {"ServerId": server_id, "UserName": "bob"}
    transfer.create_user(**user | bob)
    (key,) = transfer.describe_user(**bob)["User"]["SshPublicKeys"]

    def request_of(operation: str) -> dict[str, Any]:
        request: dict[str, Any] = example(f"{operation}Request")
        known = bob | {"Arn": arn, "SshPublicKeyId": key["SshPublicKeyId"]}
        if operation == "CreateUser":
            del known["UserName"]
        if operation == "ImportSshPublicKey":
            known["SshPublicKeyBody"] = public_key("B")
        if operation == "CreateServer":
            # These come later, or with another type of endpoint.
            for name in ("AddressAllocationIds", "VpcEndpointId"):
                del request["EndpointDetails"][name]
            known["EndpointType"] = "VPC"
        if operation == "UpdateServer":
            transfer.stop_server(ServerId=server_id)
            del request["EndpointDetails"]
        return {name: known.get(name, value) for name, value in request.items()}

    return request_of


def test_these_operations_are_implemented() -> None:
    assert sorted(IMPLEMENTED) == OPERATIONS


@pytest.mark.parametrize(("operation", "what", "request_"), BROKEN)
def test_a_request_that_breaks_a_constraint_is_refused(
    still: Wire, operation: str, what: str, request_: Any
) -> None:
    answer = still.call(operation, request_)
    assert answer.status == 400
    assert answer.json["__type"] == "InvalidRequestException"
    where, _, constraint = what.partition(": ")
    place = re.escape(where.removeprefix(".") or "request")
    assert re.search(f"'{place}' {TOLD[constraint]}", answer.json["Message"])


def test_all_that_is_wrong_is_told_at_once_and_no_secret_with_it(still: Wire) -> None:
    answer = still.call("CreateServer", {"HostKey": "secret" * 1000, "Domain": "FTP"})
    assert answer.json["Message"] == (
        "2 validation errors detected: 'FTP' at 'Domain' must be one of S3, EFS; "
        "a sensitive value at 'HostKey' must have length at most 4096"
    )


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"[]", b'"text"', b"null"])
def test_a_body_that_is_no_json_object_is_an_invalid_request(still: Wire, body: bytes) -> None:
    answer = still.call("ListServers", body)
    assert (answer.status, answer.json["__type"]) == (400, "InvalidRequestException")


def test_members_that_the_model_does_not_have_are_ignored(wire: Wire, emulator: Emulator) -> None:
    assert wire.call("CreateServer", {"Colour": "blue", "Domain": None}).status == 200
    assert emulator.calls()[-1].request == {}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_is_what_the_model_says(
    wire: Wire, request_of: Callable[[str], dict[str, Any]], operation: str
) -> None:
    answer = wire.call(operation, request_of(operation))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    output = MODEL["operations"][operation].get("output")
    if output:
        assert list(misfits(output["shape"], answer.json, operation)) == []
    else:
        assert answer.body == b""


@pytest.mark.parametrize(
    ("operation", "given", "shown"),
    [("CreateServer", "DescribeServer", "Server"), ("CreateUser", "DescribeUser", "User")],
)
def test_what_was_given_is_described(
    wire: Wire,
    request_of: Callable[[str], dict[str, Any]],
    operation: str,
    given: str,
    shown: str,
) -> None:
    request = request_of(operation)
    keys = wire.call(operation, request).json
    described = wire.call(given, keys).json[shown]
    shape = SHAPES[MODEL["operations"][given]["output"]["shape"]]["members"][shown]["shape"]
    expected = {
        name: value for name, value in (request | keys).items() if name in SHAPES[shape]["members"]
    }
    if operation == "CreateServer":
        # AWS tells a VPC endpoint's id, and leaves its security groups to EC2.
        del expected["EndpointDetails"]["SecurityGroupIds"]
        expected["EndpointDetails"]["VpcEndpointId"] = described["EndpointDetails"]["VpcEndpointId"]
    assert expected.items() <= described.items()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_modelled_error_reaches_boto3_with_its_code_status_and_fields(
    emulator: Emulator,
    transfer: Any,
    request_of: Callable[[str], dict[str, Any]],
    operation: str,
) -> None:
    request = request_of(operation)
    for code in (error["shape"] for error in MODEL["operations"][operation]["errors"]):
        emulator.set(faults=[{"operation": operation, "error": code, "retry_after_s": "7"}])
        with pytest.raises(getattr(transfer.exceptions, code)) as raised:
            getattr(transfer, xform_name(operation))(**request)
        response = raised.value.response
        assert response["Error"]["Code"] == code
        status = 500 if code in {"InternalServiceError", "ServiceUnavailableException"} else 400
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
        members = set(SHAPES[code]["members"])
        assert response.keys() - {"Error", "ResponseMetadata"} == members
        if code == "ThrottlingException":
            assert members == {"RetryAfterSeconds"}
            assert response["RetryAfterSeconds"] == "7"
            assert response["Error"]["Message"] == ""
        else:
            assert response["Message"] == response["Error"]["Message"] == "Injected fault"


def test_an_error_that_the_model_does_not_have_can_be_raised_with_a_status(
    emulator: Emulator, transfer: Any
) -> None:
    emulator.set(faults=[{"error": "ExpiredTokenException", "status": 403, "message": "Old."}])
    with pytest.raises(ClientError) as raised:
        transfer.list_servers()
    assert raised.value.response["Error"] == {"Code": "ExpiredTokenException", "Message": "Old."}
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_other_operations_of_the_model_say_that_they_are_not_here(still: Wire) -> None:
    others = MODEL["operations"].keys() - set(OPERATIONS)
    assert len(others) > 50
    for operation in others:
        answer = still.call(operation, {})
        assert answer.status == 501
        assert answer.json == {
            "__type": "NotImplemented",
            "Message": f"The emulator has no {operation}",
        }


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("TransferService", "RestartServer"),
        ("TransferService", ""),
        ("Transfer", "ListServers"),
        ("TransferService", "ListServers "),
    ],
)
def test_a_target_that_the_model_does_not_have_is_unknown(
    still: Wire, service: str, operation: str
) -> None:
    answer = still.call(operation, {}, service)
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == answer.json["__type"]
    assert answer.json["__type"] == "UnknownOperationException"


def test_a_request_without_a_target_is_unknown(still: Wire) -> None:
    assert json.loads(still.send("POST", "/", b"{}").body)["__type"] == "UnknownOperationException"
