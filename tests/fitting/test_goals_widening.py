import numpy as np
import pytest

from helpers import noise
from partinr import Grid, Piecewise, Siren, Structure
from partinr.engines import TrainingState
from partinr.fitting.goals.widening import carry_over


def prepared(widths: list[int], groups: list[int], seed: int) -> tuple[Structure, list[TrainingState]]:
    signal = noise((20, 30), 3)
    partition = Grid(2, 3).partition(signal)
    networks = tuple(Siren(width, 2) for width in widths)
    structure = Structure(partition, networks, signal.spec, "local", np.array(groups))
    states = [TrainingState.fresh(parameters) for parameters in structure.initialise(seed)]
    random = np.random.default_rng(seed)
    for state in states:
        for array in (*state.first.arrays, *state.second.arrays):
            array[...] = random.random(array.shape)
    return structure, states


def function(structure: Structure, states: list[TrainingState]) -> Piecewise:
    return Piecewise(structure, tuple(state.parameters for state in states))


@pytest.mark.parametrize(
    ("widths", "groups"),
    [([7], [0] * 6), ([4, 9], [0, 1, 0, 1, 1, 0]), ([12, 4, 7], [2, 0, 1, 0, 2, 1])],
)
def test_the_function_stays_what_it_was(widths: list[int], groups: list[int]) -> None:
    narrow, states = prepared([4, 3], [0, 1, 0, 1, 1, 0], 0)
    wide, fresh = prepared(widths, groups, 1)
    carry_over(narrow, states, wide, fresh, np.arange(6), np.arange(6))
    coords = np.random.default_rng(2).uniform(-1, 1, (500, 2)).astype(np.float32)
    expected = function(narrow, states)(coords)
    np.testing.assert_allclose(function(wide, fresh)(coords), expected, rtol=1e-4, atol=1e-5)


def test_old_units_keep_their_moments_and_new_ones_listen() -> None:
    narrow, states = prepared([4], [0] * 6, 0)
    wide, fresh = prepared([6], [0] * 6, 1)
    before = fresh[0].parameters.weights[1].copy()
    carry_over(narrow, states, wide, fresh, np.arange(6), np.arange(6))
    np.testing.assert_array_equal(fresh[0].first.weights[1][:, :4, :4], states[0].first.weights[1])
    np.testing.assert_array_equal(fresh[0].second.biases[1][:, :4], states[0].second.biases[1])
    np.testing.assert_array_equal(fresh[0].parameters.weights[1][:, :, 4:], before[:, :, 4:])
    assert (fresh[0].parameters.weights[1][:, 4:, :4] == 0).all()
    assert (fresh[0].parameters.weights[-1][:, 4:] == 0).all()
