"""Pictures and .inr files from elsewhere, measured like the runs of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from partinr.errors import InputError
from partinr.file.inr import load
from partinr.model.rendering import render
from partinr.shapes import Shaped
from partinr.signals import read
from partinr.signals.decoding import MAX_PIXELS
from partinr.signals.metrics import psnr as psnr_of
from partinr.signals.metrics import similarity
from partinr.signals.signal import Signal


@dataclass(frozen=True, eq=False)
class Rival:
    """A reconstruction of the signal that was made elsewhere.

    Attributes:
        name: of its file.
        values: in the signal's units.
        psnr: PSNR in dB, over what is there.
        ssim: structural similarity; None for signals too small for it.
        params: of an .inr file; None for others.
        bytes: size of the file.

    Example:
        >>> import os, partinr, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "other.npy")
        >>> np.save(path, np.eye(20) + 0.1)
        >>> round(Rival.read(path, partinr.from_array(np.eye(20))).psnr, 2)
        20.0
    """

    name: str
    values: Shaped[ndarray, "*shape channels"]
    psnr: float
    ssim: float | None
    params: int | None
    bytes: int

    @property
    def bits(self) -> float:
        """Bits a sample of the file, all channels together."""
        return 8 * self.bytes / math.prod(self.values.shape[:-1])

    @classmethod
    def read(cls, path: str | Path, signal: Signal, *, max_pixels: int | None = MAX_PIXELS) -> Rival:
        """Read a reconstruction and measure it.

        Integers of another depth than the signal's are rescaled; floating-point numbers are taken to be in
        the signal's units.

        Args:
            path: an .inr file, which is rendered at its own size, or anything that `partinr.read` reads.
            signal: what it reconstructs.
            max_pixels: see `partinr.read`.

        Raises:
            InputError: the file cannot be read, or has another shape or number of channels than the signal.
        """
        file = Path(path)
        params = None
        if file.suffix.lower() == ".inr":
            model = load(file, max_samples=max_pixels)
            params, spec = model.params, model.signal
            values = render(model).reshape(*spec.shape, spec.channels)
        else:
            other = read(file, max_pixels=max_pixels)
            spec, values = other.spec, other.values
        if values.shape != signal.values.shape:
            raise InputError(
                f"the reference {file} must have the signal's shape {signal.values.shape} (channels last), "
                f"got {values.shape}; render or resize it to that size"
            )
        low, high = signal.spec.value_range
        if spec.dtype != signal.spec.dtype:
            integers = {np.dtype(one.dtype).kind for one in (spec, signal.spec)} <= {"u", "i"}
            bottom, top = spec.value_range if integers else (low, high)
            values = signal.spec.quantise((values.astype(np.float64) - bottom) / (top - bottom))
        weights = signal.importance()
        psnr = psnr_of(signal.values, values, high - low, weights)
        ssim = similarity(signal.spec, signal.values, values, weights)
        return cls(file.name, values, psnr, ssim, params, file.stat().st_size)
