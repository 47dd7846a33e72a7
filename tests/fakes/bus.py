"""The default event bus, as a boto3 client shows it."""

import json
from typing import Any


class Bus:
    """Keeps what is put on it; `refuses` the next so many entries."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses = 0

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        if self.refuses:
            self.refuses -= 1
            return {"FailedEntryCount": len(Entries), "Entries": [{"ErrorCode": "InternalFailure"}]}
        self.events += [{**e, "Detail": json.loads(e["Detail"])} for e in Entries]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    @property
    def told(self) -> list[str]:
        """What the events are about, in short."""
        return [event["DetailType"] for event in self.events]
