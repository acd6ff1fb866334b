"""Wider networks that go on where narrower ones were: new units that nothing listens to yet."""

from __future__ import annotations

from numpy import ndarray

from partinr.engines.engine import TrainingState
from partinr.model.networks.network import Parameters
from partinr.model.structure import Structure
from partinr.shapes import Int64


def carry_over(
    structure: Structure,
    states: list[TrainingState],
    wider: Structure,
    fresh: list[TrainingState],
    old_regions: Int64[ndarray, "kept"],
    new_regions: Int64[ndarray, "kept"],
) -> None:
    """Put trained regions into a structure in which their networks are as wide or wider.

    A region's units keep their parameters and moments. New units keep the fresh parameters that feed them,
    but nothing that was there listens to them: the function stays what it was until the next step.

    Args:
        structure: what was trained.
        states: of each of its groups.
        wider: what is to be trained, in any groups.
        fresh: of each of its groups; changed in place.
        old_regions: regions of `structure` that go on.
        new_regions: what each of them is in `wider`.

    Source: Chen, Goodfellow, Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016, with
    zeros in place of copies.
    """
    of, slot = structure.group_of[old_regions], structure.slot[old_regions]
    new_of, new_slot = wider.group_of[new_regions], wider.slot[new_regions]
    for g, state in enumerate(states):
        for h, grown in enumerate(fresh):
            both = (of == g) & (new_of == h)
            if both.any():
                _carry(state, slot[both], grown, new_slot[both])


def _carry(
    state: TrainingState, rows: Int64[ndarray, "k"], grown: TrainingState, places: Int64[ndarray, "k"]
) -> None:
    _embed(state.parameters, rows, grown.parameters, places, silent=True)
    _embed(state.first, rows, grown.first, places, silent=False)
    _embed(state.second, rows, grown.second, places, silent=False)


def _embed(
    given: Parameters,
    rows: Int64[ndarray, "k"],
    taken: Parameters,
    places: Int64[ndarray, "k"],
    *,
    silent: bool,
) -> None:
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
