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
import torch

from partinr.engines.engine import Engine, Samples, TrainingState
from partinr.piecewise import PiecewiseINR
from partinr.signals.signal import Signal

EXCHANGE_STEPS = 5
"""Steps between exchanges: more cost quality, fewer cost time (`benchmarks/seams.py`)."""


class Margins:
    """The samples that several regions share, and the exchange between those regions.

    Args:
        model: the regions.
        signal: what is fitted.
        samples: of each group, with weights and points; their values are changed in place.
        engine: evaluates the regions.
    """

    def __init__(self, model: PiecewiseINR, signal: Signal, samples: list[Samples], engine: Engine) -> None:
        from scipy.sparse import csr_array

        self._networks = [group.network for group in model.group_list]
        self._samples, self._engine = samples, engine
        self._rows, self._shared = [], []
        points, weights = [], []
        for packed in samples:
            assert packed.weights is not None
            assert packed.points is not None
            rows = torch.nonzero(packed.weights < 1)[:, 0]
            offsets = np.searchsorted(rows.cpu().numpy(), packed.offsets)
            self._rows.append(rows)
            self._shared.append(Samples(packed.coords[rows], packed.values[rows], offsets, packed.keys))
            points.append(packed.points[rows].cpu().numpy())
            weights.append(packed.weights[rows].cpu().numpy())
        self._ends = np.cumsum([len(rows) for rows in self._rows])
        known, self._point = np.unique(np.concatenate(points), return_inverse=True)
        self._truth = signal.normalised().reshape(-1, signal.channels)[known]
        pairs = np.arange(len(self._point))
        self._blend = csr_array((np.concatenate(weights), (self._point, pairs)), (len(known), len(pairs)))

    def exchange(self, states: list[TrainingState]) -> None:
        """Set every region's values at shared samples to its targets."""
        own = zip(self._networks, states, self._shared, strict=True)
        values = np.concatenate([self._engine.evaluate(n, state.parameters, s) for n, state, s in own])
        # Not by torch, whose threads go on waiting for work and would keep the engine's from theirs.
        targets = values + (self._truth - self._blend @ values)[self._point]
        for packed, rows, part in zip(
            self._samples, self._rows, np.split(targets, self._ends[:-1]), strict=True
        ):
            packed.values[rows] = torch.from_numpy(part).to(packed.values.device)
