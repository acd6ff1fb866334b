"""The native engine: regions trained in a core's cache by a fused kernel (`native/`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy import ndarray

from partinr.cores import usable_cores
from partinr.engines.engine import (
    Engine,
    Plan,
    Precision,
    Samples,
    SharedSamples,
    Tick,
    TrainingState,
    Work,
)
from partinr.engines.readout import check_solvable, has_product, whole_boxes, with_readout
from partinr.errors import InputError
from partinr.model import kernel
from partinr.model.networks.network import Network, Parameters
from partinr.shapes import Float32, Float64

if TYPE_CHECKING:
    from partinr import _native


class CpuEngine(Engine):
    """Trains every region to the end of the plan on one core, in that core's cache, regions side by side.

    Threads that find no region left share the samples of the large ones that are still in work, so one region
    alone keeps all threads busy. A step's samples are cut into slices by a rule that knows no threads, and
    the slices' gradients are added in order: results do not depend on the number of threads.

    Args:
        threads: threads to use, None for one on each core that the process may use.
        precision: "bf16" trains with hidden layers' products in bfloat16 and everything else in single
            precision, on processors with AVX-512 BF16.

    Raises:
        InputError: the kernel was not compiled when partinr was installed, or cannot run on this processor.
    """

    name: ClassVar[str] = "cpu"

    def __init__(self, threads: int | None = None, precision: Precision = "fp32") -> None:
        missing = kernel.why_missing()
        if missing is not None:
            raise InputError(f"engine cpu is not available: {missing}; use --engine torch")
        lacking = kernel.why_no_bf16() if precision == "bf16" else None
        if lacking is not None:
            raise InputError(f"{lacking}; use --precision fp32")
        self._precision: Precision = precision
        self._threads = threads or usable_cores()

    @property
    def precision(self) -> Precision:
        """See `Engine.precision`."""
        return self._precision

    @property
    def threads(self) -> int:
        """How many threads it uses where there is enough to do."""
        return self._threads

    @property
    def isa(self) -> str:
        """Instruction set that the kernel uses here."""
        from partinr import _native

        return _native.isa() if self._precision == "fp32" else _native.bf16()

    def advance(
        self, network: Network, state: TrainingState, samples: Samples, plan: Plan, tick: Tick
    ) -> Float64[ndarray, "k steps"]:
        """See `Engine.advance`."""
        (losses,) = self.advance_all([Work(network, state, samples, plan)], tick)
        return losses

    def advance_all(self, work: Sequence[Work], tick: Tick) -> list[Float64[ndarray, "k steps"]]:
        """See `Engine.advance_all`."""
        from partinr import _native

        losses = [
            np.full((len(one.plan.regions), len(one.plan.learning_rates)), np.nan, np.float32) for one in work
        ]
        told = 0

        def stop() -> bool:
            nonlocal told
            done = sum(int(np.count_nonzero(~np.isnan(found))) for found in losses)
            told, new = done, done - told
            return tick(new)

        jobs = [_job(one, found) for one, found in zip(work, losses, strict=True)]
        _native.train(jobs, threads=self._threads, stop=stop, precision=self._precision)
        return [found.astype(np.float64) for found in losses]

    def evaluate(
        self, network: Network, parameters: Parameters, samples: Samples
    ) -> Float32[ndarray, "samples channels"]:
        """See `Engine.evaluate`."""
        from partinr import _native

        out = np.empty(samples.values.shape, np.float32)
        _native.evaluate(
            kernel.spec(network, samples.coords.shape[1], samples.values.shape[1]),
            *parameters,
            samples.coords,
            samples.offsets,
            np.arange(len(samples.counts)),
            threads=self._threads,
            out=out,
        )
        return out

    def solve_readout(
        self, network: Network, parameters: Parameters, samples: Samples, ridge: float
    ) -> Parameters:
        """See `Engine.solve_readout`."""
        from partinr import _native

        apart = whole_boxes(samples)
        if samples.extents is not None and network.unsolvable(samples.extents[apart]) is not None:
            apart[apart] = [has_product(samples, r) for r in np.flatnonzero(apart).tolist()]
        check_solvable(network, samples, apart)
        regions, channels = len(samples.counts), samples.values.shape[1]
        out = np.empty((regions, network.read_features(samples.coords.shape[1]) + 1, channels), np.float32)
        _native.solve_readout(
            kernel.spec(network, samples.coords.shape[1], samples.values.shape[1]),
            *parameters,
            samples.coords,
            samples.values,
            samples.offsets,
            ridge=ridge,
            sample_weights=samples.weights,
            extents=samples.extents,
            threads=self._threads,
            out=out,
        )
        return with_readout(network, parameters, out)

    def exchange(
        self, found: Float32[ndarray, "pairs channels"], shared: SharedSamples, samples: list[Samples]
    ) -> None:
        """See `Engine.exchange`."""
        from partinr import _native

        _native.exchange(
            found,
            shared.weights,
            shared.points,
            shared.offsets,
            shared.order,
            shared.truth,
            shared.rows,
            [packed.values for packed in samples],
            threads=self._threads,
        )


def _job(work: Work, losses: Float32[ndarray, "k steps"]) -> _native.Job:
    """What the kernel is to do, and where it writes the losses."""
    from partinr import _native

    network, state, samples, plan = work.network, work.state, work.samples, work.plan
    channels = samples.values.shape[1]
    counts = samples.counts
    used = counts if plan.batch is None else np.minimum(counts, plan.batch)
    size = np.full(len(counts), plan.signal_samples) if plan.whole_signal else used
    with np.errstate(over="ignore"):  # a rate beyond single precision makes the fit diverge, which is noticed
        rates = plan.learning_rates.astype(np.float32)
    return _native.Job(
        kernel.spec(network, samples.coords.shape[1], channels),
        *state.parameters,
        *state.first,
        *state.second,
        samples.coords,
        samples.values,
        samples.offsets,
        plan.regions,
        samples.keys,
        first_step=plan.start,
        learning_rates=rates,
        batch=plan.batch or 0,
        beta1=plan.adam.beta1,
        beta2=plan.adam.beta2,
        eps=plan.adam.eps,
        loss_scale=1.0 / (np.maximum(size, 1) * channels),
        losses=losses,
        sample_weights=samples.weights,
    )
