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
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_well(*, meant: bool = False) -> Iterator[None]:
    """Turn failures and signals into exits, so that whatever was opened is closed.

    With `meant`, a signal is how it is meant to end, and so no failure.
    """

    def end(number: int, _: object) -> None:
        # What closes is not to be cut short by the next one. Not SIG_IGN: of one that is ignored
        # when it has come already, Python complains.
        for each in _SIGNALS:
            signal.signal(each, lambda *_: None)
        sys.exit(0 if meant else 128 + number)

    # SIGINT too, since a shell's background job inherits it ignored.
    for each in _SIGNALS:
        signal.signal(each, end)
    try:
        yield
    except _TOLD as error:
        Console(stderr=True, highlight=False).print(
            str(error), style="red", markup=False, soft_wrap=True
        )
        sys.exit(1)
