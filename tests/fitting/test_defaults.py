"""What a fit has where nothing is asked for: cells, widths and steps by the number of axes."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

import partinr
from cli_helpers import run
from helpers import noise
from partinr import FAST, PAPER, Auto, Siren, fit, from_array
from partinr.fitting.budgets import BUDGETS
from partinr.fitting.defaults import choose, recipe_for
from partinr.model.partition.auto import SAMPLES_PER_CELL

# Shape, channels, regions and width. Those of two axes come from the search for `FAST`.
CHOSEN = [
    ((50_000,), 1, 347, 8),
    ((50_000,), 2, 347, 8),
    ((512, 512), 3, 756, 12),
    ((300, 400), 1, 336, 13),
    ((2, 900), 1, 5, 13),
    ((80, 80, 80), 1, 125, 16),
    ((97, 60, 81), 1, 120, 16),
    ((64, 64, 64), 3, 64, 15),
]

SHAPES = [
    *((1,), (7,), (143,), (217,), (1000,)),
    *((1, 1), (1, 9), (19, 19), (40, 30)),
    *((1, 1, 1), (2, 3, 2), (1, 1, 300), (3, 200, 40), (31, 40, 50)),
]


@pytest.mark.parametrize(("shape", "channels", "regions", "width"), CHOSEN)
def test_cells_and_widths_suit_the_number_of_axes(
    shape: tuple[int, ...], channels: int, regions: int, width: int
) -> None:
    signal = from_array(np.zeros((*shape, channels), np.uint8), channels_last=True)
    partition, network = choose(signal, None, None, FAST, None, None)
    assert (partition.regions, network.hidden) == (regions, width)
    assert isinstance(network, Siren)
    # Cells are what the table says, as nearly as a whole number of them along each axis allows.
    assert 0.7 < signal.spec.samples / regions / SAMPLES_PER_CELL[len(shape)] < 1.4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_parameters_keep_to_the_budget(shape: tuple[int, ...], channels: int) -> None:
    signal = noise(shape, channels)
    result = fit(signal, steps=1)
    width = result.model.group_list[0].network.hidden
    most = BUDGETS[len(shape)].density * math.prod(shape)
    assert result.params <= most or width == 8
    wider = dataclasses.replace(result.model.group_list[0].network, hidden=width + 1)
    assert result.regions * wider.params(len(shape), channels) > most
    assert partinr.render(result.model).shape == signal.spec.array_shape


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_budget_makes_cells_for_the_width_of_the_table(dims: int) -> None:
    side = {1: 4000, 2: 80, 3: 40}[dims]
    result = fit(noise((side,) * dims), params=9_000, steps=1)
    assert 0.8 * 9_000 < result.params <= 9_000
    assert abs(result.model.group_list[0].network.hidden - BUDGETS[dims].width) <= 2


@pytest.mark.parametrize(
    ("shape", "steps"), [((30,), 600), ((5, 6), 600), ((4, 5, 3), 300), ((4, 5, 3, 2), 300)]
)
def test_steps_suit_the_number_of_axes(shape: tuple[int, ...], steps: int) -> None:
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    signal = from_array(values, channels_last=len(shape) == 4)
    assert fit(signal).steps == steps
    assert recipe_for("fast", signal.spec) == dataclasses.replace(FAST, steps=steps)
    # Whoever names steps, or a recipe of their own, gets those; a quality needs as many as it needs.
    assert fit(signal, steps=7).steps == 7
    assert fit(signal, recipe=FAST).steps == FAST.steps
    assert recipe_for("fast", signal.spec, psnr=30.0) is FAST
    assert recipe_for("paper", signal.spec) is PAPER


def test_the_command_line_has_the_same_defaults(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((20, 21, 22), dtype=np.float32)
    np.save(tmp_path / "a.npy", values)
    facts = json.loads(run("fit", tmp_path / "a.npy", "--json").out)
    result = fit(from_array(values))
    for name in ("steps", "regions", "params"):
        assert facts[name] == getattr(result, name)


def test_a_cell_of_a_named_size_is_the_same_for_any_number_of_axes() -> None:
    assert [Auto(64).grid((64,) * dims).divisions for dims in (1, 2, 3)] == [(1,), (8, 8), (16, 16, 16)]
    assert Auto().grid((32, 32, 32)).divisions == (2, 2, 2)
    assert Auto().grid((1440,)).divisions == (10,)
