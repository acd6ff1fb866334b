"""A signal of which a mask says what is there, both of them read in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.shapes import Bool, Shaped
from partinr.signals.missing import there_of
from partinr.tiles.source import Source, Window


class Masked(Source[None]):
    """A signal of which only some samples are there; those that it lacks itself are missing still.

    Args:
        whole: the signal.
        mask: of its shape, true or not 0 where a sample is there; of pictures in colour, all colours agree.

    Raises:
        InputError: the mask has another shape.
    """

    def __init__(self, whole: Source[Any], mask: Source[Any]) -> None:
        if mask.spec.shape != whole.spec.shape:
            raise InputError(
                f"{mask.name}: a mask must have the signal's shape {whole.spec.shape}, got {mask.spec.shape}"
            )
        super().__init__(whole.name, whole.spec, whole.ranged)
        self.whole, self.mask = whole, mask
        self.scan, self.shared = whole.scan, whole.shared and mask.shared
        # Transparency says nothing about the numbers.
        self._numbers = mask.spec.channels - (mask.spec.kind == "image" and mask.spec.channels in (2, 4))

    def _open(self) -> None:
        return None

    def close(self) -> None:
        """See `Source.close`."""
        self.whole.close()
        self.mask.close()

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return {**self.whole.identity(), "mask": self.mask.identity()}

    def parcel(self, window: Window) -> Any:
        """See `Source.parcel`."""
        return None if self.shared else self.known(window)

    def _values(self, window: Window) -> Shaped[ndarray, "*shape channels"]:
        return self.whole.values(window)

    def known(
        self, window: Window, parcel: Any = None
    ) -> tuple[Shaped[ndarray, "*shape channels"], Bool[ndarray, "*shape"] | None]:
        """See `Source.known`."""
        if parcel is not None:
            found: tuple[Any, Any] = parcel
            return found
        values, own = self.whole.known(window)
        numbers, known = self.mask.known(window)
        first = numbers[..., 0]
        if any(not np.array_equal(first, numbers[..., c], equal_nan=True) for c in range(1, self._numbers)):
            raise InputError(
                f"{self.mask.name}: expected one number for each sample, got colours; save a grey image or "
                "an array"
            )
        there = there_of(first, values.shape[:-1])
        for other in (own, known):
            there = there if other is None else there & other
        return values, there
