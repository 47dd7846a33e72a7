"""What the registry may rely on, of DynamoDB and of what stands for it in the tests alike.

A real boto3 client asks both the engine's DynamoDB and the fake; the fake is asked directly as
well. Where the engine answers otherwise than AWS, a test says so by name.
"""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from local.engine import Engine, running
from tests.fakes.dynamodb import DynamoDB, client_error

KEY = {"ServerId": {"S": "s-1"}}
NEW = "attribute_not_exists(ServerId)"
WRITERS, ROUNDS = 8, 12


@dataclass
class Table:
    """A table, and a client that has it."""

    client: Any
    name: str = "Registry"

    def put(self, version: int = 1, **more: Any) -> None:
        item = {**KEY, "Version": {"N": str(version)}}
        item |= more.pop("Item", {})
        self.client.put_item(TableName=self.name, Item=item, **more)

    def put_if(self, condition: str, version: int = 1, **more: Any) -> None:
        self.put(version, ConditionExpression=condition, **more)

    def put_over(self, version: int, **more: Any) -> None:
        """Write the row if it has that version, and count it up."""
        self.put_if(
            "#v = :v",
            version + 1,
            ExpressionAttributeNames={"#v": "Version"},
            ExpressionAttributeValues={":v": {"N": str(version)}},
            **more,
        )

    def delete(self, **more: Any) -> None:
        self.client.delete_item(TableName=self.name, Key=KEY, **more)

    def get(self, key: Any = KEY) -> Any:
        return self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def scan(self, **more: Any) -> Any:
        return self.client.scan(TableName=self.name, ConsistentRead=True, **more)

    @property
    def version(self) -> str | None:
        row = self.get()
        return None if row is None else str(row["Version"]["N"])


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running() as engine:
        yield engine


@pytest.fixture(scope="module")
def boto3_client() -> Iterator[Any]:
    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    yield client
    client.close()


_numbers = itertools.count()


@pytest.fixture
def engine_table(engine: Engine) -> Table:
    table = Table(engine.client("dynamodb"), f"Registry{next(_numbers)}")
    table.client.create_table(
        TableName=table.name,
        KeySchema=[{"AttributeName": "ServerId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ServerId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return table


@pytest.fixture
def fake() -> DynamoDB:
    return DynamoDB("Registry")


@pytest.fixture
def fake_table(fake: DynamoDB, boto3_client: Any) -> Iterator[Table]:
    """The fake behind a real client, down to what it sends."""
    events = boto3_client.meta.events
    events.register_first("before-send.dynamodb", fake.before_send)
    yield Table(boto3_client)
    events.unregister("before-send.dynamodb", fake.before_send)


@pytest.fixture(params=["engine", "fake behind boto3", "fake"])
def table(request: pytest.FixtureRequest) -> Table:
    """Each of those that must behave alike."""
    if request.param == "fake":
        return Table(request.getfixturevalue("fake"))
    name = "engine_table" if request.param == "engine" else "fake_table"
    return request.getfixturevalue(name)  # type: ignore[no-any-return]


@pytest.fixture(params=["fake behind boto3", "fake"])
def fake_alone(request: pytest.FixtureRequest) -> Table:
    """The fake, where the engine differs from AWS."""
    if request.param == "fake":
        return Table(request.getfixturevalue("fake"))
    return request.getfixturevalue("fake_table")  # type: ignore[no-any-return]


def refusal(call: Callable[..., object], *arguments: Any, **more: Any) -> Any:
    """Return the answer with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **more)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer


def code(call: Callable[..., object], *arguments: Any, **more: Any) -> str:
    return str(refusal(call, *arguments, **more)["Error"]["Code"])


def invalid(call: Callable[..., object], *arguments: Any, **more: Any) -> str:
    """Return the words with which a call is refused as invalid."""
    error = refusal(call, *arguments, **more)["Error"]
    assert error["Code"] == "ValidationException"
    return str(error["Message"])


# Conditional writes


def test_a_row_is_created_once(table: Table) -> None:
    table.put_if(NEW)
    assert code(table.put_if, NEW, 2) == "ConditionalCheckFailedException"
    assert table.version == "1"


def test_a_row_is_written_over_the_version_that_was_read_and_no_other(table: Table) -> None:
    table.put(1)
    table.put_over(1)
    assert code(table.put_over, 1) == "ConditionalCheckFailedException"
    assert table.version == "2"


def test_no_version_is_that_of_a_row_that_is_not_there(table: Table) -> None:
    assert code(table.put_over, 1) == "ConditionalCheckFailedException"
    assert table.get() is None


def test_a_write_replaces_the_whole_row(table: Table) -> None:
    table.put(Item={"Answer": {"S": "SUCCESS"}})
    table.put(2)
    assert table.get() == {**KEY, "Version": {"N": "2"}}


def test_a_row_is_deleted_under_the_same_conditions(table: Table) -> None:
    table.put(2)
    at = {"ConditionExpression": "Version = :v"}
    assert code(table.delete, **at, ExpressionAttributeValues={":v": {"N": "1"}}) == (
        "ConditionalCheckFailedException"
    )
    assert table.version == "2"
    table.delete(**at, ExpressionAttributeValues={":v": {"N": "2"}})
    assert table.get() is None
    table.delete()


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(ServerId)", True),
        ("attribute_not_exists ( #v )", False),
        ("attribute_exists(Nowhere)", False),
        ("Version = :v", True),
        ("Version <> :v", False),
        ("Nowhere = :v", False),
        ("Nowhere <> :v", True),
        ("ServerId = :v", False),
        ("ServerId <> :v", True),
        ("Version < :more", True),
        ("Version <= :v", True),
        ("Version > :more", False),
        ("Version >= :more", False),
        ("Version>=:v", True),
        ("Nowhere < :v", False),
        ("ServerId < :v", False),
        ("ServerId < :s", True),
        ("attribute_not_exists(ServerId) OR Version = :v", True),
        ("attribute_exists(ServerId) AND Version = :more", False),
        ("#and = :or", True),
        ("Version = :v or Version = :more and Version = :more", True),
    ],
)
def test_a_condition_holds_or_not(table: Table, condition: str, *, holds: bool) -> None:
    table.put(9)
    values = {":v": {"N": "9.0"}, ":or": {"N": "9"}, ":more": {"N": "10"}, ":s": {"S": "s-2"}}
    used = {name: value for name, value in values.items() if name in condition}
    more: dict[str, Any] = {"ExpressionAttributeValues": used} if used else {}
    if names := {name: "Version" for name in ("#v", "#and") if name in condition}:
        more["ExpressionAttributeNames"] = names
    if holds:
        table.put_if(condition, 10, **more)
    else:
        assert code(table.put_if, condition, 10, **more) == "ConditionalCheckFailedException"
    assert table.version == ("10" if holds else "9")


def test_a_condition_that_fails_tells_what_is_there_if_asked(table: Table) -> None:
    table.put(1, Item={"Owner": {"S": "élève"}})
    asked = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    for write in (table.put_over, table.put_over):
        assert refusal(write, 2, **asked)["Item"] == table.get()
    assert refusal(table.delete, ConditionExpression=NEW, **asked)["Item"] == table.get()
    assert "Item" not in refusal(table.put_over, 2)
    table.delete()
    assert "Item" not in refusal(table.put_over, 2, **asked)


def race(write: Callable[[int], object]) -> list[str]:
    """Let as many writers write at once, and return what they were told."""
    start = threading.Barrier(WRITERS)

    def attempt(writer: int) -> str:
        start.wait()
        try:
            write(writer)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    with ThreadPoolExecutor(WRITERS) as writers:
        return sorted(writers.map(attempt, range(WRITERS)))


ONE_OF_THEM = ["ConditionalCheckFailedException"] * (WRITERS - 1) + ["written"]


@pytest.fixture
def _many_switches() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("_many_switches")
def test_of_many_writers_at_once_one_creates_the_row(table: Table) -> None:
    for _ in range(ROUNDS):
        won: list[str] = []

        def create(writer: int, won: list[str] = won) -> None:
            table.put_if(NEW, writer)
            won.append(str(writer))

        assert race(create) == ONE_OF_THEM
        assert [table.version] == won
        table.delete()


@pytest.mark.usefixtures("_many_switches")
def test_of_many_writers_at_once_one_writes_over_a_version(table: Table) -> None:
    table.put(1)
    for version in range(1, ROUNDS + 1):
        assert race(lambda _, read=version: table.put_over(read)) == ONE_OF_THEM  # type: ignore[misc]
    assert table.version == str(ROUNDS + 1)


# Values


def test_a_value_comes_back_as_it_went(table: Table) -> None:
    values: list[Any] = [
        {"S": ""},
        {"S": 'é \u2028 \U0001f600 \x00 \x1b " \\'},
        {"BOOL": False},
        {"NULL": True},
        {"L": []},
        {"L": [{"S": "a"}, {"BOOL": True}]},
        {"M": {"first": {"M": {"é": {"BOOL": True}}}}},
        {"N": "0"},
        {"N": "-7"},
        {"N": "1700000000.25"},
        {"N": "12345678901234567890123456789012345678"},
        {"N": "1234567890123456789012345678.9012345678"},
        {"N": "9" + "0" * 125},
    ]
    item = {f"Value{number}": value for number, value in enumerate(values)}
    table.put(Item=item)
    assert table.get() == {**KEY, "Version": {"N": "1"}, **item}
    assert table.scan()["Items"] == [table.get()]


def test_a_number_comes_back_without_what_adds_nothing(table: Table) -> None:
    plain = {"+1.50": "1.5", "-0.0": "0", "1e3": "1000", "1E-5": "0.00001", "007": "7"}
    table.put(Item={"Values": {"L": [{"N": text} for text in plain]}})
    assert table.get()["Values"] == {"L": [{"N": text} for text in plain.values()]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "must contain exactly one of the supported datatypes"),
        ({"S": "a", "N": "1"}, "must contain exactly one of the supported datatypes"),
        ({"NULL": False}, "Null attribute value types must have the value of true"),
        ({"N": ""}, "cannot be converted to a numeric value"),
        ({"N": " 1"}, "cannot be converted to a numeric value"),
        ({"N": "1_0"}, "cannot be converted to a numeric value: 1_0"),
        ({"N": "NaN"}, "cannot be converted to a numeric value: NaN"),
        ({"N": "1" * 39}, "more than 38 significant digits"),
        ({"N": "1e126"}, "Number overflow"),
        ({"N": "1e9999999"}, "Number overflow"),
        ({"N": "-1e-131"}, "Number underflow"),
        ({"L": [{"M": {"a": {"N": "x"}}}]}, "cannot be converted to a numeric value: x"),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_refused(table: Table, value: Any, words: str) -> None:
    assert words in invalid(table.put, Item={"Value": value})
    assert table.get() is None


def test_a_value_of_the_wrong_python_type_never_leaves_the_client(table: Table) -> None:
    with pytest.raises(ParamValidationError, match=r"value: 5, type: <class 'int'>"):
        table.put(Item={"Value": {"N": 5}})
    assert table.get() is None


def test_a_row_has_at_most_400_kb(table: Table) -> None:
    # Names and values: of a number half its digits and one, of a list or map three and one each.
    names_bytes = len("ServerId") + len("Version") + len("Value") + len("é".encode())
    rest_bytes = 400 * 1024 - names_bytes - len("s-1") - 2 - 2 * (3 + 1)

    def item(spare: str) -> Any:
        text = "é" * (rest_bytes // 2) + "x" * (rest_bytes % 2) + spare
        return {"Value": {"L": [{"M": {"é": {"S": text}}}]}}

    table.put(1, Item=item(""))
    words = invalid(table.put, 2, Item=item("x"))
    assert "Item size has exceeded the maximum allowed size" in words
    assert table.version == "1"


def test_what_is_kept_is_a_copy(table: Table) -> None:
    given: Any = {"M": {"list": {"L": [{"S": "kept"}]}}}
    table.put(Item={"Value": given})
    given["M"]["list"]["L"][0]["S"] = "changed"
    read = table.get()
    read["Value"]["M"]["list"]["L"].clear()
    scanned = table.scan()["Items"][0]
    scanned["Value"]["M"].clear()
    old = refusal(table.put_if, NEW, ReturnValuesOnConditionCheckFailure="ALL_OLD")["Item"]
    old["Value"]["M"].clear()
    assert table.get()["Value"] == {"M": {"list": {"L": [{"S": "kept"}]}}}


# What is refused


VALUES = {":v": {"N": "1"}, ":version": {"N": "1"}, ":flag": {"BOOL": True}}


def values_in(condition: str) -> dict[str, Any]:
    used = {name: value for name, value in VALUES.items() if name in condition}
    return {"ExpressionAttributeValues": used} if used else {}


def test_an_unknown_table_is_named_as_such(table: Table) -> None:
    other = Table(table.client, "Another")
    for call in (other.get, other.put, other.delete, other.scan):
        assert refusal(call)["Error"] == {
            "Code": "ResourceNotFoundException",
            "Message": "Requested resource not found",
        }


def test_a_row_needs_its_key(table: Table) -> None:
    put = table.client.put_item
    for item, words in (
        ({"Version": {"N": "1"}}, "Missing the key ServerId in the item"),
        ({"ServerId": {"N": "1"}}, "Type mismatch for key ServerId expected: S actual: N"),
        ({"ServerId": {"S": ""}}, "cannot contain an empty string value. Key: ServerId"),
        ({"ServerId": {"S": "é" * 1025}}, "exceeded the"),
    ):
        assert words in invalid(put, TableName=table.name, Item=item)
    assert table.scan()["Items"] == []


def test_a_key_is_the_key_alone(table: Table) -> None:
    for key in ({}, {"Id": KEY["ServerId"]}, {"ServerId": {"N": "1"}}, {**KEY, "Id": {"S": "1"}}):
        assert "key element does not match the schema" in invalid(table.get, key)
    assert "cannot contain an empty string" in invalid(table.get, {"ServerId": {"S": ""}})
    assert "exceeded the" in invalid(table.get, {"ServerId": {"S": "x" * 2049}})


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "The expression can not be empty"),
        ("Version == :v", "Syntax error"),
        ("Version = ", "Syntax error"),
        ("Version", "Syntax error"),
        ("Version = :v AND", "Syntax error"),
        ("OR Version = :v", "Syntax error"),
        ("Owner = :v", "Attribute name is a reserved keyword; reserved keyword: Owner"),
        (
            "attribute_exists(Found)",
            "Attribute name is a reserved keyword; reserved keyword: Found",
        ),
        ("Version = :w", "value used in expression is not defined; attribute value: :w"),
        ("#w = :v", "name used in the document path is not defined; attribute name: #w"),
    ],
)
def test_a_condition_that_is_none_is_refused(table: Table, condition: str, words: str) -> None:
    assert words in invalid(table.put_if, condition, **values_in(condition))
    assert table.get() is None


@pytest.mark.parametrize(
    ("placeholders", "given"),
    [
        ("ExpressionAttributeValues", {":v": {"N": "1"}}),
        ("ExpressionAttributeNames", {"#v": "Version"}),
    ],
)
def test_placeholders_that_no_condition_uses_are_refused(
    table: Table, placeholders: str, given: Any
) -> None:
    more = {placeholders: given}
    assert f"{placeholders} can only be specified when using" in invalid(table.put, **more)
    (name,) = given
    assert f"{placeholders} unused in expressions: keys: {{{name}}}" in invalid(
        table.put_if, NEW, **more
    )
    assert f"{placeholders} must not be empty" in invalid(table.put_if, NEW, **{placeholders: {}})
    assert table.get() is None


# Scans


def fill(table: Table, count: int, **more: Any) -> list[str]:
    ids = [f"s-{number}" for number in range(count)]
    for server_id in ids:
        item = {"ServerId": {"S": server_id}, **more}
        table.client.put_item(TableName=table.name, Item=item)
    return ids


def pages(table: Table, **more: Any) -> list[list[str]]:
    """Read the table page by page."""
    found = []
    start: dict[str, Any] = {}
    while True:
        page = table.scan(**start, **more)
        assert page["Count"] == page["ScannedCount"] == len(page["Items"])
        found.append([row["ServerId"]["S"] for row in page["Items"]])
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def test_a_scan_of_an_empty_table_is_one_empty_page(table: Table) -> None:
    assert pages(table) == [[]]


def test_a_scan_reads_every_row_once_in_pages_of_1_mb(table: Table) -> None:
    ids = fill(table, 7, Value={"S": "x" * 300_000})
    read = pages(table)
    assert [len(page) for page in read] == [3, 3, 1]
    assert sorted(itertools.chain(*read)) == ids


def test_a_full_page_names_its_last_row_even_if_none_is_left(table: Table) -> None:
    ids = fill(table, 4)
    read = pages(table, Limit=2)
    assert [len(page) for page in read] == [2, 2, 0]
    assert sorted(itertools.chain(*read)) == ids


def test_a_scan_goes_on_after_a_row_that_is_gone(table: Table) -> None:
    ids = fill(table, 3)
    first = table.scan(Limit=1)
    table.client.delete_item(TableName=table.name, Key=first["LastEvaluatedKey"])
    rest = table.scan(ExclusiveStartKey=first["LastEvaluatedKey"])["Items"]
    read = [row["ServerId"]["S"] for row in (*first["Items"], *rest)]
    assert sorted(read) == ids


def test_a_scan_starts_at_a_key_alone(table: Table) -> None:
    start = {"Id": {"S": "s-1"}}
    words = invalid(table.scan, ExclusiveStartKey=start)
    assert "key element does not match the schema" in words


# What the engine answers otherwise, each as AWS has it and as the engine has it


TAKEN_TO_FAIL = [
    ("attribute_missing(ServerId)", "Invalid function name; function: attribute_missing"),
    ("Versión = :v", "Syntax error"),
    ("Version < :flag", "operator or function: <, operand type: BOOL"),
]
TAKEN_TO_HOLD = [
    ("ATTRIBUTE_EXISTS(ServerId)", "Invalid function name; function: ATTRIBUTE_EXISTS"),
    ("Version & :v", "Syntax error"),
    ("Version = :version", "unused in expressions: keys: {:v}"),
]


@pytest.mark.parametrize(("condition", "words"), TAKEN_TO_FAIL + TAKEN_TO_HOLD)
def test_a_condition_that_the_engine_misreads_is_refused(
    fake_alone: Table, condition: str, words: str
) -> None:
    fake_alone.put(1)
    assert words in invalid(fake_alone.put_if, condition, 2, **values_in(condition))
    assert fake_alone.version == "1"


@pytest.mark.parametrize("condition", [condition for condition, _ in TAKEN_TO_FAIL])
def test_the_engine_takes_it_for_a_condition_that_fails(
    engine_table: Table, condition: str
) -> None:
    engine_table.put(1)
    refused = code(engine_table.put_if, condition, 2, **values_in(condition))
    assert refused == "ConditionalCheckFailedException"


@pytest.mark.parametrize("condition", [condition for condition, _ in TAKEN_TO_HOLD])
def test_the_engine_takes_it_for_a_condition_that_holds(
    engine_table: Table, condition: str
) -> None:
    engine_table.put(1)
    engine_table.put_if(condition, 2, **values_in(condition))
    assert engine_table.version == "2"


def test_what_to_return_is_one_of_two(fake_alone: Table) -> None:
    said = invalid(fake_alone.put, ReturnValuesOnConditionCheckFailure="ALL_NEW")
    assert "Member must satisfy enum value set: [ALL_OLD, NONE]" in said
    assert fake_alone.get() is None


def test_the_engine_takes_any_word_for_what_to_return(engine_table: Table) -> None:
    engine_table.put(ReturnValuesOnConditionCheckFailure="ALL_NEW")
    assert engine_table.version == "1"


def test_a_scan_that_starts_at_no_key_is_refused(fake_alone: Table) -> None:
    assert "does not match the schema" in invalid(fake_alone.scan, ExclusiveStartKey={})


def test_the_engine_starts_a_scan_at_no_key_from_the_beginning(engine_table: Table) -> None:
    engine_table.put()
    assert len(engine_table.scan(ExclusiveStartKey={})["Items"]) == 1


def test_a_scan_is_in_no_order(fake_alone: Table) -> None:
    ids = fill(fake_alone, 20)
    (page,) = pages(fake_alone)
    assert sorted(page) == sorted(ids) != page


def test_the_engine_scans_in_the_order_of_keys(engine_table: Table) -> None:
    ids = fill(engine_table, 20)
    assert pages(engine_table) == [sorted(ids)]


# What the fake alone can do, or cannot


def test_a_read_that_does_not_ask_to_be_consistent_may_miss_the_last_write() -> None:
    table = Table(DynamoDB("Registry", stale_reads=True))

    def stale() -> list[Any]:
        got = table.client.get_item(TableName="Registry", Key=KEY)
        return [got.get("Item"), *table.client.scan(TableName="Registry")["Items"]]

    table.put(1)
    assert (table.version, stale()) == ("1", [None])
    first = table.get()
    table.put(2)
    assert (table.version, stale()) == ("2", [first, first])
    second = table.get()
    table.delete()
    assert (table.version, stale()) == (None, [second, second])
    assert table.scan()["Items"] == []
    table.put(1)
    assert (table.version, stale()) == ("1", [None])


@pytest.mark.parametrize(("page_bytes", "sizes"), [(30, [2, 2, 1]), (1, [1, 1, 1, 1, 1])])
def test_pages_can_be_small(page_bytes: int, sizes: list[int]) -> None:
    table = Table(DynamoDB("Registry", page_bytes=page_bytes))
    ids = fill(table, 5)
    read = pages(table)
    assert [len(page) for page in read] == sizes
    assert sorted(itertools.chain(*read)) == ids


def test_a_call_can_be_made_to_fail_and_then_does_nothing(
    fake: DynamoDB, fake_alone: Table
) -> None:
    throttled, broken = "ThrottlingException", "InternalServerError"
    fake.failures["PutItem"] += [
        client_error("PutItem", throttled, "Rate exceeded"),
        client_error("PutItem", broken, status=500),
    ]
    assert refusal(fake_alone.put)["Error"] == {"Code": throttled, "Message": "Rate exceeded"}
    assert fake_alone.get() is None
    with pytest.raises(ClientError, match=broken) as failed:
        fake_alone.put()
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    fake_alone.put()
    assert fake_alone.version == "1"


def test_a_call_can_be_made_to_get_no_answer(fake: DynamoDB, fake_alone: Table) -> None:
    fake.failures["GetItem"].append(ReadTimeoutError(endpoint_url="https://aws.example/"))
    with pytest.raises(ReadTimeoutError):
        fake_alone.get()


@pytest.mark.parametrize(
    "condition",
    [
        "NOT Version = :v",
        "Version IN (:v)",
        "Version BETWEEN :v AND :v",
        "size(Version) > :v",
        "contains(ServerId, :v)",
        "(Version = :v)",
        "attribute_exists(ServerId) AND (Version = :v OR Version = :v)",
        "Progress.First = :v",
        "Past[0] = :v",
        ":v = Version",
        "Version = ServerId",
    ],
)
def test_a_condition_that_the_fake_cannot_read_is_nobody_s_answer(
    fake_alone: Table, condition: str
) -> None:
    with pytest.raises(NotImplementedError):
        fake_alone.put_if(condition, **values_in(condition))
    assert fake_alone.get() is None


def test_what_the_fake_does_not_know_is_nobody_s_answer(fake_alone: Table) -> None:
    with pytest.raises(NotImplementedError, match="SS"):
        fake_alone.put(Item={"Value": {"SS": ["a"]}})
    with pytest.raises(TypeError, match="ReturnValues"):
        fake_alone.put(ReturnValues="ALL_OLD")
    with pytest.raises(TypeError, match="FilterExpression"):
        fake_alone.scan(FilterExpression=NEW)
    with pytest.raises(AttributeError, match="update_item"):
        fake_alone.client.update_item(TableName="Registry", Key=KEY)
    assert fake_alone.get() is None


def test_a_request_for_another_service_is_nobody_s_answer(fake: DynamoDB) -> None:
    with pytest.raises(NotImplementedError, match="TransferService"):
        fake.answer("TransferService.DescribeServer", b"{}")
