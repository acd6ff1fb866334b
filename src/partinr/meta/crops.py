"""From a signal of any size to one of the size that is learned on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.hashing import splitmix64
from partinr.shapes import Float32, Shaped
from partinr.signals import Signal

Colour = Literal["rgb", "grey"]

# Luma of ITU-R BT.601, as pictures are usually turned grey.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Crop:
    """The part of each signal that is learned on.

    Attributes:
        size: samples along each axis.
        where: "centre", as published, or "random", another part each time.
        resize: first make the signal as small as it can be with `size` still in it.
        colour: what signals become: "rgb" repeats grey, "grey" takes the luma; both drop the alpha of
            pictures. None: pictures become RGB, arrays keep their channels.

    Raises:
        InputError: the size has no axes, more than three, or an empty one.

    Example:
        >>> import numpy as np, partinr
        >>> photo = partinr.from_array(np.zeros((20, 30, 3), np.uint8))
        >>> partinr.Crop((16, 16)).of(photo).shape
        (16, 16)
    """

    size: tuple[int, ...]
    where: Literal["centre", "random"] = "centre"
    resize: bool = False
    colour: Colour | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.size) <= 3 or any(n < 1 for n in self.size):
            raise InputError(f"a crop has 1 to 3 axes of at least one sample, got {self.size}")

    def of(self, signal: Signal, draw: int = 0) -> Signal:
        """The part of a signal.

        Args:
            signal: of any size.
            draw: decides where a random crop is.

        Raises:
            InputError: the signal has other axes, is smaller than the crop, or its channels are no colours.
        """
        if signal.missing:
            raise InputError(f"{signal.missing:,} samples are missing; starts are learned from whole signals")
        if len(signal.shape) != len(self.size):
            raise InputError(f"expected {_axes(len(self.size))}, got {_axes(len(signal.shape))}")
        signal = coloured(signal, self.colour)
        if self.resize:
            signal = _resized(signal, self.size)
        if any(n < want for n, want in zip(signal.shape, self.size, strict=True)):
            raise InputError(
                f"smaller than the crop: {_spelled(signal.shape)} samples against {_spelled(self.size)}; "
                "take a smaller crop or resize"
            )
        key = np.array([draw % (1 << 64)], np.uint64)
        part = []
        for n, want in zip(signal.shape, self.size, strict=True):
            key = splitmix64(key)
            free = n - want
            first = free // 2 if self.where == "centre" else int(key[0] % np.uint64(free + 1))
            part.append(slice(first, first + want))
        values = np.ascontiguousarray(signal.values[tuple(part)])
        edges = [(float(p.start), float(p.stop)) for p in part]
        return Signal(values, signal.spec.resampled(self.size, edges), signal.metadata)


def coloured(signal: Signal, colour: Colour | None) -> Signal:
    """A signal in colour or grey, pictures without alpha; see `Crop.colour`.

    Raises:
        InputError: an array whose channels are neither grey nor RGB.
    """
    values = signal.values
    if signal.spec.kind == "image" and signal.channels in (2, 4):
        values = values[..., :-1]
    elif signal.spec.kind != "image" and colour is None:
        return signal
    channels = values.shape[-1]
    if channels not in (1, 3):
        raise InputError(
            f"an array of {channels} channels cannot be made {colour}, one of 1 or 3 can; save those channels"
        )
    if colour == "grey" and channels == 3:
        luma = values.astype(np.float64) @ np.array(_LUMA)
        values = (luma if values.dtype.kind == "f" else np.rint(luma)).astype(values.dtype)[..., None]
    elif colour != "grey" and channels == 1:
        values = np.repeat(values, 3, axis=-1)
    if values is signal.values:
        return signal
    spec = replace(signal.spec, channels=values.shape[-1], channel_axis=values.shape[-1] > 1)
    return Signal(values, spec, signal.metadata)


def colour_of(channels: int) -> Colour | None:
    """What signals are made so that they have so many channels; None where that cannot be said."""
    return {1: "grey", 3: "rgb"}.get(channels)  # type: ignore[return-value]


def _resized(signal: Signal, size: tuple[int, ...]) -> Signal:
    """Shrunk or enlarged, in proportion, so that the crop just fits in."""
    factor = max(want / n for n, want in zip(signal.shape, size, strict=True))
    shape = tuple(max(want, round(n * factor)) for n, want in zip(signal.shape, size, strict=True))
    if shape == signal.shape:
        return signal
    from skimage.transform import resize

    made: Float32[ndarray, "*shape channels"] = resize(
        signal.normalised(), (*shape, signal.channels), order=1, anti_aliasing=factor < 1
    )
    spec = signal.spec.resampled(shape)
    values: Shaped[ndarray, "*shape channels"] = spec.quantise(np.clip(made, 0, 1))
    return Signal(values, spec, signal.metadata)


def _spelled(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"


def default_size(dims: int) -> tuple[int, ...]:
    """The published size on one and two axes.

    Raises:
        InputError: with three axes there is none.
    """
    if dims > 2:
        raise InputError("signals of three axes need a crop; give its size")
    return (256,) * dims
