"""The table in memory keeps what the registry builds on, for a real client."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.runtime.aws import Aws
from tests.runtime.cloudformation import REGION

KEY = {"ServerId": {"S": "s-0123456789abcdef0"}}


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with Aws() as aws:
        client = boto3.client("dynamodb", region_name=REGION, endpoint_url=f"http://{aws.address}")
        yield client
        client.close()


def test_an_item_is_written_only_on_the_condition_that_it_is_as_it_was_read(dynamodb: Any) -> None:
    def put(version: int, **condition: Any) -> None:
        item = KEY | {"Version": {"N": str(version)}}
        dynamodb.put_item(TableName="registry", Item=item, **condition)

    def get() -> Any:
        found = dynamodb.get_item(TableName="registry", Key=KEY, ConsistentRead=True)
        return found.get("Item", {}).get("Version")

    new = {"ConditionExpression": "attribute_not_exists(ServerId)"}
    values = {":version": {"N": "1"}}
    first = {"ConditionExpression": "Version = :version", "ExpressionAttributeValues": values}
    refused = dynamodb.exceptions.ConditionalCheckFailedException
    with pytest.raises(refused):
        put(9, **first)
    assert get() is None
    put(1, **new)
    with pytest.raises(refused):
        put(9, **new)
    put(2, **first)
    with pytest.raises(refused):
        put(9, **first)
    assert get() == {"N": "2"}
