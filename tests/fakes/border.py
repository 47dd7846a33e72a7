"""The border of an account: where every call to AWS passes, and where it can go wrong.

It knows no call's meaning. A happening is an error to raise, something to do (such as another
invocation), or None.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

Happening = Exception | Callable[[], object] | None


class Border:
    """Calls by operation, as boto3's clients are asked for them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        # Operations that fail until they are taken out of here.
        self.broken: dict[str, Exception] = {}
        self._before: dict[str, deque[Happening]] = defaultdict(deque)
        self._after: dict[str, deque[Happening]] = defaultdict(deque)

    def before(self, operation: str, *happenings: Happening) -> None:
        """Have these happen before its next calls, one each."""
        self._before[operation].extend(happenings)

    def after(self, operation: str, *happenings: Happening) -> None:
        """Have these happen after its next calls were carried out, one each."""
        self._after[operation].extend(happenings)

    def passed(self, operation: str, carry_out: Callable[[], Any]) -> Any:
        """Carry a call out, and what is to happen with it."""
        self.calls.append(operation)
        if operation in self.broken:
            raise self.broken[operation]
        _happen(self._before[operation])
        answer = carry_out()
        _happen(self._after[operation])
        return answer


class Watched:
    """A client whose calls pass the border."""

    def __init__(self, client: Any, border: Border) -> None:
        self._client = client
        self._border = border

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = name.title().replace("_", "")
        method = getattr(self._client, name)
        return lambda **arguments: self._border.passed(operation, lambda: method(**arguments))


def _happen(due: deque[Happening]) -> None:
    happening = due.popleft() if due else None
    if isinstance(happening, Exception):
        raise happening
    if happening:
        happening()
