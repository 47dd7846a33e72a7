"""How a request outlives its invocation: the function invokes itself with the same event.

There is nothing else to carry: how far the request has come, the registry knows.
"""

import json
from collections.abc import Mapping
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.clock import Clock

_PAUSES_S = (1, 2, 4, 8, 16, 0)
_ACCEPTED = 202


def invoke(aws: Aws, clock: Clock, function_arn: str, event: Mapping[str, Any]) -> None:
    """Invoke the function anew. Raises UnavailableError or RefusedError.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    # The limit counts bytes, of which an escaped character takes up to three times as many; but
    # half of a surrogate pair has no others.
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    payload = text.encode(errors="backslashreplace")
    for pause_s in _PAUSES_S:
        try:
            accepted = aws.call(
                "lambda",
                "Invoke",
                FunctionName=function_arn,
                InvocationType="Event",
                Payload=payload,
            )
        except (UnavailableError, RefusedError):
            if not pause_s:
                raise
            clock.sleep(pause_s)
        else:
            if accepted["StatusCode"] == _ACCEPTED:
                return
    raise UnavailableError("lambda:InvokeFunction: not accepted")
