"""Lists in pages: the keys of one, and the token of the next."""

import base64
import json
from collections.abc import Iterable

from local.emulator.model import error, limit
from local.emulator.world import Call


def page(call: Call, keys: Iterable[str]) -> tuple[list[str], str | None]:
    """Give the keys of a page, in order, and the token of the next one.

    A token names the last key given, so that what comes or goes between two pages moves nothing.
    """
    token = call.request.get("NextToken")
    after = _read_token(token) if token else ""
    size = call.request.get("MaxResults", limit("MaxResults"))
    page = sorted(key for key in keys if key > after or not token)
    return page[:size], _write_token(page[size - 1]) if len(page) > size else None


def _write_token(key: str) -> str:
    return base64.b64encode(json.dumps([key]).encode()).decode()


def _read_token(token: str) -> str:
    try:
        (key,) = json.loads(base64.b64decode(token, validate=True))
        return str(key)
    except (ValueError, TypeError):
        raise error("InvalidNextTokenException", "The NextToken is invalid") from None
