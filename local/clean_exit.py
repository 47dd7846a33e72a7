"""How the commands here end: with a sentence instead of a stack trace, and never in the middle."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.artefact import NotBuiltError
from local.cloudformation_stack import RefusedError, StuckError
from local.engine import NotReadyError
from local.provider_stack import NotDeployedError
from local.scenarios import DiffersError

_TOLD = (
    DiffersError,
    NotBuiltError,
    NotDeployedError,
    NotReadyError,
    RefusedError,
    StuckError,
    BotoCoreError,
    ClientError,
    OSError,
)


@contextmanager
def ending_well() -> Iterator[None]:
    """Turn failures and signals into exits, so that whatever was opened is closed."""
    # Explicitly, since a shell's background job inherits it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    except _TOLD as error:
        Console(stderr=True, highlight=False).print(
            str(error), style="red", markup=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
