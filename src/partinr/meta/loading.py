"""Reading ahead: signals are decoded, cropped and partitioned by other processes while this one learns."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NamedTuple

from partinr.errors import InputError
from partinr.meta.collection import Collection
from partinr.meta.crops import Colour, Crop, coloured
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.signals import Signal

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
        skipped: names of the signals that could not be used so far, with the reasons.
    """

    preparation: Preparation
    skipped: dict[str, str] = field(default_factory=dict)
    _pipes: list[Connection] = field(default_factory=list)

    def load(self, wanted: Iterable[Wanted]) -> Iterator[Loaded]:
        """The signals asked for, in order; more is asked for than has been taken, so that nobody waits.

        Raises:
            InputError: no signal of the collection can be used.
        """
        if not self._pipes:
            for one in wanted:
                yield self._noted(self.preparation.load(one))
            return
        waiting: deque[Connection] = deque()
        try:
            for pipe, one in zip(itertools.cycle(self._pipes), wanted, strict=False):
                if len(waiting) == _AHEAD * len(self._pipes):
                    yield self._noted(_received(waiting.popleft()))
                pipe.send(one)
                waiting.append(pipe)
            while waiting:
                yield self._noted(_received(waiting.popleft()))
        finally:
            for pipe in waiting:
                pipe.recv()

    def _noted(self, loaded: Loaded) -> Loaded:
        self.skipped.update(loaded.skipped)
        return loaded


@contextmanager
def loading(preparation: Preparation, workers: int) -> Iterator[Loader]:
    """A loader with so many worker processes, which end with it; 0 loads in this process.

    Workers end by themselves when this process does, however it ends: their pipe closes.
    """
    # Not forked: threads of torch may hold locks.
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    started = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, preparation), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            started.append(process)
        yield Loader(preparation, _pipes=pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in started:
            process.terminate()
            process.join()


def _received(pipe: Connection) -> Loaded:
    try:
        answer = pipe.recv()
    except EOFError as error:
        raise MemoryError("a process that decodes images was ended, perhaps for want of memory") from error
    if isinstance(answer, Loaded):
        return answer
    raise InputError(answer) if isinstance(answer, str) else answer


def _work(pipe: Connection, preparation: Preparation) -> None:
    """What a worker does."""
    import signal

    # Ctrl-C goes to all processes; the one that learns decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            wanted = pipe.recv()
        except (EOFError, OSError):
            return
        answer: object
        try:
            answer = preparation.load(wanted)
        except InputError as error:
            answer = str(error)
        except Exception as error:
            answer = error
        try:
            pipe.send(answer)
        except OSError:
            return
