"""Errors as boto3's clients raise them, and clients that raise some before they work."""

from collections import deque

from botocore.exceptions import ClientError


class Failing:
    """A client whose calls fail, in order, before they work."""

    def __init__(self) -> None:
        self.failures: deque[Exception] = deque()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.popleft()


def client_error(code: str, status: int, operation: str, message: str = "no") -> ClientError:
    """Return the error for a code that AWS answers."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        operation,
    )
