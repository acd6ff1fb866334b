"""How a start is learned, how far the learning is, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from numpy import ndarray

from partinr.engines.engine import Precision
from partinr.errors import InputError
from partinr.fitting.starts.inner import Method
from partinr.fitting.starts.start import Start
from partinr.meta.collection import Collection
from partinr.meta.processes import Processes
from partinr.shapes import Float64

Ending = Literal["steps", "callback", "diverged"]
"""What ended the learning."""


@dataclass(frozen=True)
class MetaRecipe:
    """How a start is learned.

    Attributes:
        method: "second-order" MAML, "first-order" MAML, or "reptile".
        batch: signals in an outer step, over all processes.
        steps: outer steps; None for one pass over the collection.
        learning_rate: of Adam, on the start and its rates.
        schedule: "constant", or "cosine" down to 0.
        clip: greatest norm of the meta-gradient, which is scaled down to it; None for any.
        precision: "bf16" computes the products between hidden layers in bfloat16, on any device.
        seed: decides the order of the signals and where random crops are.

    Raises:
        InputError: a number is out of its range.

    Source: the defaults are those of Liu et al., ICCV 2023, section 5.3.

    Example:
        >>> import partinr
        >>> partinr.MetaRecipe(batch=8, schedule="cosine").learning_rate
        0.0001
    """

    method: Method = "second-order"
    batch: int = 4
    steps: int | None = None
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    clip: float | None = None
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, count in (("batch", self.batch), ("steps", self.steps)):
            if count is not None and not 1 <= count < 1 << 40:
                raise InputError(f"{name} must be at least 1, got {count}")
        for name, number in (("learning rate", self.learning_rate), ("clip", self.clip)):
            if number is not None and not 0 < number < math.inf:
                raise InputError(f"the {name} must be a positive number, got {number}")

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of an outer step of so many."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


@dataclass(frozen=True)
class HeldOut:
    """Signals that are looked at while a start is learned on others.

    Attributes:
        collection: the signals.
        every: outer steps between two looks; None for a tenth of all.

    Raises:
        InputError: fewer than one step between two looks.

    Example:
        >>> import numpy as np, tempfile, partinr
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/wave.npy", np.sin(np.linspace(0, 6, 50)))
        >>> len(partinr.HeldOut(partinr.open_collection(folder), every=10).collection)
        1
    """

    collection: Collection
    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise InputError(f"the steps between validations must be at least 1, got {self.every}")


@dataclass(frozen=True)
class MetaCompute:
    """Where and how a start is learned or judged; the result does not depend on the workers.

    Attributes:
        device: where to compute.
        at_once: values of the widest layer that are computed at once, which bounds the memory; None: what
            suits the device.
        workers: processes that decode, crop and partition ahead; 0 for none.
        processes: this process among several that learn together; None for one.

    Example:
        >>> import partinr
        >>> partinr.MetaCompute(workers=2).device
        'cpu'
    """

    device: torch.device | str = "cpu"
    at_once: int | None = None
    workers: int = 0
    processes: Processes | None = None


class Validation(NamedTuple):
    """Quality on the signals that were held out.

    Attributes:
        step: outer steps done.
        psnr: mean PSNR in dB after the inner steps.
    """

    step: int
    psnr: float


@dataclass(frozen=True)
class MetaProgress:
    """Where the learning stands; given to the callback before each outer step.

    Attributes:
        step: outer steps done.
        steps: outer steps planned.
        seconds: since the start, time before an interruption included.
        before: PSNR in dB of the last batch's mean squared error at the start; None before the first step.
        after: the same after the inner steps.
        validation: the last look at the signals held out; None before the first.
    """

    step: int
    steps: int
    seconds: float
    before: float | None
    after: float | None
    validation: Validation | None


MetaCallback = Callable[[MetaProgress], "bool | None"]
"""Called before each outer step; returning True stops the learning, which keeps what it has."""


@dataclass(frozen=True, eq=False)
class LearnResult:
    """A learned start.

    Attributes:
        start: the start, on the CPU; its summary says how it was learned.
        losses: mean squared error of each outer step's batch before each inner step and after the last,
            shape (outer steps, inner steps + 1).
        validation: quality on the signals held out, along the way.
        seconds: duration.
        stopped: "steps"; "callback"; or "diverged": the next step's gradient was not finite, and the start
            is that of the step before.
        skipped: names of the signals that could not be used, with the reasons.
    """

    start: Start
    losses: Float64[ndarray, "steps states"]
    validation: list[Validation]
    seconds: float
    stopped: Ending
    skipped: dict[str, str]
