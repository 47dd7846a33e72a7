"""An event loop on a thread of its own, for others to have coroutines run on; and alarms there."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """It runs from its making until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="sftp-endpoints")
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and wait for what it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """End what runs there, and the thread."""
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Alarm:
    """One call that lies ahead on the running loop, or none."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    def set(self, delay_s: float, call: Callable[[], object]) -> None:
        """Have a call made later, unless one lies ahead already."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(delay_s, self._ring, call)

    def clear(self) -> None:
        """Have none made."""
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def _ring(self, call: Callable[[], object]) -> None:
        self._handle = None
        call()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
