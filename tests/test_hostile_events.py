"""Events that nobody should send: each is clearly refused, or gets exactly one clean answer.

No exception escapes where an answer is owed, nothing is PUT to a place that is not the request's
own, and the query of the ResponseURL is in no log record and no exception.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from handler.cloudformation import NotARequestError
from handler.delivery import DeliveryError
from tests.fakes.account import ACCOUNT, REGION, SECRET, STACK, TABLE
from tests.fakes.faulty_account import FaultyAccount
from tests.fakes.wire import Wire

hostile = settings(derandomize=True, database=None, deadline=None, max_examples=40)

TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
IDS = ("StackId", "RequestId", "LogicalResourceId")
FIELDS = (
    *IDS,
    *("RequestType", "ResponseURL", "ResourceType", "PhysicalResourceId"),
    *("ResourceProperties", "OldResourceProperties", "Continuation", "tf"),
    *("CrHelperPoll", "CrHelperData", "CrHelperRule", "CrHelperPermission"),
)
PROPERTIES = (
    *("ServerId", "DesiredState", "OnDelete", "Triggers", "ServiceTimeout", "ServiceToken"),
    *("Serverid", "__class__", ""),
)
# What a row of the registry holds, and texts that may stand there in place of what does.
ROW = (
    *("Owner", "Desired", "Found", "Request", "SentAt", "DeclaredAt", "Past", "Progress"),
    *("Answer", "Held", "Restoring", "Released", "ExpiresAt", "Version"),
)
ROW_TEXT = st.sampled_from(["", "{}", "[]", "null", "[1", "ONLINE", "1", "/", "nan"]) | TEXT.map(
    lambda text: text.encode(errors="ignore").decode()
)
CALLERS = st.sampled_from(["Create", "Update", "Delete"])
SERVER_ID = re.compile(r"s-[0-9a-f]{17}")


class Records(logging.Handler):
    """All that is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + repr(record.__dict__)


@contextmanager
def everything_logged() -> Iterator[Records]:
    names = ("", "crhelper", "crhelper.resource_helper", "handler", "botocore", "urllib3")
    records, levels = Records(), {name: logging.getLogger(name).level for name in names}
    logging.getLogger().addHandler(records)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        logging.getLogger().removeHandler(records)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def valid(account: FaultyAccount, request_type: str) -> dict[str, Any]:
    event = account.request(request_type, DesiredState="OFFLINE", ServiceTimeout="120")
    if request_type != "Create":
        event["PhysicalResourceId"] = f"{account.server_id}:from-ONLINE"
    return event


def is_owed_an_answer(event: object) -> bool:
    return (
        isinstance(event, dict)
        and event.get("RequestType") in ["Create", "Update", "Delete"]
        and all(isinstance(event.get(name), str) and event[name] for name in (*IDS, "ResponseURL"))
        and event["ResponseURL"].startswith("https://response.example.com/")
    )


def check(account: FaultyAccount, event: Any) -> dict[str, Any] | None:
    """Handle an event, see that all promises are kept, and return the answer if there is one."""
    refusal: Exception | None = None
    with everything_logged() as records:
        try:
            account.settle(event)
        except (NotARequestError, DeliveryError) as error:
            refusal = error
    assert SECRET not in records.text + "".join(traceback.format_exception(refusal))
    assert len(account.commands) <= 1
    for call in account.transfer.calls()[1:]:
        assert SERVER_ID.fullmatch(call.request["ServerId"])
    if not is_owed_an_answer(event):
        assert isinstance(refusal, NotARequestError)
        assert (account.puts, account.calls) == ([], [])
        return None
    if isinstance(refusal, DeliveryError):
        ids = [event[name] for name in IDS] + [event.get("PhysicalResourceId")]
        assert len(json.dumps(ids)) > 3000, refusal
        return None
    assert refusal is None
    ((_, url, body),) = account.puts
    assert url == event["ResponseURL"]
    assert len(body) <= 4096
    assert SECRET.encode() not in body
    answer: dict[str, Any] = json.loads(body)
    for name in IDS:
        assert answer[name] == event[name]
    assert isinstance(answer["PhysicalResourceId"], str)
    assert answer["PhysicalResourceId"]
    assert isinstance(answer["Reason"], str)
    assert answer["Reason"]
    assert answer["Status"] in {"SUCCESS", "FAILED"}
    if answer["Status"] == "SUCCESS" and event["RequestType"] != "Delete":
        assert account.state == event["ResourceProperties"]["DesiredState"]
    return answer


def read(event: object) -> Any:
    """Read an event as Lambda's runtime does."""
    return json.loads(json.dumps(event))


@hostile
@given(event=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_refused_without_a_put(event: object) -> None:
    assert check(FaultyAccount(), read(event)) is None


@hostile
@given(request_type=CALLERS, field=st.sampled_from(FIELDS) | TEXT, value=JSON)
def test_a_request_with_any_json_in_one_field_is_refused_or_answered(
    request_type: str, field: str, value: object
) -> None:
    account = FaultyAccount()
    check(account, read(valid(account, request_type) | {field: value}))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_a_request_with_a_field_less_is_refused_or_answered(request_type: str, field: str) -> None:
    account = FaultyAccount()
    event = valid(account, request_type)
    event.pop(field, None)
    check(account, event)


@hostile
@given(
    request_type=CALLERS,
    change=st.dictionaries(st.sampled_from(PROPERTIES) | TEXT, JSON, min_size=1, max_size=4),
)
def test_any_properties_are_carried_out_or_answered_with_what_is_wrong(
    request_type: str, change: dict[str, Any]
) -> None:
    account = FaultyAccount()
    event = valid(account, request_type)
    event["ResourceProperties"] |= change
    answer = check(account, read(event))
    assert answer is not None
    assert not answer["Reason"].startswith("The provider failed")
    if request_type == "Delete":
        assert answer["Status"] == "SUCCESS"


@hostile
@given(request_type=CALLERS, properties=JSON)
def test_properties_that_are_any_json_are_answered_with_what_is_wrong(
    request_type: str, properties: object
) -> None:
    account = FaultyAccount()
    event = valid(account, request_type) | {"ResourceProperties": properties}
    answer = check(account, read(event))
    assert answer is not None
    assert answer["Status"] == ("SUCCESS" if request_type == "Delete" else "FAILED")
    if request_type != "Delete":
        assert answer["Reason"].startswith("ServiceToken: missing")
        assert account.calls == []


@hostile
@given(
    request_type=CALLERS,
    name=st.sampled_from([*ROW, "Another"]),
    value=st.builds(lambda text: {"S": text}, ROW_TEXT)
    | st.builds(lambda number: {"N": str(number)}, st.integers(-(10**30), 10**30)),
)
def test_a_row_with_anything_in_it_is_answered(
    request_type: str, name: str, value: dict[str, str]
) -> None:
    account = FaultyAccount()
    account.settle(valid(account, "Create"))
    key = {"ServerId": {"S": account.server_id}}
    row = account.dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
    account.dynamodb.put_item(TableName=TABLE, Item=row | {name: value})
    account.puts.clear()
    event = valid(account, request_type) | {"RequestId": "another"}
    assert check(account, event) is not None


QUARTER_MB = 256 * 1024 - 2000


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
@pytest.mark.parametrize(
    "change",
    [
        {"Triggers": ["x" * QUARTER_MB]},
        {"Triggers": [0] * (QUARTER_MB // 2)},
        {"Triggers": {str(n): n for n in range(QUARTER_MB // 14)}},
        {"ServerId": "s" * QUARTER_MB},
        {"ServerId": "arn:aws:transfer:" + ":" * QUARTER_MB},
        {"DesiredState": "\N{OGHAM SPACE MARK}" * (QUARTER_MB // 6)},
        {"ServiceTimeout": "1" * QUARTER_MB},
        {"x" * QUARTER_MB: 1},
        {str(n): n for n in range(QUARTER_MB // 20)},
    ],
    ids=lambda change: "-".join(
        f"{name[:20]}:{str(v)[:6]}" for name, v in list(change.items())[:1]
    ),
)
def test_a_huge_declaration_gets_a_small_answer(request_type: str, change: dict[str, Any]) -> None:
    account = FaultyAccount()
    event = valid(account, request_type)
    event["ResourceProperties"] |= change
    answer = check(account, read(event))
    assert answer is not None
    assert not answer["Reason"].startswith("The provider failed")
    fine = request_type == "Delete" or "Triggers" in change
    assert answer["Status"] == ("SUCCESS" if fine else "FAILED")


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
@pytest.mark.parametrize(
    "ids",
    [
        {"LogicalResourceId": "L" * 255},
        {"LogicalResourceId": "\ud83d\ude80\u0000\r\n\u2028\ud800" * 20},
        {"RequestId": "r" * 1_000},
        {"StackId": STACK + "x" * 1_000},
        {"PhysicalResourceId": "p" * 1_024},
        {"PhysicalResourceId": "\u0000\ud800'\"</Reason>" * 20},
        {"LogicalResourceId": "L" * 255, "PhysicalResourceId": "p" * 1_024, "RequestId": "r" * 500},
    ],
    ids=lambda ids: "-".join(f"{name}:{len(text)}" for name, text in ids.items()),
)
@pytest.mark.parametrize("desired", ["OFFLINE", "x"])
def test_long_and_odd_ids_are_answered_verbatim(
    request_type: str, ids: dict[str, str], desired: str
) -> None:
    account = FaultyAccount()
    event = valid(account, request_type) | ids
    event["ResourceProperties"]["DesiredState"] = desired
    answer = check(account, read(event))
    assert answer is not None
    if "PhysicalResourceId" in ids and (desired == "x" or request_type == "Delete"):
        assert answer["PhysicalResourceId"] == ids["PhysicalResourceId"]


@pytest.mark.parametrize("request_type", ["Create", "Delete"])
@pytest.mark.parametrize("size", [4_000, 250_000])
@pytest.mark.parametrize("name", IDS)
def test_an_id_that_fits_into_no_answer_is_told_to_lambda(
    request_type: str, name: str, size: int
) -> None:
    account = FaultyAccount()
    event = valid(account, request_type) | {name: "i" * size}
    assert check(account, event) is None
    assert account.puts == []


def nested(depth: int, kind: type) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("depth", [100, 900, 5_000])
@pytest.mark.parametrize("name", [*PROPERTIES, "another"])
def test_what_is_nested_thousands_deep_is_answered(
    request_type: str, name: str, depth: int, kind: type
) -> None:
    account = FaultyAccount()
    event = valid(account, request_type)
    event["ResourceProperties"][name] = nested(depth, kind)
    answer = check(account, event)
    assert answer is not None
    fine = request_type == "Delete" or (name == "Triggers" and depth < 900)
    if name != "Triggers" or fine:
        assert answer["Status"] == ("SUCCESS" if fine else "FAILED")


@pytest.mark.parametrize("depth", [900, 5_000])
@pytest.mark.parametrize("field", [*FIELDS, "another"])
@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_a_field_that_is_nested_thousands_deep_is_refused_or_answered(
    request_type: str, field: str, depth: int
) -> None:
    account = FaultyAccount()
    check(account, valid(account, request_type) | {field: nested(depth, dict)})


ARN = rf"arn:aws:transfer:{REGION}:{ACCOUNT}:server/s-[0-9a-f]{{17}}"
NEAR_ARN = (
    r"arn:aws[a-z\n-]*:transfer:[a-z0-9-]*:[\d]{12}:server/s-[0-9a-f]{17}\s?",
    r"arn:aws:transfer:[a-z0-9:-]*:[0-9]{11,13}:(server|user)/?s-[0-9a-fA-F]{16,18}",
    r"(arn:aws:transfer:eu-west-1:000000000000:server/){1,2}s-[0-9a-f]{17}(/.*)?",
    r"\s?s-[\da-f]{17}\s?",
    r"s-[0-9a-f]{17}[\x00\u200b\n\r]",
)


@hostile
@given(
    request_type=CALLERS,
    named=st.one_of(st.from_regex(ARN, fullmatch=True), *map(st.from_regex, NEAR_ARN)),
)
def test_only_a_server_s_own_id_or_arn_reaches_aws(request_type: str, named: str) -> None:
    account = FaultyAccount()
    event = valid(account, request_type)
    event["ResourceProperties"]["ServerId"] = named
    answer = check(account, read(event))
    assert answer is not None
    if request_type != "Delete":
        # No such server is there, however it is named.
        assert answer["Status"] == "FAILED"
        takes = re.fullmatch(rf"({ARN}|s-[0-9a-f]{{17}})", named, re.ASCII) is not None
        assert bool(account.calls) is takes
        assert answer["Reason"].startswith(named[-19:] if takes else "ServerId: ")


HOSTS = {
    # host: whether plain http may go there
    "127.0.0.1": True,
    "127.8.9.10": True,
    "localhost": True,
    "[::1]": True,
    "bucket.s3.amazonaws.com": False,
    "127.0.0.1.example.com": False,
    "localhost.example.com": False,
    "127.1": False,
    "0.0.0.0": False,  # noqa: S104 - nothing is bound to it
    "0x7f000001": False,
    "169.254.169.254": False,
    "[2001:db8::1]": False,
    "[::]": False,
    "a..b": False,
    "l" * 64 + ".com": False,
}
PATH = st.text("abz019-_~/:@!$&'()*+,=", max_size=30)
PORTS = st.sampled_from(["", ":", ":443", ":8443", ":1", ":65535"])
QUERY = f"?X-Amz-Signature={SECRET}"


@settings(hostile, max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(
    scheme=st.sampled_from(["https", "http", "HTTPS"]),
    host=st.sampled_from(list(HOSTS)),
    port=PORTS,
    path=PATH.map("/{}".format),
)
def test_an_answer_goes_to_the_host_and_the_path_of_its_url_alone(
    scheme: str, host: str, port: str, path: str
) -> None:
    account, wire = FaultyAccount(), Wire()
    account.deliver_to(wire.put)
    event = valid(account, "Create") | {
        "ResponseURL": f"{scheme}://{host}{port}{path}{QUERY}#?//a@b"
    }
    event["ResourceProperties"]["DesiredState"] = "x"
    with everything_logged() as records:
        if scheme == "http" and not HOSTS[host]:
            with pytest.raises(NotARequestError):
                account.settle(event)
            assert wire.connected == []
        elif ".." in host or "l" * 64 in host:
            with pytest.raises((NotARequestError, DeliveryError)) as refused:
                account.settle(event)
            assert SECRET not in "".join(traceback.format_exception(refused.value))
            assert wire.connected == []
        else:
            account.settle(event)
            default = 80 if scheme == "http" else 443
            assert wire.connected == [(host.strip("[]"), int(port.strip(":") or default))]
            head, _, body = wire.sent.partition(b"\r\n\r\n")
            first, *headers = head.decode().split("\r\n")
            assert first == f"PUT {path}{QUERY} HTTP/1.1"
            assert sorted(header.split(":")[0].lower() for header in headers) == [
                *("accept-encoding", "content-length", "content-type", "host", "user-agent")
            ]
            assert json.loads(body)["Status"] == "FAILED"
    assert SECRET not in records.text


BREAKS = st.sampled_from(
    ["\r\nX: y", "\n", "\t", " ", "\x00", "\x7f", "\x85", "ü", "\u2028", "\ud800", "\uff0f"]
)
AT = st.integers(0, 60)


@hostile
@given(scheme=st.sampled_from(["https", "http"]), at=AT, what=BREAKS)
def test_a_url_with_a_character_that_no_url_has_is_refused(scheme: str, at: int, what: str) -> None:
    account = FaultyAccount()
    url = f"{scheme}://127.0.0.1:8443/path{QUERY}"
    event = valid(account, "Create") | {"ResponseURL": url[:at] + what + url[at:]}
    assert check(account, read(event)) is None


OTHER_KINDS = [
    "//example.com/",
    "/example.com",
    "example.com",
    "https:example.com",
    "https:/example.com",
    "https:///a",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:0",
    "httpss://example.com/",
    "s3://bucket/key",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://:@example.com/",
    "https://@example.com/",
    "http://127.0.0.1@example.com/",
    "https://127.0.0.1\\@example.com/",
    "https://?example.com",
    "https://#example.com",
    "https://:443/",
    "https://[::1/",
    "https://::1]/",
    "http://example.com/",
    "http://user@127.0.0.1/",
    "https://",
    "http://",
    "https",
]


@pytest.mark.parametrize("url", OTHER_KINDS)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    account = FaultyAccount()
    event = valid(account, "Create") | {"ResponseURL": url + QUERY}
    assert check(account, event) is None


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "443x", "\uff14\uff14\uff13", "1e2"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    account = FaultyAccount()
    event = valid(account, "Create") | {"ResponseURL": f"https://example.com:{port}/{QUERY}"}
    assert check(account, event) is None


def test_a_very_long_url_is_put_to_as_it_is() -> None:
    account, wire = FaultyAccount(), Wire()
    account.deliver_to(wire.put)
    event = valid(account, "Create") | {"ResponseURL": f"https://example.com/{'p' * 250_000}"}
    account.settle(event)
    assert wire.sent.count(b"p" * 250_000) == 1
