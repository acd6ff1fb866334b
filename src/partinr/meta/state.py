"""What changes from one outer step to the next, and one step of Adam on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from partinr.fitting.starts.start import Start
from partinr.meta.learning import Validation

# Adam's constants as published: Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015.
_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


@dataclass(eq=False)
class OuterState:
    """Everything that changes from one outer step to the next.

    Attributes:
        start: the start as it is now.
        first: Adam's running mean of the gradient, for the parameters and then the rates.
        second: running mean of the squared gradient.
        losses: of each step done, see `LearnResult.losses`.
        validation: quality on the signals held out.
        seconds: time that it took, at the last checkpoint.
    """

    start: Start
    first: list[Tensor]
    second: list[Tensor]
    losses: list[list[float]] = field(default_factory=list)
    validation: list[Validation] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def fresh(cls, start: Start) -> OuterState:
        """Before the first step."""
        zeros = [torch.zeros_like(t) for t in (*start.parameters.arrays, *start.rates.values)]
        return cls(start, zeros, [z.clone() for z in zeros])

    def update(self, gradient: list[Tensor], rate: float) -> None:
        """One step of Adam."""
        step = len(self.losses) + 1
        moved = []
        for i, (value, slope) in enumerate(
            zip([*self.start.parameters.arrays, *self.start.rates.values], gradient, strict=True)
        ):
            self.first[i] = _BETA1 * self.first[i] + (1 - _BETA1) * slope
            self.second[i] = _BETA2 * self.second[i] + (1 - _BETA2) * slope * slope
            size = (self.second[i] / (1 - _BETA2**step)).sqrt() + _EPS
            moved.append(value - rate / (1 - _BETA1**step) * self.first[i] / size)
        count = len(self.start.parameters.arrays)
        rates = moved[count:] if self.start.rates.learned else self.start.rates.values
        self.start = self.start.moved(moved[:count], rates)

    def tensors(self) -> dict[str, ndarray]:
        """The state as arrays by name, for a checkpoint."""
        named = {
            "start": [*self.start.parameters.arrays, *self.start.rates.values],
            "first": self.first,
            "second": self.second,
        }
        out = {f"{n}.{i}": t.cpu().contiguous().numpy() for n, ts in named.items() for i, t in enumerate(ts)}
        states = self.start.inner_steps + 1
        out["losses"] = np.array(self.losses, np.float64).reshape(-1, states)
        out["validation"] = np.array(self.validation, np.float64).reshape(-1, 2)
        out["seconds"] = np.array([self.seconds])
        return out

    def restore(self, tensors: dict[str, ndarray]) -> None:
        """Take over a state that `tensors` gave."""
        values = [*self.start.parameters.arrays, *self.start.rates.values]
        device = values[0].device

        def read(name: str) -> list[Tensor]:
            return [torch.tensor(tensors[f"{name}.{i}"]).to(device) for i in range(len(values))]

        now, count = read("start"), len(self.start.parameters.arrays)
        self.start = self.start.moved(now[:count], now[count:])
        self.first, self.second = read("first"), read("second")
        self.losses = tensors["losses"].tolist()
        self.validation = [Validation(int(step), psnr) for step, psnr in tensors["validation"].tolist()]
        self.seconds = float(tensors["seconds"][0])
