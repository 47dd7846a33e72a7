"""Calls to AWS, and what their errors mean. The only file that knows botocore's errors.

It knows no server, no event and no decision.
"""

from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from handler.reconcile import DeniedError, GoneError, RefusedError, UnavailableError

# Nothing repeats below us: the loop has the deadline, and counts the commands.
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
PAUSES_S = (1, 4)
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException"}
_DENIED = {"AccessDeniedException", "AccessDenied"}
# Where the permission is not named after the operation.
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}


class _Loader(Loader):
    """Botocore's data, without a look through its folders of four hundred services."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - of each type
        return ["cloudformation", "lambda", "transfer"]


def make_client(service: str) -> Any:
    """Make a client; endpoints come through botocore's own environment variables."""
    session = get_session()
    session.register_component("data_loader", _Loader())
    return session.create_client(service, config=CONFIG)


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
            raise UnavailableError(f"{action}: {_name(error)}", maybe_done=False) from error
        except (HTTPClientError, ResponseParserError) as error:
            raise UnavailableError(f"{action}: {_name(error)}", maybe_done=True) from error
        except BotoCoreError as error:
            raise RefusedError(f"{action}: {_words(error)}") from error

    def insist(
        self,
        sleep: Callable[[float], None],
        service: str,
        operation: str,
        pauses_s: tuple[float, ...] = PAUSES_S,
        **arguments: Any,
    ) -> Any:
        """Call an operation again after each pause, while it is unavailable."""
        for pause_s in pauses_s:
            try:
                return self.call(service, operation, **arguments)
            except UnavailableError:
                sleep(pause_s)
        return self.call(service, operation, **arguments)


def _meaning(error: ClientError, action: str) -> Exception:
    code = str(error.response["Error"].get("Code"))
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    if code in _THROTTLED or status >= 500:
        return UnavailableError(
            f"{action}: {code}",
            maybe_done=code not in _THROTTLED,
            retry_after_s=_seconds(error.response) if code in _THROTTLED else 0,
        )
    if code in _DENIED:
        return DeniedError(action)
    words = f"{action}: {code}: {_words(error.response['Error'].get('Message'))}"
    return (GoneError if code == "ResourceNotFoundException" else RefusedError)(words)


def _seconds(response: Any) -> float:
    text = str(response.get("RetryAfterSeconds"))
    return max(1.0, float(text)) if text.isdecimal() else 1.0


def _words(text: object) -> str:
    return " ".join(str(text).split())[:120]


def _name(error: Exception) -> str:
    return type(error).__name__
