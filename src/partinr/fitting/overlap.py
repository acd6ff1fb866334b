"""Training with overlap: what each region is to learn at the samples that it shares with its neighbours.

The value at a shared sample is the blend of several functions, and only the blend has to be right. If every
function there changed by the blend's error e, the blend would be exact, since its weights add up to 1. So
each region's target at a shared sample is its own value plus e, both as they were at the last exchange. The
weighted sum of the regions' squared errors is then an upper bound of the blend's squared error that touches
it, with the same gradient, at the exchange: regions are trained alone between exchanges and still minimise
the error of what is rendered.

Source: the step is that of majorisation-minimisation, Hunter, Lange, "A tutorial on MM algorithms", The
American Statistician 58(1), 2004, section 2, with Jensen's inequality as the bound.
"""

from __future__ import annotations

import numpy as np

from partinr.engines.engine import Engine, Samples, SharedSamples, TrainingState
from partinr.model.packing import pack
from partinr.model.structure import Structure
from partinr.signals.signal import Signal

EXCHANGE_STEPS = 5
"""Steps between exchanges: more cost quality, fewer cost time (`benchmarks/seams.py`)."""

EXCHANGE_FROM = 4
"""Exchanges begin after one part in so many of a fit. Much later, the learning rate is too low to undo what
regions learned twice."""


class Overlap:
    """The samples that several regions share, and the exchange between those regions.

    Args:
        structure: the regions.
        signal: what is fitted.
        samples: of each group, with shares and points; their values are changed in place.
        engine: evaluates the regions.
    """

    def __init__(self, structure: Structure, signal: Signal, samples: list[Samples], engine: Engine) -> None:
        self._networks = structure.networks
        self._samples, self._engine = samples, engine
        self._own: list[Samples] = []
        rows, points, weights = [], [], []
        for packed in samples:
            assert packed.shares is not None
            assert packed.points is not None
            weight = packed.shares
            shared = np.flatnonzero(weight < 1)
            offsets = np.searchsorted(shared, packed.offsets)
            self._own.append(Samples(packed.coords[shared], packed.values[shared], offsets, packed.keys))
            rows.append(shared.astype(np.int32))
            points.append(packed.points[shared])
            weights.append(weight[shared])
        raster = np.concatenate(points)
        known = np.zeros(signal.fitted, bool)
        known[raster] = True
        place = np.cumsum(known)[raster] - 1
        by_point = pack(place, int(known.sum()))
        truth = np.ascontiguousarray(signal.sites().values[known])
        self._shared = SharedSamples(
            rows,
            np.concatenate(weights),
            place.astype(np.int32),
            by_point.order.astype(np.int32),
            by_point.offsets,
            truth,
        )

    def exchange(self, states: list[TrainingState]) -> None:
        """Set every region's values at shared samples to its targets."""
        own = zip(self._networks, states, self._own, strict=True)
        found = [self._engine.evaluate(n, state.parameters, samples) for n, state, samples in own]
        together = found[0] if len(found) == 1 else np.concatenate(found)
        self._engine.exchange(together, self._shared, self._samples)
