"""What a fit did, step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from partinr.shapes import Float64, Int64, Shaped


def _empty() -> Float64[ndarray, "0"]:
    return np.empty(0)


class Measurement(NamedTuple):
    """Quality of the rendered signal at one moment of a fit.

    Attributes:
        steps: updates done by then.
        seconds: since the start of the fit, the time that measuring takes left out.
        psnr: PSNR in dB of the rendering (clipped and rounded as `render` does).
        ssim: structural similarity of the same, None where an axis is shorter than 11 samples.

    Example:
        >>> import numpy as np, partinr
        >>> watch = partinr.Watch(measure_at=(0, 10, 20))
        >>> result = partinr.fit(np.eye(16), goal=partinr.Steps(20), watch=watch)
        >>> [measurement.steps for measurement in result.history.measured]
        [0, 10, 20]
    """

    steps: int
    seconds: float
    psnr: float
    ssim: float | None


@dataclass(eq=False)
class History:
    """One entry a step.

    Attributes:
        seconds: since the start of the fit, at the end of the step, checks and checkpoints included.
        loss: mean squared error of the samples that the step used, before its update; normalised values.
        measured: quality after the steps that `fit` was asked to measure at; not one entry a step.
    """

    seconds: Float64[ndarray, "steps"] = field(default_factory=_empty)
    loss: Float64[ndarray, "steps"] = field(default_factory=_empty)
    measured: list[Measurement] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def step(self) -> Int64[ndarray, "steps"]:
        """Updates done before each entry: 0, 1, 2, ..."""
        return np.arange(len(self.loss), dtype=np.int64)

    @property
    def psnr(self) -> Float64[ndarray, "steps"]:
        """PSNR in dB of each loss (not clipped to the value range, as the paper has it)."""
        with np.errstate(divide="ignore"):
            psnr: Float64[ndarray, "steps"] = -10 * np.log10(self.loss)
        return psnr

    def psnr_after(self, seconds: float) -> float:
        """PSNR in dB of the last loss that was known after so many seconds; before any, of the first."""
        return float(self.psnr[max(int(np.searchsorted(self.seconds, seconds, side="right")) - 1, 0)])

    def seconds_to(self, psnr: float) -> float | None:
        """Seconds after which the loss first had this PSNR (dB); None if it never had."""
        there = np.flatnonzero(self.psnr >= psnr)
        return float(self.seconds[there[0]]) if len(there) else None

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Shaped[ndarray, "..."]]) -> History:
        """The history that `arrays` came from."""
        measured = [
            Measurement(int(steps), seconds, psnr, None if math.isnan(ssim) else ssim)
            for steps, seconds, psnr, ssim in arrays["measured"].tolist()
        ]
        return cls(arrays["seconds"], arrays["loss"], measured)

    def arrays(self) -> dict[str, Float64[ndarray, "..."]]:
        """Everything in it, for a checkpoint; a similarity of None becomes NaN."""
        measured = np.array(self.measured, np.float64).reshape(-1, len(Measurement._fields))
        return {"seconds": self.seconds, "loss": self.loss, "measured": measured}

    def extend(self, losses: Float64[ndarray, "n"], seconds: float) -> None:
        """Add steps that ended at `seconds`; the time since the last entry is shared among them evenly."""
        before = self.seconds[-1] if len(self) else 0.0
        added = np.linspace(before, seconds, len(losses) + 1)[1:]
        self.seconds = np.concatenate([self.seconds, added])
        self.loss = np.concatenate([self.loss, losses])
