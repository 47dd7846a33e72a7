"""One answer, delivered to the presigned ResponseURL of a request.

The URL is a secret: it is in no exception text and no log line. This module knows nothing of
what the answer says.
"""

import ipaddress
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
LIMIT_BYTES = 4096
_TIMEOUT_S = 8
_PAUSES_S = (1, 2, 4, 8)
# 4xx that say "not now"; any other is for good.
_PASSING = {408, 429}


class DeliveryError(Exception):
    """The answer did not arrive, or nobody knows whether it did."""


def flaw(url: object) -> str:
    """Tell why a ResponseURL may not be written to, "" if it may: https, or http to loopback."""
    if not isinstance(url, str) or not url:
        return "ResponseURL: missing"
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        return "ResponseURL: not a URL that can be written to"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts)):
        return ""
    return f"ResponseURL: {parts.scheme or 'no scheme'} to {parts.hostname}, expected https"


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


@contextmanager
def session(url: str) -> Iterator[URLLib3Session]:
    """Open what sends to a secret URL, by the proxies and certificates that boto3 goes by."""
    # On DEBUG it logs the URL.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    verify = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    opened = URLLib3Session(verify=verify, proxies=get_environ_proxies(url), timeout=_TIMEOUT_S)
    try:
        yield opened
    finally:
        opened.close()


def put(url: str, body: bytes) -> int:
    """PUT once and return the HTTP status; raises BotoCoreError."""
    with session(url) as opened:
        # Presigned without a content type, so it has to be empty.
        request = AWSRequest("PUT", url, {"content-type": ""}, body).prepare()
        return int(opened.send(request).status_code)


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
        except (OSError, BotoCoreError, ValueError) as error:
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
