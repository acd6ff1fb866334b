"""Reading ahead: signals are decoded, cropped and partitioned by other processes while this one learns."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import NamedTuple

from partinr.errors import InputError
from partinr.meta.collection import Collection
from partinr.meta.crops import Colour, Crop, coloured
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.processes import deaf, refuse_import_again
from partinr.signals import Signal

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

# Signals that each worker has under way or done.
_AHEAD = 2


def first_usable(collection: Collection, colour: Colour | None) -> Signal:
    """The first signal that can be read, with the channels that it would have.

    Raises:
        InputError: none can.
    """
    reasons = []
    for index in range(len(collection)):
        try:
            return coloured(collection.read(index), colour)
        except InputError as error:
            reasons.append(str(error))
    raise InputError(f"none of {len(collection)} signals can be read; {reasons[0]}")


class Wanted(NamedTuple):
    """One signal to load.

    Attributes:
        first: which; if it cannot be read, the next one in the collection that can.
        draw: decides where a random crop is.
    """

    first: int
    draw: int = 0


@dataclass(frozen=True, eq=False)
class Loaded:
    """A signal that is ready to learn on.

    Attributes:
        name: what the collection calls it.
        signal: cropped.
        partition: its regions.
        skipped: names of the signals that could not be used on the way to it, with the reasons.
    """

    name: str
    signal: Signal
    partition: Partition
    skipped: dict[str, str]


@dataclass(frozen=True)
class Preparation:
    """How a signal is made ready: everything that a worker needs to know.

    Attributes:
        collection: where it is.
        crop: which part of it.
        rule: how it is partitioned.
        channels: values a sample that it must have; None for any.
    """

    collection: Collection
    crop: Crop
    rule: Rule
    channels: int | None = None

    def load(self, wanted: Wanted) -> Loaded:
        """One signal, or the next that can be used.

        Raises:
            InputError: none can.
        """
        skipped: dict[str, str] = {}
        count = len(self.collection)
        for index in ((wanted.first + i) % count for i in range(count)):
            name = self.collection.name(index)
            try:
                signal = self.crop.of(self.collection.read(index), wanted.draw)
                if self.channels not in (None, signal.channels):
                    raise InputError(f"expected {self.channels} channels, got {signal.channels}")
                return Loaded(name, signal, self.rule.partition(signal), skipped)
            except InputError as error:
                skipped[name] = str(error)
        name, reason = next(iter(skipped.items()))
        raise InputError(f"none of {count} signals can be used; {name}: {reason}")


@dataclass(eq=False)
class Loader:
    """Loads signals, by worker processes if there are any; the order is that of the requests.

    Attributes:
        preparation: how a signal is made ready.
        workers: the processes; None to load in this one.
        ahead: most signals that are under way or done before they are taken.
        skipped: names of the signals that could not be used so far, with the reasons.
    """

    preparation: Preparation
    workers: Executor | None = None
    ahead: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    def load(self, wanted: Iterable[Wanted]) -> Iterator[Loaded]:
        """The signals asked for, in order; more is asked for than has been taken, so that nobody waits.

        Raises:
            InputError: no signal of the collection can be used.
        """
        here = self.workers is None
        for loaded in map(self.preparation.load, wanted) if here else self._read_ahead(wanted):
            self.skipped.update(loaded.skipped)
            yield loaded

    def _read_ahead(self, wanted: Iterable[Wanted]) -> Iterator[Loaded]:
        assert self.workers is not None
        waiting: deque[Future[Loaded]] = deque()
        try:
            for one in wanted:
                if len(waiting) == self.ahead:
                    yield waiting.popleft().result()
                waiting.append(self._submitted(one))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _submitted(self, wanted: Wanted) -> Future[Loaded]:
        assert self.workers is not None
        try:
            with deaf():  # may start a worker
                return self.workers.submit(_load, wanted)
        except OSError as error:  # there is no room for one, or those that there are have just ended
            raise BrokenExecutor(str(error)) from error


@contextmanager
def loading(preparation: Preparation, workers: int) -> Iterator[Loader]:
    """A loader with so many worker processes, which end with it; 0 loads in this process.

    Workers end when this process does, however it ends, and at once when loading is over: a pipe closes.

    Raises:
        InputError: this is such a process itself, which imports a script that starts some.
        MemoryError: a worker was ended by somebody else.
    """
    if not workers:
        yield Loader(preparation)
        return
    refuse_import_again()
    context = multiprocessing.get_context("spawn")  # not forked: threads of torch may hold locks
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, _begin, (preparation, theirs))
    try:
        yield Loader(preparation, pool, _AHEAD * workers)
    except BrokenExecutor as error:
        raise MemoryError("a process that decodes images was ended, perhaps for want of memory") from error
    finally:
        ours.close()
        theirs.close()
        pool.shutdown(cancel_futures=True)


def _begin(preparation: Preparation, pipe: Connection) -> None:
    """What a worker does first."""
    import signal

    def follow() -> None:
        try:
            pipe.poll(None)
        finally:  # Windows raises an error where a pipe is closed already
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)
    Thread(target=follow, daemon=True).start()
    _prepared.append(preparation)


_prepared: list[Preparation] = []  # of a worker: its own, so that it travels once


def _load(wanted: Wanted) -> Loaded:
    return _prepared[0].load(wanted)
