"""What stands behind the presigned URL that a Lambda Hook is called with.

The URL is a secret: it is in no exception text and no log line. What it leads to is not trusted:
it may be too large, too slow, or no JSON.
"""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from handler import delivery

# A template may have 1 MiB, and there may be two, as text within JSON.
LIMIT_BYTES = 5 * 2**20
LIMIT_S = 8
_CHUNK_BYTES = 2**16


class PayloadError(Exception):
    """The payload cannot be had; the text says why."""


def fetch(url: object, now: Callable[[], float]) -> dict[str, Any]:
    """Return the JSON object behind a URL. Raises PayloadError."""
    if flaw := delivery.flaw(url):
        raise PayloadError(flaw.replace("ResponseURL", "payload"))
    try:
        body = _read(str(url), now() + LIMIT_S, now)
        payload = json.loads(body)
    except (BotoCoreError, HTTPError, OSError) as error:
        raise PayloadError(f"payload: it could not be read: {type(error).__name__}") from None
    except (ValueError, RecursionError):
        raise PayloadError("payload: no JSON") from None
    if not isinstance(payload, dict):
        raise PayloadError("payload: no JSON object")
    return payload


def _read(url: str, until_s: float, now: Callable[[], float]) -> bytes:
    with delivery.session(url) as session:
        response = session.send(AWSRequest("GET", url, stream_output=True).prepare())
        with closing(response.raw) as raw:
            if response.status_code != 200:
                raise PayloadError(f"payload: HTTP {response.status_code}")
            body = b""
            while chunk := raw.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > LIMIT_BYTES:
                    raise PayloadError(f"payload: more than {LIMIT_BYTES} bytes")
                if now() > until_s:
                    raise PayloadError(f"payload: not there within {LIMIT_S} s")
            return body
