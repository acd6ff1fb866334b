"""What was made a moment ago, kept as far as memory is given."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from partinr.cores import usable_cores

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Name, Value]):
    """Values by their names; the least recently used ones are forgotten.

    Any number of threads may ask; what several want at once is made once.

    Args:
        make: gives a value.
        size: of a value in bytes.
        memory: bytes that all may take together; one is kept, however large.
    """

    def __init__(self, make: Callable[[Name], Value], size: Callable[[Value], int], memory: int) -> None:
        self._make, self._size, self._memory = make, size, memory
        self._lock = threading.Lock()
        self._held: OrderedDict[Name, Future[Value]] = OrderedDict()
        self._bytes: dict[Name, int] = {}

    def all(self, names: Iterable[Name]) -> list[Value]:
        """Several values, made side by side.

        Raises:
            InputError: one of them cannot be made.
        """
        wanted = list(names)
        at_once = min(len(wanted), usable_cores())
        if at_once <= 1:
            return [self.one(name) for name in wanted]
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.one, wanted))

    def one(self, name: Name) -> Value:
        """A value.

        Raises:
            InputError: it cannot be made.
        """
        with self._lock:
            found = self._held.get(name)
            mine = found is None
            if found is None:
                found = self._held[name] = Future()
            self._held.move_to_end(name)
        if mine:
            try:
                value = self._make(name)
            except BaseException as error:
                with self._lock:
                    self._held.pop(name, None)
                found.set_exception(error)
                raise
            self._keep(name, self._size(value))
            found.set_result(value)
        return found.result()

    def _keep(self, name: Name, size: int) -> None:
        with self._lock:
            self._bytes[name] = size
            for oldest in [one for one in self._held if one in self._bytes]:
                if oldest == name or sum(self._bytes.values()) <= self._memory:
                    break
                del self._held[oldest], self._bytes[oldest]
