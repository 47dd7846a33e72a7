"""DynamoDB, as far as a registry needs it: one table in memory, of rows with a string for a key.

It stands in the place of a boto3 client, or behind a real one (`before_send`). It follows AWS; of
what it does not know of DynamoDB it raises NotImplementedError, which nobody takes for an answer
of AWS. It must not know what the rows mean. tests/test_dynamodb.py holds it to the engine's.
"""

import json
import re
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from functools import lru_cache, wraps
from io import BytesIO
from itertools import accumulate
from operator import eq, ge, gt, le, lt, ne
from threading import Lock
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ParamValidationError
from ministack.services._dynamodb_keywords import AWS_KEYWORDS

Value = dict[str, Any]
Row = dict[str, Value]

TARGET_PREFIX = "DynamoDB_20120810"
MOST_ROW_BYTES = 400 * 1024
MOST_KEY_BYTES = 2048
MOST_PAGE_BYTES = 1024 * 1024


def client_error(
    operation: str, code: str, message: str = "", status: int = 400, **fields: Any
) -> ClientError:
    """Return the error that a client raises for an answer of DynamoDB."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
            **fields,
        },
        operation,
    )


class _RefusedError(Exception):
    def __init__(self, code: str, message: str, **fields: Any) -> None:
        super().__init__(code, message)
        self.fields = fields


def _invalid(message: str) -> _RefusedError:
    return _RefusedError("ValidationException", message)


def _invalid_value(message: str) -> _RefusedError:
    return _invalid(f"One or more parameter values were invalid: {message}")


def _invalid_condition(message: str) -> _RefusedError:
    return _invalid(f"Invalid ConditionExpression: {message}")


# Values


def _copy(value: Mapping[str, Any]) -> Value:
    """Copy a value as DynamoDB keeps it, or refuse it."""
    if len(value) != 1:
        problem = "has more than one datatypes set" if value else "is empty"
        raise _invalid(
            f"Supplied AttributeValue {problem}, must contain exactly one of the supported "
            "datatypes"
        )
    ((kind, content),) = value.items()
    if kind not in _KINDS:
        raise NotImplementedError(f"The fake knows no values of type {kind}, only {[*_KINDS]}.")
    python, copy = _KINDS[kind]
    if not isinstance(content, python):
        raise ParamValidationError(
            report=f"Invalid type for parameter {kind}, value: {content}, type: {type(content)}, "
            f"valid types: {python}"
        )
    return {kind: copy(content)}


def _copy_row(row: Mapping[str, Mapping[str, Any]]) -> Row:
    return {name: _copy(value) for name, value in row.items()}


def _number(text: str) -> str:
    if _PLAIN_INTEGER.fullmatch(text):
        return text
    number = None
    if _NUMBER.fullmatch(text):
        with suppress(InvalidOperation):
            number = Decimal(text).normalize(_PRECISELY)
    if number is None:
        raise _invalid(f"The parameter cannot be converted to a numeric value: {text}")
    if len(number.as_tuple().digits) > 38:
        raise _invalid("Attempting to store more than 38 significant digits in a Number")
    if number and not -130 <= number.adjusted() <= 125:
        size, way = ("larger", "over") if number.adjusted() > 0 else ("smaller", "under")
        raise _invalid(
            f"Number {way}flow. Attempting to store a number with magnitude {size} than supported "
            "range"
        )
    return f"{number:f}" if number else "0"


def _null(content: Any) -> Any:
    if not content:
        raise _invalid_value("Null attribute value types must have the value of true")
    return content


_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,37}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PRECISELY = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN)
# Type -> what it is in Python, and how a content is checked and copied.
_KINDS: dict[str, tuple[type | tuple[type, ...], Callable[[Any], Any]]] = {
    "S": (str, str),
    "N": (str, _number),
    "BOOL": (bool, bool),
    "NULL": (bool, _null),
    "L": ((list, tuple), lambda values: [_copy(value) for value in values]),
    "M": (dict, _copy_row),
}


def _size_bytes(value: Value) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content.strip("-0.")) // 2 + 2
    if kind == "L":
        return 3 + sum(1 + _size_bytes(each) for each in content)
    if kind == "M":
        return 3 + len(content) + _row_bytes(content)
    return 1


def _row_bytes(row: Row) -> int:
    return sum(len(name.encode()) + _size_bytes(value) for name, value in row.items())


# Conditions: clauses joined by AND and OR, without brackets

_OPERAND = r"[#:]?[A-Za-z_]\w*"
_CLAUSE = re.compile(
    rf"\s*(?:(\w+)\s*\(\s*({_OPERAND})\s*\)|({_OPERAND})\s*(=|<>|<=|>=|<|>)\s*({_OPERAND}))\s*",
    re.ASCII,
)
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge
}  # fmt: skip
_FUNCTIONS = ("attribute_exists", "attribute_not_exists")
# In any case, and no placeholder's name.
_AND, _OR = (re.compile(rf"(?<![#:\w]){word}\b", re.IGNORECASE) for word in ("AND", "OR"))
# What DynamoDB would take, and this does not.
_UNKNOWN = re.compile(
    r"(?<![#:\w])(NOT|BETWEEN|IN)\b|\b(attribute_type|begins_with|contains|size)\s*\(|[.\[]"
    r"|(^|\(|\bAND\b|\bOR\b)\s*\(",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Clause:
    operator: str
    path: str
    value: str = ""

    def holds(self, row: Row, names: Mapping[str, str], values: Row) -> bool:
        found = row.get(names.get(self.path, self.path))
        if self.operator in _FUNCTIONS:
            return (found is not None) == (self.operator == "attribute_exists")
        wanted, compare = values[self.value], _COMPARISONS[self.operator]
        if compare in {eq, ne}:
            return bool(compare(found, wanted))
        ((kind, right),) = wanted.items()
        if kind not in {"S", "N"}:
            raise _invalid_condition(
                "Incorrect operand type for operator or function; "
                f"operator or function: {self.operator}, operand type: {kind}"
            )
        if found is None or kind not in found:
            return False
        order: Callable[[str], Any] = Decimal if kind == "N" else str
        return bool(compare(order(found[kind]), order(right)))


@dataclass(frozen=True)
class _Condition:
    any_of: tuple[tuple[_Clause, ...], ...] = ()
    names: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def holds(self, row: Row, names: Mapping[str, str], values: Row) -> bool:
        self._check("Names", "name used in the document path", "name", self.names, names)
        self._check("Values", "value used in expression", "value", self.values, values)
        return not self.any_of or any(
            all(clause.holds(row, names, values) for clause in all_of) for all_of in self.any_of
        )

    def _check(
        self, kind: str, used: str, what: str, wanted: frozenset[str], given: Mapping[str, object]
    ) -> None:
        if wanted == given.keys():
            return
        for placeholder in sorted(wanted - given.keys()):
            raise _invalid_condition(
                f"An expression attribute {used} is not defined; attribute {what}: {placeholder}"
            )
        unused = ", ".join(sorted(given.keys() - wanted))
        if not self.any_of:
            raise _invalid(
                f"ExpressionAttribute{kind} can only be specified when using expressions"
            )
        raise _invalid(
            f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{unused}}}"
        )


@lru_cache
def _parse(expression: str) -> _Condition:
    if not expression.strip():
        raise _invalid_condition("The expression can not be empty;")
    if _UNKNOWN.search(expression):
        raise NotImplementedError(f"The fake cannot read such a condition: {expression}")
    any_of = tuple(
        tuple(_parse_clause(text) for text in _AND.split(all_of))
        for all_of in _OR.split(expression)
    )
    clauses = [clause for all_of in any_of for clause in all_of]
    return _Condition(
        any_of,
        frozenset(clause.path for clause in clauses if clause.path.startswith("#")),
        frozenset(clause.value for clause in clauses if clause.value),
    )


def _parse_clause(text: str) -> _Clause:
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise _invalid_condition(f'Syntax error; near: "{text.strip()}"')
    function, argument, path, operator, value = match.groups()
    if function and function not in _FUNCTIONS:
        raise _invalid_condition(f"Invalid function name; function: {function}")
    name = argument or path
    if name.startswith(":") or (operator and not value.startswith(":")):
        raise NotImplementedError(f"The fake compares an attribute to a value, not: {text}")
    if name.upper() in AWS_KEYWORDS:
        raise _invalid_condition(f"Attribute name is a reserved keyword; reserved keyword: {name}")
    return _Clause(function or operator, name, value or "")


# The table

_Operation = Callable[..., dict[str, Any]]


def _operation(carry_out: _Operation) -> _Operation:
    """Make an operation of the client: whole or not at all, its refusals as a client's errors."""
    operation = carry_out.__name__.title().replace("_", "")

    @wraps(carry_out)
    def call(self: "DynamoDB", *, TableName: str, **parameters: Any) -> dict[str, Any]:
        with self._lock:
            if failures := self.failures.get(operation):
                raise failures.popleft()
            try:
                self._check_table(TableName)
                return carry_out(self, **parameters)
            except _RefusedError as refused:
                raise client_error(operation, *refused.args, **refused.fields) from None

    return call


class DynamoDB:
    """A table; also the dynamodb API, as a boto3 client shows it.

    With `stale_reads`, a read that does not ask to be consistent sees each row without its last
    write. Errors put into `failures`, by operation, are raised in order by calls that then do
    nothing.
    """

    def __init__(
        self,
        table: str,
        key: str = "ServerId",
        *,
        stale_reads: bool = False,
        page_bytes: int = MOST_PAGE_BYTES,
    ) -> None:
        self.table = table
        self.stale_reads = stale_reads
        self.failures: dict[str, deque[Exception]] = defaultdict(deque)
        self._key_name = key
        self._page_bytes = page_bytes
        self._rows: dict[str, Row] = {}
        self._rows_before: dict[str, Row] = {}
        self._lock = Lock()

    @_operation
    def get_item(self, *, Key: Row, ConsistentRead: bool = False) -> dict[str, Any]:
        row = self._seen(consistently=ConsistentRead).get(self._key(Key))
        return {} if row is None else {"Item": _copy_row(row)}

    @_operation
    def put_item(self, *, Item: Row, **condition: Any) -> dict[str, Any]:
        row = _copy_row(Item)
        if self._key_name not in row:
            raise _invalid_value(f"Missing the key {self._key_name} in the item")
        ((kind, _),) = row[self._key_name].items()
        if kind != "S":
            raise _invalid_value(
                f"Type mismatch for key {self._key_name} expected: S actual: {kind}"
            )
        key = self._key({self._key_name: row[self._key_name]})
        if _row_bytes(row) > MOST_ROW_BYTES:
            raise _invalid("Item size has exceeded the maximum allowed size")
        self._write(key, row, **condition)
        return {}

    @_operation
    def delete_item(self, *, Key: Row, **condition: Any) -> dict[str, Any]:
        self._write(self._key(Key), None, **condition)
        return {}

    @_operation
    def scan(
        self,
        *,
        ConsistentRead: bool = False,
        Limit: int | None = None,
        ExclusiveStartKey: Row | None = None,
    ) -> dict[str, Any]:
        rows = self._seen(consistently=ConsistentRead)
        after = (-1, "") if ExclusiveStartKey is None else _place(self._key(ExclusiveStartKey))
        keys = [key for place, key in sorted(map(_place, rows)) if (place, key) > after]
        page = self._page([rows[key] for key in keys])[:Limit]
        answer = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        # A page with as many as asked for has one, even if nothing is left.
        if len(page) < len(keys) or len(page) == Limit:
            answer["LastEvaluatedKey"] = {self._key_name: _copy(page[-1][self._key_name])}
        return answer

    def answer(self, target: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request in the bytes of the protocol: `target` is its X-Amz-Target header."""
        prefix, _, operation = target.partition(".")
        if prefix != TARGET_PREFIX:
            raise NotImplementedError(f"No request of DynamoDB: {target}")
        try:
            return 200, json.dumps(
                getattr(self, xform_name(operation))(**json.loads(body))
            ).encode()
        except ClientError as error:
            fields = dict(error.response)
            stated, status = fields.pop("Error"), fields.pop("ResponseMetadata")["HTTPStatusCode"]
            fields["__type"] = f"com.amazonaws.dynamodb.v20120810#{stated['Code']}"
            fields["message"] = stated["Message"]
            return status, json.dumps(fields).encode()

    def before_send(self, request: Any, **_: object) -> AWSResponse:
        """Answer a real client: register it for its event `before-send.dynamodb`."""
        status, body = self.answer(request.headers["X-Amz-Target"].decode(), request.body)
        headers = {"content-length": str(len(body))}
        return AWSResponse(request.url, status, headers, _Raw(body))

    def _check_table(self, name: str) -> None:
        if name != self.table:
            raise _RefusedError("ResourceNotFoundException", "Requested resource not found")

    def _seen(self, *, consistently: bool) -> dict[str, Row]:
        return self._rows_before if self.stale_reads and not consistently else self._rows

    def _page(self, rows: list[Row]) -> list[Row]:
        sizes_bytes = accumulate(map(_row_bytes, rows))
        fitting = sum(size_bytes <= self._page_bytes for size_bytes in sizes_bytes)
        return [_copy_row(row) for row in rows[: max(fitting, 1)]]

    def _key(self, key: Row) -> str:
        if key.keys() != {self._key_name} or key[self._key_name].keys() != {"S"}:
            raise _invalid("The provided key element does not match the schema")
        text = str(_copy(key[self._key_name])["S"])
        if not text:
            raise _invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute"
                f" cannot contain an empty string value. Key: {self._key_name}"
            )
        if len(text.encode()) > MOST_KEY_BYTES:
            raise _invalid_value(
                "Size of hashkey has exceeded the maximum size limit of 2048 bytes"
            )
        return text

    def _write(
        self,
        key: str,
        row: Row | None,
        *,
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Row | None = None,
        ReturnValuesOnConditionCheckFailure: str = "NONE",
    ) -> None:
        if ReturnValuesOnConditionCheckFailure not in {"ALL_OLD", "NONE"}:
            raise _invalid(
                f"1 validation error detected: Value '{ReturnValuesOnConditionCheckFailure}' at "
                "'returnValuesOnConditionCheckFailure' failed to satisfy constraint: "
                "Member must satisfy enum value set: [ALL_OLD, NONE]"
            )
        for kind, given in (
            ("Names", ExpressionAttributeNames),
            ("Values", ExpressionAttributeValues),
        ):
            if given == {}:
                raise _invalid(f"ExpressionAttribute{kind} must not be empty")
        condition = _Condition() if ConditionExpression is None else _parse(ConditionExpression)
        values = _copy_row(ExpressionAttributeValues or {})
        old = self._rows.get(key)
        if not condition.holds(old or {}, ExpressionAttributeNames or {}, values):
            asked = ReturnValuesOnConditionCheckFailure == "ALL_OLD"
            found = {"Item": _copy_row(old)} if old and asked else {}
            raise _RefusedError(
                "ConditionalCheckFailedException", "The conditional request failed", **found
            )
        _set(self._rows_before, key, old)
        _set(self._rows, key, row)


def _set(rows: dict[str, Row], key: str, row: Row | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def _place(key: str) -> tuple[int, str]:
    """Return where a row comes in a scan: by a hash, so in no order that anybody should rely on."""
    return zlib.crc32(key.encode()), key


class _Raw(BytesIO):
    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self.read()]
