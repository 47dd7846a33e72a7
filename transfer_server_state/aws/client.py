"""Calls to AWS, and what their errors mean: no other file asks for AWS's codes and statuses.

It knows no server, no event and no decision.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from transfer_server_state.clock import Clock
from transfer_server_state.machine import COMMANDS
from transfer_server_state.outcome import Outcome
from transfer_server_state.words import printable

# Nothing repeats below us: the loop has the deadline, and counts the commands.
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
# As botocore's retries have them, but for LimitExceededException, which is of a quota and stays.
THROTTLED = {
    "BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "ThrottledException", "Throttling",
    "ThrottlingException", "TooManyRequestsException", "TransactionInProgressException",
}  # fmt: skip
TRANSIENT = {"RequestTimeout", "RequestTimeoutException", "InternalError"}
_PASSING_STATUSES = {408, 429}
# The server may not be ready for a command yet, even when it is ONLINE.
_NOT_READY = {"ConflictException"}
# Passing for a while, too: new permissions and new credentials take their time.
_DENIED = {
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
    "IncompleteSignature", "InvalidClientTokenId", "NotAuthorized", "OptInRequired",
    "UnrecognizedClientException",
}  # fmt: skip
# Where the permission is not named after the operation.
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}


class UnavailableError(Exception):
    """AWS gave no answer, or none for now; the text says to what.

    `maybe_done`: the call may have taken effect all the same. `throttled`: too many of them.
    `outcome`: how a request ends that waits for it in vain.
    """

    outcome = Outcome.UNANSWERED

    def __init__(self, text: str, *, maybe_done: bool = False, throttled: bool = False) -> None:
        super().__init__(text)
        self.maybe_done = maybe_done
        self.throttled = throttled

    @property
    def did_nothing(self) -> bool:
        """Tell whether the call surely had no effect, and another may."""
        return not self.maybe_done


class PutOffError(UnavailableError):
    """AWS is not ready for it, and says why."""

    outcome = Outcome.TIMED_OUT


class RefusedError(Exception):
    """AWS said no; the text says to what and why, `code` is AWS's word for it."""

    def __init__(self, text: str, code: str = "", outcome: Outcome = Outcome.REFUSED) -> None:
        super().__init__(text)
        self.code = code
        self.outcome = outcome

    @property
    def did_nothing(self) -> bool:
        """Tell whether another call may have an effect, once what forbids it is mended."""
        return self.outcome is not Outcome.REFUSED


class _Loader(Loader):
    """Botocore's data, without a look through its folders of four hundred services."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - of each type
        return ["cloudformation", "dynamodb", "events", "lambda", "transfer"]


@cache
def _session() -> Any:
    session = get_session()
    session.register_component("data_loader", _Loader())
    return session


def make_client(service: str) -> Any:
    """Make a client; endpoints come through botocore's own environment variables."""
    return _session().create_client(service, config=CONFIG)


class Aws:
    """AWS, call by call; a client is made when it is first needed."""

    def __init__(self, client: Callable[[str], Any] = make_client) -> None:
        self._client = client
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call an operation by its name in the API.

        Raises UnavailableError where another try may help, else a RefusedError.
        """
        action = f"{service}:{operation}"
        try:
            if service not in self._clients:
                self._clients[service] = self._client(service)
            return getattr(self._clients[service], xform_name(operation))(**arguments)
        except ClientError as error:
            raise _meaning(error, _ACTIONS.get(action, action)) from error
        except NotConnectedError as error:
            raise UnavailableError(f"{action}: {type(error).__name__}") from error
        except (HTTPClientError, ResponseParserError) as error:
            raise UnavailableError(f"{action}: {type(error).__name__}", maybe_done=True) from error
        except BotoCoreError as error:
            raise RefusedError(f"{action}: {printable(error)}") from error


class Patient(Aws):
    """AWS for who has no loop of its own: what surely did nothing is tried again twice.

    But for commands: they leave soon after they were written down, or not at all.
    """

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call an operation, as Aws does."""
        for pause_s in (1, 3):
            try:
                return self._aws.call(service, operation, **arguments)
            except UnavailableError as error:
                if error.maybe_done or operation in COMMANDS:
                    raise
                self._clock.sleep(pause_s)
        return self._aws.call(service, operation, **arguments)


def _meaning(error: ClientError, action: str) -> Exception:
    code = str(error.response["Error"].get("Code"))
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    text = f"{action}: {code}: {printable(error.response['Error'].get('Message'))}"
    if code in _NOT_READY:
        return PutOffError(text)
    throttled = code in THROTTLED or status == 429
    if throttled or code in TRANSIENT or status in _PASSING_STATUSES or status >= 500:
        return UnavailableError(f"{action}: {code}", maybe_done=not throttled, throttled=throttled)
    return RefusedError(text, code, Outcome.DENIED if code in _DENIED else Outcome.REFUSED)
