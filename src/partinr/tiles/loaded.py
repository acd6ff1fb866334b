"""Tiles that were decoded a moment ago, kept as far as memory is given."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from partinr.cores import usable_cores
from partinr.model.piecewise import Piecewise
from partinr.tiles.layout import Index


class Loaded:
    """The functions of tiles; the least recently used ones are forgotten.

    Any number of threads may ask; a tile that several want at once is decoded once.

    Args:
        load: gives a tile's function.
        memory: bytes that all may take together; one is kept, however large.
    """

    def __init__(self, load: Callable[[Index], Piecewise], memory: int) -> None:
        self._load, self._memory = load, memory
        self._lock = threading.Lock()
        self._held: OrderedDict[Index, Future[Piecewise]] = OrderedDict()
        self._bytes: dict[Index, int] = {}

    def all(self, indices: Iterable[Index]) -> list[Piecewise]:
        """The functions of several tiles, decoded side by side.

        Raises:
            InputError: one of them cannot be read.
        """
        wanted = list(indices)
        at_once = min(len(wanted), usable_cores())
        if at_once <= 1:
            return [self.one(index) for index in wanted]
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(self.one, wanted))

    def one(self, index: Index) -> Piecewise:
        """The function of a tile.

        Raises:
            InputError: it cannot be read.
        """
        with self._lock:
            found = self._held.get(index)
            mine = found is None
            if found is None:
                found = self._held[index] = Future()
            self._held.move_to_end(index)
        if mine:
            try:
                # Rendering needs no spectra, which are larger than what is made of them.
                model = self._load(index)
                model = replace(model, spectra=None, rounded=model.roundings)
            except BaseException as error:
                with self._lock:
                    self._held.pop(index, None)
                found.set_exception(error)
                raise
            self._keep(index, sum(a.nbytes for own in model.parameters for a in own.arrays))
            found.set_result(model)
        return found.result()

    def _keep(self, index: Index, size: int) -> None:
        with self._lock:
            self._bytes[index] = size
            for oldest in [one for one in self._held if one in self._bytes]:
                if oldest == index or sum(self._bytes.values()) <= self._memory:
                    break
                del self._held[oldest], self._bytes[oldest]
