"""Wider networks that go on where narrower ones were: new units that nothing listens to yet."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor

from partinr.engines.engine import TrainingState
from partinr.model.networks.network import Parameters
from partinr.model.piecewise import PiecewiseINR


def carry_over(
    model: PiecewiseINR,
    states: list[TrainingState],
    wider: PiecewiseINR,
    fresh: list[TrainingState],
    old_regions: Int64[ndarray, "kept"],
    new_regions: Int64[ndarray, "kept"],
) -> None:
    """Put trained regions into a model in which their networks are as wide or wider.

    A region's units keep their parameters and moments. New units keep the fresh parameters that feed them,
    but nothing that was there listens to them: the function stays what it was until the next step.

    Args:
        model: what was trained.
        states: of each of its groups.
        wider: what is to be trained, in any groups.
        fresh: of each of its groups; changed in place.
        old_regions: regions of `model` that go on.
        new_regions: what each of them is in `wider`.

    Source: Chen, Goodfellow, Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016, with
    zeros in place of copies.
    """
    of, slot = model.group_of.numpy()[old_regions], model.slot.numpy()[old_regions]
    new_of, new_slot = wider.group_of.numpy()[new_regions], wider.slot.numpy()[new_regions]
    for g, state in enumerate(states):
        for h, grown in enumerate(fresh):
            both = (of == g) & (new_of == h)
            if both.any():
                _carry(state, torch.as_tensor(slot[both]), grown, torch.as_tensor(new_slot[both]))


def _carry(state: TrainingState, rows: Tensor, grown: TrainingState, places: Tensor) -> None:
    _embed(state.parameters, rows, grown.parameters, places, silent=True)
    _embed(state.first, rows, grown.first, places, silent=False)
    _embed(state.second, rows, grown.second, places, silent=False)


def _embed(given: Parameters, rows: Tensor, taken: Parameters, places: Tensor, *, silent: bool) -> None:
    for narrow, wide in zip(given.weights, taken.weights, strict=True):
        fan_in, fan_out = narrow.shape[1:]
        block = wide[places]
        if silent:
            block[:, fan_in:, :fan_out] = 0
        block[:, :fan_in, :fan_out] = narrow[rows]
        wide[places] = block
    for narrow, wide in zip(given.biases, taken.biases, strict=True):
        block = wide[places]
        block[:, : narrow.shape[1]] = narrow[rows]
        wide[places] = block
