"""CloudFormation as a provider meets it: its requests, and where their answers go."""

import json
import time
import uuid
from collections import deque
from queue import Queue
from typing import Any

from tests.runtime.http_server import Asked, HttpServer, Reply

REGION = "eu-west-1"
ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/demo/00000000-0000-4000-8000-000000000000"
# In each ResponseURL; who has it can answer in the provider's name.
SECRET = "presigned-secret"  # noqa: S105 - none but for the tests


class ResponseStore(HttpServer):
    """Keeps the answers that are PUT to it.

    `statuses`: what to say to the next ones, before 200 again; 0 hangs up without a word.
    """

    def __init__(self) -> None:
        self.answers: Queue[dict[str, Any]] = Queue()
        self.statuses: deque[int] = deque()
        super().__init__(self._answer)

    def request(self, request_type: str, server_id: str, **fields: Any) -> dict[str, Any]:
        """Make a request as CloudFormation sends it, to be answered here.

        `fields` are the properties, and a PhysicalResourceId.
        """
        given = {n: fields.pop(n) for n in ("PhysicalResourceId",) if n in fields}
        signed = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return {
            "RequestType": request_type,
            "ResponseURL": f"http://{self.address}/answer"
            f"?X-Amz-Date={signed}&X-Amz-Signature={SECRET}",
            "StackId": STACK,
            "RequestId": str(uuid.uuid4()),
            "ResourceType": "Custom::TransferServerState",
            "LogicalResourceId": "State",
            "ResourceProperties": {"ServiceToken": FUNCTION, "ServerId": server_id, **fields},
            **given,
        }

    def _answer(self, asked: Asked) -> Reply | None:
        status = self.statuses.popleft() if self.statuses else 200
        if status == 200:
            self.answers.put(json.loads(asked.body))
        return Reply(status) if status else None
