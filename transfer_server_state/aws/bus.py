"""The account's default event bus. Knows nothing of what the events say."""

import json
from collections.abc import Mapping
from typing import Any

from transfer_server_state.aws.client import Aws, UnavailableError

SOURCE = "transfer-server-state"


def put(aws: Aws, detail_type: str, detail: Mapping[str, Any]) -> None:
    """Put an event on the bus. Raises UnavailableError or RefusedError.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """
    entry = {"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}
    if aws.call("events", "PutEvents", Entries=[entry])["FailedEntryCount"]:
        raise UnavailableError("events:PutEvents: the bus did not take the event")
