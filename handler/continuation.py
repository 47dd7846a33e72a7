"""How a request outlives its invocation: the function invokes itself with the same event.

There is nothing else to carry: how far the request has come, the registry knows.
"""

import json
from collections.abc import Mapping
from typing import Any

from transfer_server_state.aws.client import Aws, RefusedError, UnavailableError
from transfer_server_state.clock import Clock

_ACCEPTED = 202
# A call takes so long at most (client.py's time-outs).
_CALL_S = 15


def invoke(
    aws: Aws, clock: Clock, function_arn: str, event: Mapping[str, Any], until_s: float
) -> None:
    """Invoke the function anew, and again as long as there is time for it.

    Raises UnavailableError or RefusedError.
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """
    # The limit counts bytes, of which an escaped character takes up to three times as many; but
    # half of a surrogate pair has no others.
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    payload = text.encode(errors="backslashreplace")
    pause_s = 1
    while True:
        try:
            _invoke(aws, function_arn, payload)
        except (UnavailableError, RefusedError):
            if clock.now() + pause_s + _CALL_S > until_s:
                raise
        else:
            return
        clock.sleep(pause_s)
        pause_s *= 2


def _invoke(aws: Aws, function_arn: str, payload: bytes) -> None:
    accepted = aws.call(
        "lambda", "Invoke", FunctionName=function_arn, InvocationType="Event", Payload=payload
    )
    if accepted["StatusCode"] != _ACCEPTED:
        raise UnavailableError("lambda:InvokeFunction: not accepted")
