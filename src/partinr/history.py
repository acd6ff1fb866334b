"""What a fit did, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray


def _empty() -> Float64[ndarray, "0"]:
    return np.empty(0)


@dataclass(eq=False)
class History:
    """One entry a step.

    Attributes:
        seconds: since the start of the fit, at the end of the step, checks and checkpoints included.
        loss: mean squared error of the samples that the step used, before its update; normalised values.
    """

    seconds: Float64[ndarray, "steps"] = field(default_factory=_empty)
    loss: Float64[ndarray, "steps"] = field(default_factory=_empty)

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

    def extend(self, losses: Float64[ndarray, "n"], seconds: float) -> None:
        """Add steps that ended at `seconds`; the time since the last entry is shared among them evenly."""
        before = self.seconds[-1] if len(self) else 0.0
        added = np.linspace(before, seconds, len(losses) + 1)[1:]
        self.seconds = np.concatenate([self.seconds, added])
        self.loss = np.concatenate([self.loss, losses])
