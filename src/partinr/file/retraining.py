"""Layers that are not rounded yet learn to make up for those that are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from partinr.engines.engine import Adam, Engine, Plan, TrainingState, Work
from partinr.engines.packing import pack_groups
from partinr.file.coded_parameters import Place
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import Piecewise
from partinr.signals.signal import Signal

# Steps of a retraining. Their learning rate, beside the deviation of the weights that are trained: this much
# of how coarse the rounding is, but not more, falling to this share of it (`benchmarks/compact.py`).
_STEPS, _RATE, _FASTEST, _FALL = 40, 0.03, 0.02, 0.02
_ADAM = Adam(0.9, 0.95)
# Samples of a step: as many as a fit takes.
_BATCH, _BATCH_ROOT = 128, 5


class Retraining:
    """Training with some layers held.

    Where regions share samples, each learns its own value plus the blend's error, as in a fit
    (`fitting/overlap.py`).

    Args:
        model: as it is before anything is rounded.
        signal: what it was fitted to.
        engine: trains it.
    """

    def __init__(self, model: Piecewise, signal: Signal, engine: Engine) -> None:
        self._model, self._engine = model, engine
        self._samples = pack_groups(model.structure, signal, 0)
        self._steps = 0
        if model.overlap:
            self._aim_at_blend(signal)

    def _aim_at_blend(self, signal: Signal) -> None:
        own = zip(self._model.networks, self._model.parameters, self._samples, strict=True)
        found = [self._engine.evaluate(network, parameters, samples) for network, parameters, samples in own]
        errors = signal.sites().values.copy()
        for values, samples in zip(found, self._samples, strict=True):
            assert samples.points is not None
            assert samples.shares is not None
            np.subtract.at(errors, samples.points, values * samples.shares[:, None])
        for values, samples in zip(found, self._samples, strict=True):
            samples.values[:] = values + errors[samples.points]

    def without(
        self, parameters: Sequence[Parameters], held: Sequence[Sequence[Place]], coarseness: Sequence[float]
    ) -> list[Parameters]:
        """The parameters of every group after some steps, with those at these places as they were.

        Args:
            parameters: of every group.
            held: places of each group that stay.
            coarseness: of each group, how large the latest steps of rounding are beside what was rounded.
                Where they are small there is little to make up for.
        """
        work = []
        for network, own, places, coarse, samples in zip(
            self._model.networks, parameters, held, coarseness, self._samples, strict=True
        ):
            state = TrainingState.fresh(own)
            free = set(range(len(own.weights)))
            for place in places:
                second = state.second.biases if place.biases else state.second.weights
                # Adam's steps are divided by the root of this.
                second[place.layer][:] = np.inf
                free.discard(place.layer)
            deviation = np.median([own.weights[layer].std() for layer in free]) if free else 0.0
            rates = float(deviation) * min(_RATE * coarse, _FASTEST) * np.linspace(1, _FALL, _STEPS)
            batch = max(_BATCH, round(_BATCH_ROOT * math.sqrt(samples.counts.mean())))
            regions = np.arange(len(samples.counts))
            plan = Plan(regions, rates, self._steps, batch, False, self._model.signal.samples, _ADAM)
            work.append(Work(network, state, samples, plan))
        self._engine.advance_all(work, lambda _done: False)
        self._steps += _STEPS
        return [one.state.parameters for one in work]
