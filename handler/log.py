"""One line of the log: JSON, with the provider's version and the id of its own invocation."""

import json
import logging
from typing import Any

from transfer_server_state import __version__

_LOG = logging.getLogger(__name__)


def tell(context: Any, fields: dict[str, Any], level: int = logging.INFO) -> None:
    """Write a line; where the log is JSON, each field is one of its own."""
    line = {"version": __version__, "invocation": context.aws_request_id, **fields}
    _LOG.log(level, json.dumps(line), extra=line)
