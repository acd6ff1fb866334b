"""What was made a moment ago, kept as far as memory is given."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from partinr.cores import usable_cores

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class Room:
    """Memory that values of several kinds share: those that were used longest ago are forgotten.

    Args:
        memory: bytes that all may take together; one is kept, however large.
    """

    def __init__(self, memory: int) -> None:
        self.lock = threading.Lock()
        self._memory, self._taken = memory, 0
        self._sizes: OrderedDict[tuple[Kept[Any, Any], Any], int] = OrderedDict()

    def used(self, one: tuple[Kept[Any, Any], Any]) -> None:
        """A value was asked for; the lock is held."""
        if one in self._sizes:
            self._sizes.move_to_end(one)

    def taken(self, one: tuple[Kept[Any, Any], Any], size: int) -> None:
        """A value was made; the lock is held."""
        self._sizes[one] = size
        self._taken += size
        while self._taken > self._memory and len(self._sizes) > 1:
            (kept, name), size = self._sizes.popitem(last=False)
            self._taken -= size
            kept.forget(name)


class Kept(Generic[Name, Value]):
    """Values by their names.

    Any number of threads may ask; what several want at once is made once.

    Args:
        make: gives a value.
        size: of a value in bytes.
        room: that there is for them.
    """

    def __init__(self, make: Callable[[Name], Value], size: Callable[[Value], int], room: Room) -> None:
        self._make, self._size, self._room = make, size, room
        self._held: dict[Name, Future[Value]] = {}

    def all(self, names: Iterable[Name]) -> list[Value]:
        """Several values, made side by side.

        Raises:
            InputError: one of them cannot be made.
        """
        wanted = list(names)
        with self._room.lock:
            missing = sum(name not in self._held for name in wanted)
        at_once = min(missing, usable_cores())
        if at_once <= 1:
            return [self.one(name) for name in wanted]
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.one, wanted))

    def one(self, name: Name) -> Value:
        """A value.

        Raises:
            InputError: it cannot be made.
        """
        with self._room.lock:
            found = self._held.get(name)
            mine = found is None
            if found is None:
                found = self._held[name] = Future()
            self._room.used((self, name))
        if not mine:
            return found.result()
        try:
            value = self._make(name)
        except BaseException as error:
            with self._room.lock:
                self.forget(name)
            found.set_exception(error)
            raise
        with self._room.lock:
            self._room.taken((self, name), self._size(value))
        found.set_result(value)
        return value

    def forget(self, name: Name) -> None:
        """Make it anew if it is asked for again; the lock is held."""
        del self._held[name]
