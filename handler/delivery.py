"""One answer, delivered to the presigned ResponseURL of a request.

The URL is a secret: it is in no exception text and no log line. This module knows nothing of
what the answer says.
"""

import ipaddress
import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
LIMIT_BYTES = 4096
_TIMEOUT_S = 8
_PAUSES_S = (1, 2, 4, 8)
# 4xx that say "not now"; any other is for good.
_PASSING = {408, 429}


class DeliveryError(Exception):
    """The answer did not arrive, or nobody knows whether it did."""


def is_deliverable(url: object) -> bool:
    """Tell whether a ResponseURL may be written to: https, or plain http to loopback."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.username is None and parts.port != 0 and _safe(parts)
    except ValueError:
        return False


def _safe(parts: SplitResult) -> bool:
    if parts.scheme == "http":
        try:
            return ipaddress.ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return parts.hostname == "localhost"
    return parts.scheme == "https"


def put(url: str, body: bytes) -> int:
    """PUT once and return the HTTP status; raises OSError or HTTPException."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    # Without a port, http.client would look for one in an IPv6 address.
    port = parts.port or connect.default_port
    connection = connect(parts.hostname or "", port, timeout=_TIMEOUT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Presigned without a content type, so it has to be empty.
        connection.request("PUT", target, body, {"content-type": ""})
        return connection.getresponse().status
    finally:
        connection.close()


def deliver(
    url: str,
    answer: dict[str, Any],
    *,
    put: Callable[[str, bytes], int] = put,
    sleep: Callable[[float], None],
) -> None:
    """Deliver the answer on a 2xx; raises DeliveryError after a permanent 4xx or five tries."""
    body = _encode(answer)
    problem = ""
    for pause_s in (*_PAUSES_S, None):
        try:
            status = put(url, body)
        except (OSError, HTTPException, ValueError) as error:
            problem = type(error).__name__
        else:
            if 200 <= status < 300:
                return
            problem = f"HTTP {status}"
            if status < 500 and status not in _PASSING:
                break
        if pause_s is not None:
            sleep(pause_s)
    raise DeliveryError(f"CloudFormation did not take the answer: {problem}") from None


def _encode(answer: dict[str, Any]) -> bytes:
    while len(body := json.dumps(answer).encode()) > LIMIT_BYTES:
        if not answer["Reason"]:
            raise DeliveryError(f"The answer takes {len(body)} bytes, of {LIMIT_BYTES} allowed")
        answer = {**answer, "Reason": answer["Reason"][: len(answer["Reason"]) // 2]}
    return body
