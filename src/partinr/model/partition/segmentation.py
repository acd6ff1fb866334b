"""What the rules that segment an image share: a number of regions, colours, merging."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from reprlib import repr as brief

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.model.partition.counts import as_count, count_from_text
from partinr.model.partition.merge import connected_components, merge_small
from partinr.model.partition.partition import Partition
from partinr.model.partition.rule import Rule
from partinr.shapes import Float32, Integer
from partinr.signals.signal import Signal


@dataclass(frozen=True)
class Segmentation(Rule):
    """A rule that takes the connected segments of an algorithm and merges the smallest until N are left.

    Regions are connected (diagonal contact counts). A signal in which the algorithm finds fewer than N
    segments gets that many regions.

    Attributes:
        regions: the number N of regions wanted.

    Raises:
        InputError: `regions` is not a whole number of at least 1.
    """

    regions: int

    def __post_init__(self) -> None:
        number = as_count(self.regions)
        if number is None:
            raise InputError(
                f"{self.name} needs a whole number of regions of at least 1, got {self.regions!r}; "
                f"write {self.name}:9"
            )
        object.__setattr__(self, "regions", number)

    @classmethod
    def from_word(cls, argument: str) -> Segmentation:
        """See `Rule.from_word`; the argument is the number of regions."""
        regions = count_from_text(argument)
        if regions is None:
            raise InputError(
                f"{cls.name} needs a number of regions of at least 1, got {brief(argument)}; "
                f"write {cls.name}:9"
            )
        return cls(regions)

    @property
    def word(self) -> str:
        """See `Rule.word`."""
        return f"{self.name}:{self.regions}"

    @abstractmethod
    def segments(self, signal: Signal) -> Integer[ndarray, "..."]:
        """Labels of at least 0 from the algorithm, for the signal's samples or for a smaller image of it.

        Raises:
            InputError: the algorithm cannot be applied to a signal of this shape or kind.
        """

    def partition(self, signal: Signal) -> Partition:
        """Segment the signal and merge the smallest segments.

        Raises:
            InputError: there are fewer samples than regions wanted, or as for `segments`.
        """
        if self.regions > signal.spec.samples:
            raise InputError(
                f"{self.word} needs at least {self.regions} samples, got {signal.spec.samples} "
                f"(shape {signal.shape}); ask for fewer regions"
            )
        labels = merge_small(connected_components(self.segments(signal)), self.regions)
        if labels.shape != signal.shape:
            nearest = [
                (2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(signal.shape, labels.shape, strict=True)
            ]
            labels = labels[np.ix_(*nearest)]
        return Partition.from_labels(labels, self.word)


def colours(signal: Signal) -> Float32[ndarray, "*shape channels"]:
    """Normalised values without alpha: of two or four channels, the last is taken for alpha."""
    values = signal.normalised()
    return values[..., :-1] if signal.channels in (2, 4) else values


def grey_or_rgb(signal: Signal, name: str) -> Float32[ndarray, "rows columns channels"]:
    """The colours of an image: one channel or three.

    Raises:
        InputError: the signal is no image, or has other channels than grey, RGB and alpha.
    """
    if len(signal.shape) != 2:
        raise InputError(
            f"{name} segments images (2 axes), got shape {signal.shape}; take grid, slic or labels"
        )
    values = colours(signal)
    if values.shape[-1] not in (1, 3):
        raise InputError(
            f"{name} segments grey or RGB images, with or without alpha, got {signal.channels} channels; "
            "take slic, grid or labels"
        )
    return values
