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
from partinr import (
    FAST,
    PAPER,
    Auto,
    Budget,
    Compute,
    Gauss,
    Grid,
    HashGrid,
    InputError,
    Network,
    Recipe,
    ReluHarmonic,
    Siren,
    Steps,
    Whole,
    fit,
    from_array,
)
from partinr.engines.engine import Adam
from partinr.fitting.budgets import BUDGETS
from partinr.fitting.defaults import choose, divide, network_for, precision_for
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
    partition, network = choose(signal, None, None, FAST, 1)
    assert (partition.regions, network.hidden) == (regions, width)
    assert isinstance(network, Siren)
    # Cells are what the table says, as nearly as a whole number of them along each axis allows.
    assert 0.7 < signal.spec.samples / regions / SAMPLES_PER_CELL[len(shape)] < 1.4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_parameters_keep_to_the_budget(shape: tuple[int, ...], channels: int) -> None:
    signal = noise(shape, channels)
    result = fit(signal, goal=Steps(1))
    width = result.model.networks[0].hidden
    most = BUDGETS[len(shape)].density * math.prod(shape)
    assert result.params <= most or width == 8
    wider = dataclasses.replace(result.model.networks[0], hidden=width + 1)
    assert result.regions * wider.params(len(shape), channels) > most
    assert partinr.render(result.model).shape == signal.spec.array_shape


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_budget_makes_cells_for_the_width_of_the_table(dims: int) -> None:
    side = {1: 4000, 2: 80, 3: 40}[dims]
    result = fit(noise((side,) * dims), network=Budget(9_000), goal=Steps(1))
    assert 0.8 * 9_000 < result.params <= 9_000
    assert abs(result.model.networks[0].hidden - BUDGETS[dims].width) <= 2


@pytest.mark.parametrize(
    ("shape", "steps"), [((30,), 600), ((5, 6), 600), ((4, 5, 3), 300), ((4, 5, 3, 2), 300)]
)
def test_steps_suit_the_number_of_axes(shape: tuple[int, ...], steps: int) -> None:
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    signal = from_array(values, channels_last=len(shape) == 4)
    assert fit(signal, goal=Steps()).steps == steps
    assert FAST.steps_for(signal.spec.dims) == steps
    # Whoever names steps, or a recipe that has some, gets those; a quality needs as many as it needs.
    assert fit(signal, goal=Steps(7)).steps == 7
    assert fit(signal, recipe=FAST.changed(steps=9)).steps == 9
    assert fit(signal, goal=Steps(7), recipe=FAST.changed(steps=9)).steps == 7
    assert FAST.steps_to_psnr == 600
    assert PAPER.steps_for(signal.spec.dims) == PAPER.steps_to_psnr == 1500


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


def test_defaults_count_parameters_as_published() -> None:
    signal = noise((64, 64), 3)
    for rule, network, params in (
        (Whole(), None, 791_043),
        (Grid(3, 3), None, 794_097),
        (Whole(), "relu", 912_899),
        (Grid(3, 3), "relu", 920_439),
    ):
        made = rule.partition(signal)
        shape = network_for(network or "siren", PAPER, signal.spec, made)
        assert made.regions * shape.params(2, 3) == params


@pytest.mark.parametrize("budget", [400, 5_000, 60_000])
@pytest.mark.parametrize("rule", [None, Grid(2, 2)])
def test_a_budget_is_used_and_kept(budget: int, rule: Grid | None) -> None:
    result = fit(noise((50, 60), 3), rule, Budget(budget), goal=Steps(1))
    assert result.params <= budget
    width = result.model.networks[0].hidden
    wider = dataclasses.replace(result.model.networks[0], hidden=width + 1)
    assert result.regions * wider.params(2, 3) > budget


def test_bfloat16_is_used_where_it_was_measured_to_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(recipe: Recipe, network: Network, engine: str = "auto", device: str = "cpu") -> str:
        return precision_for(recipe, network, engine, device)

    monkeypatch.setattr("partinr.model.kernel.why_missing", lambda: None)
    monkeypatch.setattr("partinr.model.kernel.why_no_bf16", lambda: None)
    assert chosen(FAST, Siren(32)) == "bf16"
    assert {
        chosen(FAST, Siren(31)),
        chosen(FAST, ReluHarmonic(64)),
        chosen(PAPER, Siren(512, 3)),
        chosen(FAST, Siren(64), "torch"),
        chosen(FAST, Siren(64), device="cuda"),
    } == {"fp32"}
    monkeypatch.setattr("partinr.model.kernel.why_no_bf16", lambda: "the processor cannot")
    assert chosen(FAST, Siren(32)) == "fp32"


@pytest.mark.parametrize("budget", [700, 20_000])
def test_a_budget_widens_the_network_that_it_is_for(budget: int) -> None:
    like = Gauss(hidden=99, layers=1, sigma=0.3)
    result = fit(noise((30, 30)), Grid(2, 2), Budget(budget, like), goal=Steps(1))
    found = result.model.networks[0]
    assert found == dataclasses.replace(like, hidden=found.hidden)
    assert result.params <= budget < 4 * dataclasses.replace(like, hidden=found.hidden + 1).params(2, 1)


def test_a_budget_decides_cells_where_no_partition_is_given() -> None:
    signal = noise((120, 120))
    few, many = (fit(signal, network=Budget(budget), goal=Steps(1)) for budget in (2_000, 20_000))
    assert few.regions < many.regions
    for result, budget in ((few, 2_000), (many, 20_000)):
        assert 0.5 * budget < result.params <= budget


def test_a_budget_that_no_network_fits_names_the_smallest() -> None:
    with pytest.raises(InputError, match="at least") as error:
        fit(noise((30, 30)), Grid(5, 5), Budget(100))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["siren", "relu", "fourier", "finer", "wire", "gauss"])
@pytest.mark.parametrize("overlap", [0, 2])
def test_networks_suit_their_regions(name: str, overlap: int) -> None:
    signal, partition = noise((60, 80), 3), Grid(3, 4).partition(noise((60, 80), 3))
    found = network_for(name, FAST, signal.spec, partition, overlap=overlap)
    span = 20 + 2 * overlap if overlap else 20
    assert found == dataclasses.replace(found.suited_to(float(span)), hidden=found.hidden)
    # About one parameter a sample; more of them would be too many.
    assert partition.regions * found.params(2, 3) <= 1.2 * 60 * 80
    wider = dataclasses.replace(found, hidden=found.hidden + 1)
    assert partition.regions * wider.params(2, 3) > 1.2 * 60 * 80
    chosen = network_for(name, FAST, signal.spec, partition, hidden=17, layers=3)
    assert (chosen.hidden, chosen.layers) == (17, 3)


def test_a_network_that_nobody_knows() -> None:
    signal = noise((8, 8))
    with pytest.raises(InputError, match=r"network must be one of siren, .*, got mlp"):
        network_for("mlp", FAST, signal.spec, Whole().partition(signal))


def test_a_partition_is_of_the_signals_shape() -> None:
    signal = noise((8, 9))
    made = Grid(2, 3).partition(signal)
    assert divide(signal, made, None, None) is made
    np.testing.assert_array_equal(divide(signal, Grid(2, 3), None, None).label_map, made.label_map)
    with pytest.raises(InputError, match=r"must have the signal's shape \(8, 9\), got \(9, 8\)"):
        divide(signal, Grid(2, 3).partition(noise((9, 8))), None, None)


def test_fewer_parameters_make_larger_cells() -> None:
    signal, network = noise((90, 90)), Siren(12, 2)
    regions = [divide(signal, Auto(), network, params).regions for params in (300, 5_000, 30_000)]
    assert regions[0] < regions[1] < regions[2]
    each = network.params(2, 1)
    assert regions[1:] == pytest.approx([5_000 / each, 30_000 / each], rel=0.3)
    assert divide(signal, Grid(2, 2), network, 5_000).regions == 4


def test_networks_published_with_a_rate_of_their_own_are_trained_by_it() -> None:
    signal, network = noise((12, 10)), HashGrid(entries=32, levels=2, coarsest=2, finest=8, hidden=4)
    alone = Compute(threads=1)
    for recipe in (FAST, PAPER):
        used = fit(signal, Whole(), network, goal=Steps(2), recipe=recipe, compute=alone).recipe
        assert (used.rate_for(network.width), used.adam) == (1e-2, Adam(0.9, 0.99, 1e-15))
    given = FAST.changed(learning_rate=3e-4)
    used = fit(signal, Whole(), network, goal=Steps(2), recipe=given, compute=alone).recipe
    assert (used.rate_for(network.width), used.adam) == (3e-4, FAST.adam)
    assert FAST.trained_as(Siren()) == FAST
