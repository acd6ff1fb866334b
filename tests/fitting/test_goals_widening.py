import numpy as np
import pytest
import torch

from helpers import noise
from partinr import Grid, PiecewiseINR, Siren
from partinr.engines import TrainingState
from partinr.fitting.goals.widening import carry_over


def prepared(widths: list[int], group_of: list[int], seed: int) -> tuple[PiecewiseINR, list[TrainingState]]:
    signal = noise((20, 30), 3)
    partition = Grid(2, 3).partition(signal)
    model = PiecewiseINR(partition, [Siren(w, 2) for w in widths], signal.spec, "local", np.array(group_of))
    model.initialise(seed)
    states = [TrainingState.fresh(g.parameters_by_layer, torch.device("cpu")) for g in model.group_list]
    for state in states:
        for tensor in state.tensors()[len(state.tensors()) // 3 :]:
            tensor.uniform_()
    return model, states


@pytest.mark.parametrize(
    ("widths", "groups"),
    [([7], [0] * 6), ([4, 9], [0, 1, 0, 1, 1, 0]), ([12, 4, 7], [2, 0, 1, 0, 2, 1])],
)
def test_the_function_stays_what_it_was(widths: list[int], groups: list[int]) -> None:
    model, states = prepared([4, 3], [0, 1, 0, 1, 1, 0], 0)
    wider, fresh = prepared(widths, groups, 1)
    carry_over(model, states, wider, fresh, np.arange(6), np.arange(6))
    for group, state in zip(wider.group_list, fresh, strict=True):
        group.load(state.parameters)
    coords = torch.rand(500, 2) * 2 - 1
    torch.testing.assert_close(wider(coords), model(coords), rtol=1e-4, atol=1e-5)


def test_old_units_keep_their_moments_and_new_ones_listen() -> None:
    model, states = prepared([4], [0] * 6, 0)
    wider, fresh = prepared([6], [0] * 6, 1)
    before = fresh[0].parameters.weights[1].clone()
    carry_over(model, states, wider, fresh, np.arange(6), np.arange(6))
    assert torch.equal(fresh[0].first.weights[1][:, :4, :4], states[0].first.weights[1])
    assert torch.equal(fresh[0].second.biases[1][:, :4], states[0].second.biases[1])
    assert torch.equal(fresh[0].parameters.weights[1][:, :, 4:], before[:, :, 4:])
    assert (fresh[0].parameters.weights[1][:, 4:, :4] == 0).all()
    assert (fresh[0].parameters.weights[-1][:, 4:] == 0).all()
